"""Text2Video-Zero: a clip from an image model alone."""

from ..workflow_graph import Graph
from .parts import keep, prompts_of


def text_to_video_zero() -> Graph:
    """A clip from words by an image model that has learnt no motion at all."""
    g = Graph("text_to_video_zero")
    g.note((0, 30), (380, 240),
           "**Checkpoint**: any image model: SD 1.x, SD 2.x or SDXL (for SDXL set 1024 in **Size**, and twice the way "
           "in **Motion**).",
           "**Motion**: px to the right and down from frame to frame; negative is left and up.",
           "**Prompt**: what is to be seen; **Size**: *batch_size* is the number of frames.")  # fmt: skip
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint", (0, 390), (380, 102))
    motion = g.add("FSM_TextToVideoZero", "Motion", (0, 570), (380, 194), model=checkpoint["MODEL"])
    prompts = prompts_of(g, 480, 60, checkpoint["CLIP"])
    size = g.add("EmptyLatentImage", "Size", (980, 60), (320, 120), width=512, height=512, batch_size=8)
    sampler = g.add(
        "KSampler",
        "Sampler",
        (980, 270),
        (320, 290),
        "randomize",
        model=motion["MODEL"],
        **prompts,
        latent_image=size["LATENT"],
    )
    frames = g.add("VAEDecode", "Decode", (1400, 60), (320, 60), samples=sampler["LATENT"], vae=checkpoint["VAE"])
    keep(g, 1400, 200, frames["IMAGE"], fps=4.0)
    g.group("Model and motion", -20, 310, 420, 480)
    for title, x, width in (("Prompt", 460, 440), ("Clip", 960, 360), ("Video", 1380, 360)):
        g.group(title, x, -20, width, 810)
    return g


WORKFLOWS = (text_to_video_zero,)
