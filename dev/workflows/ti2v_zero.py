"""TI2V-Zero: animate a picture, continue a clip, fill a gap, with a motion that was never trained for it."""

from typing import Any

from ..model_files import MODULE
from ..workflow_graph import Graph, Link, Node
from .parts import FITS, keep, picture, prompts_of

_MODEL = ("**Checkpoint**, **Motion adapter**: an image model and an AnimateDiff motion module for it, or *Load "
          "ModelScope T2V* in place of both, with a CLIP and a VAE loader. **Motion's LoRA**: what came with the "
          "motion; nothing did? Bypass it with Ctrl-B.")  # fmt: skip
_COST = (
    "**Sampler**: *balanced* for a first look (20 calls of the model per new frame), *exact* for the result (50), "
    "*fast* where it is all the same (5)."
)
_EXPECT = (
    "Each call of the model takes about 1.7 times as long as a step of 16 pictures; the sampler says on itself how "
    f"many there are. {FITS}"
)


def image_to_video_ti2v_zero(g: Graph) -> Graph:
    """One's own picture moves, nothing trained for it."""
    checkpoint, known = _begin(
        g, "**First frame**: your picture; **Scale** brings it to a size the model likes.", _COST
    )
    slide(g, checkpoint, known, frames=picture(g))
    sampler = g.titled("Sampler")
    g.app((g.titled("First frame"), "image"), (g.titled("Prompt"), "text"), (sampler, "length"), (sampler, "preset"),
          result=g.titled("Save video"))  # fmt: skip
    return g


def long_video_ti2v_zero(g: Graph) -> Graph:
    """As many frames as one likes."""
    length = "**Sampler**: *length* as you like; time grows with it, memory of the sampling does not."
    checkpoint, known = _begin(g, "**First frame**: your picture.", length)
    return slide(g, checkpoint, known, frames=picture(g), length=128, preset="fast")


def predict_video_ti2v_zero(g: Graph) -> Graph:
    """A clip goes on."""
    checkpoint, known = _begin(g, "**Clip**: a video in the *input* folder; **Known frames** keeps its last 15, which "
                                  "go on.",
                               "**Sampler**: *length* counts the known frames too.")  # fmt: skip
    video = g.add("LoadVideo", "Clip")
    pictures = g.add("GetVideoComponents", "Frames", video=video["VIDEO"])
    last = g.add("ImageFromBatch", "Known frames", image=pictures["images"], batch_index=-15, length=15)
    scaled = g.add("ImageScale", "Scale", image=last["IMAGE"])
    return slide(g, checkpoint, known, frames=scaled["IMAGE"], length=31)


def infill_video_ti2v_zero(g: Graph) -> Graph:
    """A gap between two pictures is filled."""
    checkpoint, known = _begin(g, "**First picture**, **Last picture**: where the clip begins and where it ends; "
                                  "several frames are fine too. The same picture twice makes a loop.",
                               "**Sampler**: *length* counts them too. Gaps at other places: all frames into *frames*, "
                               "and a mask of those you know.")  # fmt: skip
    first = picture(g, "First picture", "Scale first picture")
    g.column()
    return slide(g, checkpoint, known, frames=first, end_frames=picture(g, "Last picture", "Scale last picture"))


def _begin(g: Graph, *notes: str) -> tuple[Node, dict[str, Link]]:
    """Note, model and prompts, and a group for what is known; the checkpoint, and what the sampler is to take."""
    g.note(_MODEL, *notes, expect=_EXPECT)
    g.group("Model and motion", below=True)
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint")
    lora = g.add("LoraLoader", "Motion's LoRA", model=checkpoint["MODEL"], clip=checkpoint["CLIP"])
    model = g.add("FSM_LoadMotionAdapter", "Motion adapter", model=lora["MODEL"], adapter=MODULE)
    known = {"model": model["MODEL"], **prompts_of(g, lora["CLIP"])}
    g.group("What is known")
    return checkpoint, known


def slide(g: Graph, checkpoint: Node, known: dict[str, Link], **inputs: Any) -> Graph:
    """Repeat-and-slide from what is known to a saved video."""
    g.group("Repeat and slide")
    sampler = g.add("FSM_RepeatAndSlideSampler", "Sampler", "randomize", **known, vae=checkpoint["VAE"], **inputs)
    keep(g, sampler["IMAGE"])
    return g


WORKFLOWS = (image_to_video_ti2v_zero, long_video_ti2v_zero, predict_video_ti2v_zero, infill_video_ti2v_zero)
