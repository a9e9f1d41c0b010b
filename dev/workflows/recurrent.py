"""Recurrent causal attention: a video from words alone, no first frame given.

Its adapters are trained with train_motion_lamp, method Recurrent.
"""

from ..workflow_graph import Graph
from .parts import decode, motion_model, prompts_of


def text_to_video_recurrent(g: Graph) -> Graph:
    """A prompt, and a video without a first frame."""
    g.note("**Motion adapter**: a motion of the method *Recurrent*; train one with the template *train_motion_lamp*, "
           "Train Motion LoRA set to that method, then press R to refresh the list.",
           "**Prompt**: what is to be seen, and the motion in the words of the adapter's captions.",
           "**Length and size**: batch_size is the number of frames; **Noise**: another seed is another clip.",
           expect="Takes as long as 16 pictures of this size, and their memory.")  # fmt: skip
    checkpoint, model = motion_model(g)
    prompts = prompts_of(g, checkpoint["CLIP"])
    g.group("Clip and noise")
    empty = g.add("EmptyLatentImage", "Length and size", batch_size=16)
    noise = g.add("FSM_FrameNoise", "Noise", "randomize")
    steps = g.add("BasicScheduler", "Steps", model=model["MODEL"])
    g.group("Sample it")
    guider = g.add("CFGGuider", "Guidance", model=model["MODEL"], **prompts)
    solver = g.add("KSamplerSelect", "Solver")
    sampler = g.add("SamplerCustomAdvanced", "Sampler", noise=noise["NOISE"], guider=guider["GUIDER"],
                    sampler=solver["SAMPLER"], sigmas=steps["SIGMAS"], latent_image=empty["LATENT"])  # fmt: skip
    decode(g, sampler["output"], checkpoint["VAE"])
    return g


WORKFLOWS = (text_to_video_recurrent,)
