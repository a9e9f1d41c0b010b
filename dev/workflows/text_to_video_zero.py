"""Text2Video-Zero: a clip from an image model alone."""

from ..workflow_graph import Graph
from .parts import keep, prompts_of


def text_to_video_zero(g: Graph) -> Graph:
    """A prompt, and an image model's own picture that moves."""
    g.note("**Checkpoint**: any image model: SD 1.x, SD 2.x or SDXL (for SDXL set 1024 in **Size**, and twice the way "
           "in **Motion**).",
           "**Motion**: px to the right and down from frame to frame; negative is left and up.",
           "**Prompt**: what is to be seen; **Size**: *batch_size* is the number of frames.",
           expect="Takes as long as 8 pictures of this size, and their memory.")  # fmt: skip
    g.group("Model and motion", below=True)
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint")
    motion = g.add("FSM_TextToVideoZero", "Motion", model=checkpoint["MODEL"])
    prompts = prompts_of(g, checkpoint["CLIP"])
    g.group("Clip")
    size = g.add("EmptyLatentImage", "Size", width=512, height=512, batch_size=8)
    sampler = g.add("KSampler", "Sampler", "randomize", model=motion["MODEL"], **prompts, latent_image=size["LATENT"])
    g.group("Pictures")
    frames = g.add("VAEDecode", "Decode", samples=sampler["LATENT"], vae=checkpoint["VAE"])
    saved = keep(g, frames["IMAGE"], fps=4.0)
    g.app((g.titled("Prompt"), "text"), (motion, "move_x"), (motion, "move_y"), (size, "batch_size"), result=saved)
    return g


WORKFLOWS = (text_to_video_zero,)
