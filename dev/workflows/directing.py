"""A motion directed: in a part of the picture, drawn once more and larger, in few steps, as the papers' code has it."""

from ..model_files import LCM, LCM_MODULE
from ..workflow_graph import Graph, Link, Node
from .parts import ADAPTER, COST, FITS, decode, keep, motion_model, picture, prompts_of
from .recurrent import text_to_video_as_released_recurrent
from .text_to_video_zero import text_to_video_zero_as_released
from .ti2v_zero import slide

_PICTURE = "**First frame**: your picture; **Scale** brings it to the size the motion was trained at."
_WORDS = "**Prompt**: what the picture shows, and the motion in the words of the adapter's captions."
_FEW = "**LCM LoRA**: what lets the checkpoint draw in four steps; another one of its kind may want another sampler."


def _pictured(g: Graph, *lines: str, expect: str) -> tuple[Node, Node, dict[str, Link]]:
    """Note, checkpoint, motion and prompts of a workflow that animates one's own picture."""
    g.note(*lines, expect=expect)
    checkpoint, model = motion_model(g)
    return checkpoint, model, prompts_of(g, checkpoint["CLIP"])


def _encoded(g: Graph, checkpoint: Node) -> Link:
    g.group("First frame")
    return g.add("VAEEncode", "Encode", pixels=picture(g), vae=checkpoint["VAE"])["LATENT"]


def _sampled(g: Graph, model: Node, prompts: dict[str, Link], first_frame: Link, **inputs) -> Node:
    """A group with noise and sampler."""
    noise = {name: inputs.pop(name) for name in ("strategy", "keep_unit_variance") if name in inputs}
    g.group("Move it")
    made = g.add("FSM_FrameNoise", "Noise", "randomize", **noise)
    return g.add("FSM_FirstFrameKSampler", "Sampler", model=model["MODEL"], **prompts, first_frame=first_frame,
                 noise=made["NOISE"], **inputs)  # fmt: skip


def animate_part_lamp(g: Graph) -> Graph:
    """Only what is painted moves, the rest stays the picture."""
    checkpoint, model, prompts = _pictured(
        g, ADAPTER,
        "**First frame**: your picture; paint what is to move in its mask editor (right click). The rest stays as it "
        "is.",
        _WORDS, expect=COST)  # fmt: skip
    latent = _encoded(g, checkpoint)
    g.group("What moves")
    painted = g.add("MaskToImage", "Painted", mask=g.titled("First frame")["MASK"])
    scaled = g.add("ImageScale", "Scale mask", image=painted["IMAGE"])
    moves = g.add("ImageToMask", "What moves", image=scaled["IMAGE"])
    sampler = _sampled(g, model, prompts, latent, motion_mask=moves["MASK"])
    decode(g, sampler["LATENT"], checkpoint["VAE"])
    return g


_BOTH_ENDS = (
    "**Motion adapter**: a motion that learnt to head for a last frame: train it with the template "
    "*train_motion_lamp* and *both_ends* of *Motion Training Settings* on, then press R to refresh the list. Any other "
    "motion jumps into it."
)


def animate_between_pictures_lamp(g: Graph) -> Graph:
    """A clip from one picture to another."""
    checkpoint, model, prompts = _pictured(
        g, _BOTH_ENDS,
        "**First picture**, **Last picture**: where the clip begins and where it ends; both stay exact.", _WORDS,
        expect=COST)  # fmt: skip
    g.group("First and last frame")
    first = picture(g, "First picture", "Scale first picture")
    first = g.add("VAEEncode", "Encode first picture", pixels=first, vae=checkpoint["VAE"])
    g.column()
    last = picture(g, "Last picture", "Scale last picture")
    last = g.add("VAEEncode", "Encode last picture", pixels=last, vae=checkpoint["VAE"])
    sampler = _sampled(g, model, prompts, first["LATENT"], last_frame=last["LATENT"])
    decode(g, sampler["LATENT"], checkpoint["VAE"])
    return g


def loop_image_lamp(g: Graph) -> Graph:
    """A clip that comes back to its first frame."""
    checkpoint, model, prompts = _pictured(
        g, "**Motion adapter**: a motion that comes back by itself, as an orbit does; any other has to learn it, with "
           "*both_ends* of *Motion Training Settings* on.",
        _PICTURE, _WORDS, expect=COST)  # fmt: skip
    sampler = _sampled(g, model, prompts, _encoded(g, checkpoint), loop=True)
    decode(g, sampler["LATENT"], checkpoint["VAE"])
    return g


