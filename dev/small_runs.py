"""The shipped workflows in the smallest form that a server with the miniature runs, each with a node in it that can
throw inside the UNet and one that tells what came out (witness.py): for running many of them.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from . import base, prompt, samples, workflows
from .client import Client, Prompt
from .interpreter import ROOT

_PRIOR, _MOTION = "miniature_motion.safetensors", "moves right"
_SIDE, _FRAMES, _CLIPS = 64, 4, 2
SMALL: dict[str, dict[str, Any]] = {
    "EmptyLatentImage": {"width": _SIDE, "height": _SIDE},
    "ImageScale": {"width": _SIDE, "height": _SIDE},
    "KSampler": {"steps": 2},
    "KSamplerAdvanced": {"steps": 2},
    "BasicScheduler": {"steps": 2},
    "FSM_DDIMInversion": {"steps": 2},
    "FSM_FirstFrameKSampler": {"steps": 2, "length": _FRAMES},
    "FSM_RepeatAndSlideSampler": {"length": 5, "window": _FRAMES, "preset": "custom", "steps": 2, "resample": 2},
    "FSM_TrainMotionLoRA": {"width": _SIDE, "height": _SIDE, "frames": _FRAMES, "steps": 3, "rank": 2,
                            "save_every": 2, "sample_every": 0, "precision": "auto"},
    "ImageFromBatch": {"length": _FRAMES},
    "RepeatImageBatch": {"amount": _FRAMES},
}  # fmt: skip


class Small(NamedTuple):
    """One workflow in small: the node it begins at, what is looked at, each by title, and values by title."""

    workflow: str
    begins: str
    shown: tuple[tuple[str, int], ...]  # a node's title and the number of its output
    values: dict[str, dict[str, Any]] = {}


_FRAMES_MADE = (("Decode", 0),)
RUNS = {
    "LAMP": Small("animate_image_lamp", "Checkpoint", _FRAMES_MADE),
    "motion module": Small("text_to_video_recurrent", "Checkpoint", _FRAMES_MADE,
                           {"Motion adapter": {"adapter": _PRIOR}, "Length and size": {"batch_size": _FRAMES}}),
    "recurrent": Small("text_to_video_recurrent", "Checkpoint", _FRAMES_MADE,
                       {"Length and size": {"batch_size": _FRAMES}}),
    "Repeat-and-Slide": Small("image_to_video_ti2v_zero", "Checkpoint", (("Sampler", 1),)),
    "Text2Video-Zero": Small("text_to_video_zero", "Checkpoint", _FRAMES_MADE,
                             {"Size": {"batch_size": _FRAMES}, "Sampler": {"steps": 4}}),
    "training": Small("train_motion_lamp", "Checkpoint", (("Train", 0),)),
    "training with masks": Small("train_motion_masks", "Checkpoint", (("Train", 0),), {"Train": {"sample_every": 3}}),
    "training on one clip": Small("edit_video_tune_a_video", "Checkpoint", (("Train", 0), ("Decode", 0)),
                                  {"Train": {"steps": 2}}),
    "masks": Small("animate_over_background", "Checkpoint", (("Lay over", 0),)),
    "metrics": Small("measure_clip", "Videos", (("CLIP", 4), ("Flicker", 3), ("First frame", 2))),
}  # fmt: skip


class Told(NamedTuple):
    """What a run gave: the digits of all that is looked at, whether it is all numbers, calls of the UNet's blocks."""

    digits: tuple[str, ...]
    finite: bool
    calls: int


def prepare(folder: Path) -> None:
    """A base directory with pack, miniature, two tiny clips with masks, pictures, and the two nodes."""
    base.prepare(folder)
    sys.path.append(str(base.MINIATURE))
    import clips  # of the miniature, needs .venv

    places = folder / "input" / "my_clips", folder / "input" / "my_masks"
    clips.write_training_set(places[0], _MOTION, count=_CLIPS, frames=_FRAMES + 2, masks=places[1])
    samples.fill(folder / "input")
    base.link(ROOT / "dev" / "witness.py", folder / "custom_nodes" / "witness.py")


def prompt_of(name: str, number: int, error: str = "nothing", at: int = 0) -> Prompt:
    """A run of RUNS by its name; `number`: another makes core run it anew; `error` is thrown at call `at` of a block of
    the UNet.
    """
    small = RUNS[name]
    made = workflows.graph(small.workflow, small=True).api_form()
    for node in made.values():
        values = SMALL.get(node["class_type"], {})
        node["inputs"].update({key: value for key, value in values.items() if key in node["inputs"]})
    for title, values in small.values.items():
        prompt.set_inputs(made, title, **values)
    begins = prompt.titled(made, small.begins)
    for node in made.values():
        for key, value in node["inputs"].items():
            if value == [begins, 0]:
                node["inputs"][key] = ["thrower", 0]
    made["thrower"] = {"class_type": "Thrower", "inputs": {"value": [begins, 0], "number": number, "error": error,
                                                           "at": at}}  # fmt: skip
    for i, (title, output) in enumerate(small.shown):
        made[f"witness {i}"] = {"class_type": "Witness", "inputs": {"value": [prompt.titled(made, title), output]}}
    return made


def told(outputs: dict[str, Any]) -> Told:
    """What the witnesses of a finished prompt say."""
    said = [json.loads(outputs[key]["text"][0]) for key in sorted(outputs) if key.startswith("witness")]
    return Told(tuple(one["digest"] for one in said), all(one["finite"] for one in said),
                max((one["calls"] for one in said), default=0))  # fmt: skip


def run(client: Client, name: str, number: int, error: str = "nothing", at: int = 0) -> Told:
    """Run it to its end, `error` thrown at call `at` of a block of the UNet; raises what Client.run does."""
    return told(client.run(prompt_of(name, number, error, at)))


def census(client: Client, number: int) -> tuple[float, int]:
    """MiB the server takes with nothing to do, and its live tensors; core's list of what was run is cleared before."""
    client.post_json("history", {"clear": True})
    outputs = client.run({"census": {"class_type": "Census", "inputs": {"number": number}}})
    said = json.loads(outputs["census"]["text"][0])
    return said["memory"] / 2**20, said["tensors"]


def image(client: Client, number: int) -> Told:
    """A plain image of core's alone, made anew."""
    steps = {"seed": 4, "steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    text = {f"text {i}": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["checkpoint", 1], "text": words}}
            for i, words in enumerate(("a blue ring on sand", ""))}  # fmt: skip
    made = {
        "checkpoint": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": base.WEIGHTS.name}},
        "thrower": {"class_type": "Thrower", "inputs": {"value": ["checkpoint", 0], "number": number,
                                                        "error": "nothing", "at": 0}},
        **text,
        "size": {"class_type": "EmptyLatentImage", "inputs": {"width": _SIDE, "height": _SIDE, "batch_size": 1}},
        "sampler": {"class_type": "KSampler", "inputs": {
            "model": ["thrower", 0], "positive": ["text 0", 0], "negative": ["text 1", 0],
            "latent_image": ["size", 0], **steps}},
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sampler", 0], "vae": ["checkpoint", 2]}},
        "witness": {"class_type": "Witness", "inputs": {"value": ["decode", 0]}},
    }  # fmt: skip
    return told(client.run(made))
