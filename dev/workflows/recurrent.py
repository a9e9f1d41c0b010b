"""Recurrent causal attention: a video from words alone, no first frame given.

Its adapters are trained with train_motion_lamp, method Recurrent.
"""

from collections.abc import Mapping
from typing import Any

from ..workflow_graph import Graph
from .parts import FITS, decode, motion_model, prompts_of

Values = Mapping[str, Any]
_OWN: Values = {}


def text_to_video_recurrent(g: Graph) -> Graph:
    """A prompt, and a video without a first frame."""
    return _from_words(
        g, "**Length and size**: batch_size is the number of frames; **Noise**: another seed is another clip.",
        f"Takes about twice as long as 16 pictures of this size. {FITS}")  # fmt: skip


def text_to_video_as_released_recurrent(g: Graph) -> Graph:
    """The recurrent system with the settings of its code: 10 DDIM steps, cfg 7.5, frame 0's statistics for frames 9
    and on after every step.
    """
    return _from_words(
        g, "**Match late frames**: from frame 9 on, as in the system's code; a shorter clip is left as it is.",
        f"Takes about twice as long as 16 pictures of this size in 10 steps. {FITS}",
        noise={"strategy": "independent"}, steps={"scheduler": "ddim_uniform", "steps": 10}, guidance={"cfg": 7.5},
        solver={"sampler_name": "ddim"}, matched_from=9)  # fmt: skip


def _from_words(g: Graph, hint: str, expect: str, noise: Values = _OWN, steps: Values = _OWN, guidance: Values = _OWN,
                solver: Values = _OWN, matched_from: int = 0) -> Graph:  # fmt: skip
    """A note, and core's advanced sampler; values other than the nodes' own by node."""
    g.note("**Motion adapter**: a motion of the method *Recurrent*; train one with the template *train_motion_lamp*, "
           "Train Motion LoRA set to that method, then press R to refresh the list.",
           "**Prompt**: what is to be seen, and the motion in the words of the adapter's captions.", hint,
           expect=expect)  # fmt: skip
    checkpoint, model = motion_model(g)
    prompts = prompts_of(g, checkpoint["CLIP"])
    g.group("Clip and noise")
    empty = g.add("EmptyLatentImage", "Length and size", batch_size=16)
    drawn = g.add("FSM_FrameNoise", "Noise", "randomize", **noise)
    levels = g.add("BasicScheduler", "Steps", model=model["MODEL"], **steps)
    g.group("Sample it")
    guider = g.add("CFGGuider", "Guidance", model=model["MODEL"], **prompts, **guidance)
    how = g.add("KSamplerSelect", "Solver", **solver)["SAMPLER"]
    if matched_from:
        how = g.add("FSM_MatchFirstFrame", "Match late frames", clip=how, from_frame=matched_from)["clip"]
    sampler = g.add("SamplerCustomAdvanced", "Sampler", noise=drawn["NOISE"], guider=guider["GUIDER"],
                    sampler=how, sigmas=levels["SIGMAS"], latent_image=empty["LATENT"])  # fmt: skip
    decode(g, sampler["output"], checkpoint["VAE"])
    return g


WORKFLOWS = (text_to_video_recurrent,)