def animate_then_refine_lamp(g: Graph) -> Graph:
    """A small clip, scaled up and drawn once more: the motion stays, the first frame is the large one."""
    checkpoint, model, prompts = _pictured(
        g, ADAPTER,
        "**First frame**: your picture; **Scale** is the size of the first pass, **Scale first frame** and **Scale "
        "clip** that of the second.",
        "**Refine**: *denoise* is how much is drawn anew; at 0.5 the motion stays.",
        expect="Takes about 1.7 times as long as 16 small pictures and half of 16 large ones, and the memory of 16 "
               "large ones.")  # fmt: skip
    latent = _encoded(g, checkpoint)
    sampler = _sampled(g, model, prompts, latent)
    g.row()
    large = {"width": 768, "height": 480}
    g.group("Larger")
    frames = g.add("VAEDecode", "Decode small", samples=sampler["LATENT"], vae=checkpoint["VAE"])
    clip = g.add("ImageScale", "Scale clip", image=frames["IMAGE"], **large)
    clip = g.add("VAEEncode", "Encode clip", pixels=clip["IMAGE"], vae=checkpoint["VAE"])
    g.column()
    first = g.add("ImageScale", "Scale first frame", image=g.titled("First frame")["IMAGE"], **large)
    first = g.add("VAEEncode", "Encode first frame", pixels=first["IMAGE"], vae=checkpoint["VAE"])
    g.group("Draw it once more")
    refined = g.add("FSM_FirstFrameKSampler", "Refine", "randomize", model=model["MODEL"], **prompts,
                    first_frame=first["LATENT"], clip=clip["LATENT"], steps=15, denoise=0.5)  # fmt: skip
    decode(g, refined["LATENT"], checkpoint["VAE"])
    return g


def _fast(g: Graph) -> tuple[Node, Node, Node]:
    """Checkpoint, the LoRA of few steps, and the motion, in a group below the note."""
    g.group("Model and motion", below=True)
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint")
    lora = g.add("LoraLoader", "LCM LoRA", model=checkpoint["MODEL"], clip=checkpoint["CLIP"], lora_name=LCM)
    return checkpoint, lora, g.add("FSM_LoadMotionAdapter", "Motion adapter", model=lora["MODEL"])


def animate_image_few_steps_lamp(g: Graph) -> Graph:
    """A picture animated in four steps, without guidance."""
    g.note(
        ADAPTER,
        _FEW,
        _WORDS,
        expect=f"Takes about 1.7 times as long as four steps of 16 pictures without guidance. {FITS}",
    )
    checkpoint, lora, model = _fast(g)
    prompts = prompts_of(g, lora["CLIP"])
    latent = _encoded(g, checkpoint)
    sampler = _sampled(g, model, prompts, latent, steps=4, cfg=1.0, sampler_name="lcm", scheduler="sgm_uniform")
    decode(g, sampler["LATENT"], checkpoint["VAE"])
    return g


def image_to_video_few_steps_ti2v_zero(g: Graph) -> Graph:
    """A picture moves with nothing trained, in four steps for each new frame."""
    g.note("**Checkpoint**, **Motion adapter**: an image model, and a motion module for few steps, as AnimateLCM's.",
           _FEW, "**First frame**: your picture; **Scale** brings it to a size the model likes.",
           expect="Four calls of the model for every new frame, each about 1.7 times a step of 16 pictures "
                  f"without guidance. {FITS}")  # fmt: skip
    checkpoint, lora, model = _fast(g)
    model.inputs["adapter"] = model.inputs["adapter"] if g.miniature else LCM_MODULE
    known = {"model": model["MODEL"], **prompts_of(g, lora["CLIP"])}
    g.group("What is known")
    return slide(g, checkpoint, known, frames=picture(g), preset="custom", steps=4, resample=0, cfg=1.0,
                 sampler_name="lcm", scheduler="sgm_uniform")  # fmt: skip


def animate_image_as_released_lamp(g: Graph) -> Graph:
    """LAMP with the settings of its code: 50 DDIM steps, cfg 12.5, shared noise of less variance, statistics after
    every step, histograms at the end.
    """
    checkpoint, model, prompts = _pictured(
        g, ADAPTER, _PICTURE,
        "**Prompt**: what the picture shows, and the motion in the words of the adapter's captions. All other values "
        "are those of LAMP's code.", expect=f"50 steps. {COST}")  # fmt: skip
    latent = _encoded(g, checkpoint)
    sampler = _sampled(g, model, prompts, latent, keep_unit_variance=False, steps=50, cfg=12.5, sampler_name="ddim",
                       scheduler="ddim_uniform", statistics="match at every step (LAMP)")  # fmt: skip
    g.group("Histograms")
    frames = g.add("VAEDecode", "Decode", samples=sampler["LATENT"], vae=checkpoint["VAE"])
    matched = g.add("FSM_MatchFirstFrame", "Match pictures", clip=frames["IMAGE"])
    keep(g, matched["clip"])
    return g


WORKFLOWS = (
    animate_part_lamp, animate_then_refine_lamp, animate_image_few_steps_lamp, image_to_video_few_steps_ti2v_zero,
    animate_image_as_released_lamp, text_to_video_as_released_recurrent, text_to_video_zero_as_released,
    animate_between_pictures_lamp, loop_image_lamp,
)  # fmt: skip
