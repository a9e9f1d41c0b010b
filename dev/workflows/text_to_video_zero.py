"""Text2Video-Zero: a clip from an image model alone."""

from typing import Any

from ..workflow_graph import Graph, Node
from .parts import PROMPT, keep, prompts_of

_COST = "Takes as long as 8 pictures of this size, and their memory."
_SUFFIX = ", high quality, HD, 8K, trending on artstation, high focus, dramatic lighting"  # the release's to any prompt
_DDIM = {"sampler_name": "euler", "scheduler": "ddim_uniform"}  # the release's DDIM without noise


def text_to_video_zero(g: Graph) -> Graph:
    """A prompt, and an image model's own picture that moves."""
    g.note("**Checkpoint**: any image model: SD 1.x, SD 2.x or SDXL (for SDXL set 1024 in **Size**, and twice the way "
           "in **Motion**).",
           "**Motion**: px to the right and down from frame to frame; negative is left and up.",
           "**Prompt**: what is to be seen; **Size**: *batch_size* is the number of frames.",
           expect=_COST)  # fmt: skip
    saved = _moving(g)
    motion, size = g.titled("Motion"), g.titled("Size")
    g.app((g.titled("Prompt"), "text"), (motion, "move_x"), (motion, "move_y"), (size, "batch_size"), result=saved)
    return g


def text_to_video_zero_as_released(g: Graph) -> Graph:
    """The same with the settings of the release: 12 px a frame both ways, timesteps 881 and 941 at every size, 50 DDIM
    steps, cfg 7.5, its words behind the prompt.
    """
    g.note("**Checkpoint**: SD 1.5 or a model made from it; the release takes Dreamlike Photoreal 2.0.",
           "**Motion**: the release's 12, 12 moves the grid under the picture, so what is seen goes left and up: -12, "
           "-12.",
           "**Prompt**: what is to be seen, then the words that the release adds to every prompt. All other values are "
           "those of its code.",
           expect=f"50 steps. {_COST}")  # fmt: skip
    _moving(g, PROMPT + _SUFFIX, {"move_x": -12.0, "move_y": -12.0, "by_size": False},
            {"steps": 50, "cfg": 7.5, **_DDIM})  # fmt: skip
    return g


def _moving(g: Graph, prompt: str = PROMPT, way: dict[str, Any] | None = None,
            sampling: dict[str, Any] | None = None) -> Node:  # fmt: skip
    """From the checkpoint to what saves the video, which it returns; values other than the nodes' own by node."""
    g.group("Model and motion", below=True)
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint")
    motion = g.add("FSM_TextToVideoZero", "Motion", model=checkpoint["MODEL"], **way or {})
    prompts = prompts_of(g, checkpoint["CLIP"], text=prompt)
    g.group("Clip")
    size = g.add("EmptyLatentImage", "Size", width=512, height=512, batch_size=8)
    sampler = g.add("KSampler", "Sampler", "randomize", model=motion["MODEL"], **prompts, latent_image=size["LATENT"],
                    **sampling or {})  # fmt: skip
    g.group("Pictures")
    frames = g.add("VAEDecode", "Decode", samples=sampler["LATENT"], vae=checkpoint["VAE"])
    return keep(g, frames["IMAGE"], fps=4.0)


WORKFLOWS = (text_to_video_zero,)
