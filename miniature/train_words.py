"""Words of motion for the miniature's text tower: a change of its layers, in the format of core's Load LoRA.

Pictures do not show which way a thing moves, and a tower that pictures alone have taught all but forgets those words:
"moves right" and "moves left" differ by 0.1 of 7 behind the words. Here the tower learns to say the motion along eight
directions of its output that scenes hardly use, and everything else as before, so that the image model's own reading
changes little.
"""

from pathlib import Path

import torch
import world
from safetensors.torch import save_file
from torch import Tensor

FILE = Path(__file__).parent / "models" / "loras" / "miniature_words.safetensors"
MOTIONS = list(world.MOTIONS)
LOUD = 2.0  # how far a motion reaches along its direction; a token's output is about 7 long
_LAST = 24  # tokens of a caption that are looked at: no caption is longer, and what is behind repeats


def captions() -> list[tuple[world.Scene, str]]:
    """Every scene with every motion, and with none."""
    return [(scene, motion) for scene in world.all_scenes() for motion in ("", *MOTIONS)]


def directions(outputs: Tensor) -> Tensor:
    """The eight directions `d 8` in which outputs `n l d` vary least, but for the one that the last layer norm leaves
    without any variance.
    """
    tokens = outputs[:, 1:_LAST].flatten(0, 1)
    return torch.linalg.eigh(torch.cov(tokens.double().T))[1][:, 1 : 1 + len(MOTIONS)].float()


def targets(outputs: Tensor, along: Tensor, motions: Tensor, last_words: Tensor) -> Tensor:
    """Outputs `n l d` that say their motion (0 to 7; -1: none) from its last word on, along its own direction."""
    wanted = outputs - (outputs - outputs.mean(dim=(0, 1))) @ along @ along.T
    said = torch.where((motions >= 0)[:, None], along.T[motions.clamp(min=0)], 0.0) * LOUD
    behind = torch.arange(outputs.shape[1])[None] >= last_words[:, None]
    return wanted + behind[..., None] * said[:, None]


@torch.no_grad()
def outputs_of(text) -> Tensor:
    """What a CLIP's tower makes of all captions, `n l d`."""
    tokens = _tokens(text)
    return torch.cat([text.cond_stage_model.clip_l(tokens[i : i + 90])[0].float() for i in range(0, len(tokens), 90)])


def _tokens(text) -> list[list[int]]:
    return [[token for token, _ in text.tokenize(scene.caption(motion))["l"][0]] for scene, motion in captions()]


def train_words(seed: int, steps: int) -> dict[str, Tensor]:
    """The change of the released tower's weights, as tensors of the LoRA."""
    import nodes

    text = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")[1]
    tower = text.cond_stage_model.clip_l.requires_grad_(
        False
    )  # what is trained stands in for it; no gradient of 49,408 tokens
    tokens, outputs = _tokens(text), outputs_of(text)
    last_words = torch.tensor([row.index(49407) - 1 for row in tokens])
    motions = torch.tensor([MOTIONS.index(motion) if motion else -1 for _, motion in captions()])
    along = directions(outputs)
    wanted = targets(outputs, along, motions, last_words)
    weights = {
        name: value
        for name, value in tower.transformer.named_parameters()
        if ".encoder." in name or ".final_layer_norm." in name
    }
    before = {name: value.detach().clone() for name, value in weights.items()}
    trained = {name: torch.nn.Parameter(value.float()) for name, value in before.items()}
    for layer in tower.modules():  # core adds residuals in place, onto what these layers keep for their gradient
        if isinstance(layer, torch.nn.LayerNorm):
            layer.register_forward_pre_hook(lambda _, inputs: (inputs[0].clone(),))
    optimizer = torch.optim.AdamW(trained.values(), lr=3e-3, weight_decay=0)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min((step + 1) / 100, (steps - step) / steps)
        chosen = torch.randperm(len(tokens), generator=generator)[:64].tolist()
        said = torch.func.functional_call(
            tower, {f"transformer.{k}": v for k, v in trained.items()}, ([tokens[i] for i in chosen],)
        )[0]
        off = (said - wanted[chosen])[:, :_LAST]
        loss = off.square().sum(dim=-1).mean() + 10 * (off @ along).square().sum(dim=-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            print(f"words {step + 1}/{steps}  loss {loss.item():.4f}", flush=True)
    return named(
        "text_encoders.clip_l.transformer",
        {name: value.detach() - before[name].float() for name, value in trained.items()},
    )


def named(part: str, changes: dict[str, Tensor]) -> dict[str, Tensor]:
    """Changes of the weights of a part of the checkpoint, under the names of core's Load LoRA for whole differences."""
    ends, tensors = {"weight": "diff", "bias": "diff_b"}, {}
    for name, value in changes.items():
        path, _, last = name.rpartition(".")
        tensors[f"{part}.{path}.{ends[last]}"] = value.half().cpu().contiguous()
    return tensors


def write(tensors: dict[str, Tensor], file: Path = FILE) -> None:
    """The LoRA, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    save_file(tensors, part, {"base": "Miniature", "licence": "Apache-2.0"})
    part.replace(file)
