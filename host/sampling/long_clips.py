"""Clips longer than their motion was learnt with: made in pieces that go on from each other."""

from torch import Tensor

from ...motion_modules.call import KEY
from ...samplers.pieces import Piece, even_pieces, pieces
from .beginnings import Beginning
from .clip_sampling import sample_clip
from .frame_noise import following
from .preview import clip_callback

OVERLAP = 1  # frames a piece goes on from: one did best, docs/long_clips.md


def plan(model, length: int, ends: bool = False, loops: bool = False) -> list[Piece]:
    """The pieces in which a MODEL makes a clip of so many frames: a single one where its motion knows no number of its
    own, the clip is no longer than that, or core cuts context windows. The last frame may be given: one that loops is
    made with the frame it comes back to, which may be one too many.
    """
    stack = model.get_attachment(KEY)
    window = stack.clip_frames if stack else 0
    if not 1 < window < length - loops or model.model_options.get("context_handler") is not None:
        return [Piece(0, length, 1, length)]
    return (even_pieces if ends else pieces)(length, window, OVERLAP)


def of_plan(plan: list[Piece], steps: int) -> list[str]:
    """A sentence about a clip made in pieces."""
    length, size = plan[0].length, max(piece.size for piece in plan)
    if len(plan) < 2:
        return []
    return [
        f"{length} frames are more than this motion was learnt with: made in {len(plan)} pieces of {size}, "
        f"each of which goes on from the one before, in {len(plan) * steps} steps instead of {steps}."
    ]


def sample_pieces(model, positive, negative, begins: Beginning, noise: Tensor, plan: list[Piece], finish, seed, steps,
                  cfg, sampler, scheduler, denoise) -> Tensor:  # fmt: skip
    """A clip `f c h w`, piece by piece; finish: what is done to the latents of each. The rest is sample_clip's."""
    clip, callback = begins.latents, clip_callback(model, steps * len(plan))
    for i, piece in enumerate(plan):
        ends = int(begins.ends and piece.is_last)
        part = Beginning(clip[piece.frames], None if begins.moves is None else begins.moves[piece.frames])

        def report(step: int, x0: Tensor, x: Tensor, total: int, before: int = i * steps) -> None:
            callback(before + step, x0, x, steps * len(plan))

        made = sample_clip(
            model, of_piece(positive, piece), of_piece(negative, piece), part.latents, noise[piece.around],
            following(seed, piece.start), steps, cfg, sampler, scheduler, denoise, part.moves,
            piece if len(plan) > 1 else None, report, ends,
        )  # fmt: skip
        clip = clip.to(made, copy=True)
        clip[piece.new] = part.kept(finish(made))[piece.made]
    if begins.ends:
        clip[-1] = begins.latents[-1]
    return clip


def of_piece(conditioning: list, piece: Piece) -> list:
    """A CONDITIONING for a piece: of what is given one per frame, prompts or a ControlNet's pictures, its frames'."""
    if piece.size == piece.length:
        return conditioning
    return [[_cut(words, piece), {key: _cut(value, piece) for key, value in also.items()}]
            for words, also in conditioning]  # fmt: skip


def _cut(value, piece: Piece):
    if isinstance(value, Tensor):
        return value[piece.frames] if value.ndim and len(value) == piece.length else value
    if hasattr(value, "cond_hint_original"):  # of core's ControlNets
        value = value.copy()
        value.cond_hint_original = _cut(value.cond_hint_original, piece)
        value.previous_controlnet = _cut(value.previous_controlnet, piece)
    return value
