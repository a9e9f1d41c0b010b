"""Recurrent causal attention: a video from words alone, no first frame given.

Its adapters are trained with train_motion_lamp, method Recurrent.
"""

from ..workflow_graph import Graph
from .parts import decode, motion_model, prompts_of


def text_to_video_recurrent() -> Graph:
    """A clip from words, every part of core's custom sampling in sight."""
    g = Graph("text_to_video_recurrent")
    g.note((0, 30), (380, 200),
           "**Motion adapter**: a motion of the method *Recurrent*; train one with the template *train_motion_lamp*, "
           "Train Motion LoRA set to that method, then press R to refresh the list.",
           "**Prompt**: what is to be seen, and the motion in the words of the adapter's captions.",
           "**Length and size**: batch_size is the number of frames; **Noise**: another seed is another "
           "clip.")  # fmt: skip
    checkpoint, model = motion_model(g, 0, 350)
    prompts = prompts_of(g, 480, 60, checkpoint["CLIP"])
    empty = g.add("EmptyLatentImage", "Length and size", (980, 60), (320, 120), batch_size=16)
    noise = g.add("FSM_FrameNoise", "Noise", (980, 260), (320, 214), "randomize")
    steps = g.add("BasicScheduler", "Steps", (980, 510), (320, 110), model=model["MODEL"])
    guider = g.add("CFGGuider", "Guidance", (1400, 60), (340, 110), model=model["MODEL"], **prompts)
    solver = g.add("KSamplerSelect", "Solver", (1400, 260), (340, 60))
    sampler = g.add("SamplerCustomAdvanced", "Sampler", (1400, 410), (340, 160), noise=noise["NOISE"],
                    guider=guider["GUIDER"],
                    sampler=solver["SAMPLER"], sigmas=steps["SIGMAS"], latent_image=empty["LATENT"])  # fmt: skip
    decode(g, 1840, 60, sampler["output"], checkpoint["VAE"])
    g.group("Model and motion", -20, 270, 420, 450)
    for title, x, width in (
        ("Prompt", 460, 440),
        ("Clip and noise", 960, 360),
        ("Sample it", 1380, 380),
        ("Video", 1820, 360),
    ):
        g.group(title, x, -20, width, 740)
    return g


WORKFLOWS = (text_to_video_recurrent,)
