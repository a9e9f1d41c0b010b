"""TI2V-Zero: animate a picture, continue a clip, fill a gap, with a motion that was never trained for it."""

from typing import Any

from ..workflow_graph import Graph, Link, Node
from .parts import keep, prompts_of

_MODEL = (
    "**Checkpoint**, **Motion adapter**: an image model and an AnimateDiff motion module for it (v3_sd15_mm), or "
    "*Load ModelScope T2V* in place of both, with a CLIP and a VAE loader. **Motion's LoRA**: what came with the "
    "motion (v3_sd15_adapter); nothing did? Bypass it with Ctrl-B."
)
_COST = (
    "**Sampler**: *balanced* for a first look (20 calls of the model per new frame), *exact* for the result (50), "
    "*fast* where it is all the same (5)."
)


def image_to_video_ti2v_zero() -> Graph:
    """A picture, animated."""
    g, checkpoint, known = _begin(
        "image_to_video_ti2v_zero",
        "**First frame**: your picture; **Scale** brings it to a size the model likes.",
        _COST,
    )
    return _slide(g, checkpoint, known, frames=_picture(g, "First frame", "Scale", 60))


def long_video_ti2v_zero() -> Graph:
    """A picture, and 127 frames behind it."""
    g, checkpoint, known = _begin("long_video_ti2v_zero", "**First frame**: your picture.",
                                  "**Sampler**: *length* as you like; time grows with it, memory of the sampling does "
                                  "not.")  # fmt: skip
    return _slide(g, checkpoint, known, frames=_picture(g, "First frame", "Scale", 60), length=128, preset="fast")


def predict_video_ti2v_zero() -> Graph:
    """A clip, continued from its last 15 frames."""
    g, checkpoint, known = _begin("predict_video_ti2v_zero", "**Clip**: a video in the *input* folder; **Known "
                                                             "frames** keeps its last 15, which go on.",
                                  "**Sampler**: *length* counts the known frames too.")  # fmt: skip
    video = g.add("LoadVideo", "Clip", (980, 60), (320, 240))
    pictures = g.add("GetVideoComponents", "Frames", (980, 360), (320, 110), video=video["VIDEO"])
    last = g.add(
        "ImageFromBatch", "Known frames", (980, 530), (320, 84), image=pictures["images"], batch_index=-15, length=15
    )
    scaled = g.add("ImageScale", "Scale", (980, 680), (320, 146), image=last["IMAGE"])
    return _slide(g, checkpoint, known, frames=scaled["IMAGE"], length=31)


def infill_video_ti2v_zero() -> Graph:
    """Two pictures, and what lies between."""
    g, checkpoint, known = _begin("infill_video_ti2v_zero", "**First picture**, **Last picture**: where the clip "
                                                            "begins and where it ends; several frames are fine too.",
                                  "**Sampler**: *length* counts them too. Gaps at other places: all frames into "
                                  "*frames*, and a mask of those you know.")  # fmt: skip
    first = _picture(g, "First picture", "Scale first picture", 60)
    return _slide(g, checkpoint, known, frames=first, end_frames=_picture(g, "Last picture", "Scale last picture", 660))


def _begin(name: str, *notes: str) -> tuple[Graph, Node, dict[str, Link]]:
    """Note, model and prompts; the checkpoint, and what the sampler is to take."""
    g = Graph(name)
    g.note((0, 30), (380, 260), _MODEL, *notes)
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint", (0, 390), (380, 102))
    lora = g.add(
        "LoraLoader", "Motion's LoRA", (0, 550), (380, 130), model=checkpoint["MODEL"], clip=checkpoint["CLIP"]
    )
    model = g.add("FSM_LoadMotionAdapter", "Motion adapter", (0, 740), (380, 134), model=lora["MODEL"])
    return g, checkpoint, {"model": model["MODEL"], **prompts_of(g, 480, 60, lora["CLIP"])}


def _picture(g: Graph, title: str, scale: str, y: int) -> Link:
    picture = g.add("LoadImage", title, (980, y), (320, 322))
    return g.add("ImageScale", scale, (980, y + 390), (320, 146), image=picture["IMAGE"])["IMAGE"]


def _slide(g: Graph, checkpoint: Node, known: dict[str, Link], **inputs: Any) -> Graph:
    sampler = g.add(
        "FSM_RepeatAndSlideSampler",
        "Sampler",
        (1400, 60),
        (360, 540),
        "randomize",
        **known,
        vae=checkpoint["VAE"],
        **inputs,
    )
    keep(g, 1860, 60, sampler["IMAGE"])
    height = 1260 if "end_frames" in inputs else 960
    g.group("Model and motion", -20, 310, 420, height - 330)
    for title, x, width in (
        ("Prompt", 460, 440),
        ("What is known", 960, 360),
        ("Repeat and slide", 1380, 400),
        ("Video", 1840, 360),
    ):
        g.group(title, x, -20, width, height)
    return g


WORKFLOWS = (image_to_video_ti2v_zero, long_video_ti2v_zero, predict_video_ti2v_zero, infill_video_ti2v_zero)
