"""What a server makes of four shipped workflows and of a plain image, with the miniature: one hash each."""

import hashlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from .. import base, frames, prompt
from ..client import Client, Prompt

sys.path.append(str(base.MINIATURE))
import clips  # noqa: E402
import world  # noqa: E402

CHECKPOINT = base.WEIGHTS.name
MOTION, SIDE, LENGTH = "moves right", 128, 8
SCENE = world.Scene("red", "ball", "grass")
CLIPS = "compat clips"
IMAGE, AFTERWARDS = "image of core alone", "the image again"


def image(client: Client, number: int) -> str:
    """A plain image of the checkpoint; `number` makes core sample it anew, not what it samples."""
    graph = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a blue ring on sand"}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": ""}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": SIDE, "height": SIDE, "batch_size": 1}},
        "5": {"class_type": "KSampler",
              "inputs": {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0],
                         "seed": 4, "steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "normal",
                         "denoise": 1 - 1e-6 * number}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "still"}},
    }  # fmt: skip
    return _hash(frames.fetched(client, client.run(graph)["7"]["images"]))


def _train(client: Client, folder: Path) -> str:
    """An adapter after a few steps: its tensors, not its metadata."""
    graph = prompt.load("train_motion_lamp")
    prompt.set_inputs(graph, "Checkpoint", ckpt_name=CHECKPOINT)
    prompt.set_inputs(graph, "Clips", folder=CLIPS)
    prompt.set_inputs(graph, "Train", frames=LENGTH, width=0, height=0, rank=4, steps=5, name="compat")
    prompt.set_inputs(graph, "Save adapter", filename_prefix="compat")
    client.run(graph)
    tensors = load_file(_adapter(folder))
    return _hash(*(tensors[name] for name in sorted(tensors)))


def _animate(client: Client, folder: Path) -> str:
    """The first frame, moved by the adapter that was trained before."""
    graph = _with_first_frame("animate_image_lamp")
    prompt.set_inputs(graph, "Motion adapter", adapter=_adapter(folder).name)
    prompt.set_inputs(graph, "Sampler", length=LENGTH, steps=3, seed=3)
    return _hash(frames.of_saved_video(client, graph))


def _move_by_prior(client: Client, folder: Path) -> str:
    """The first frame, moved by the miniature's own motion module."""
    graph = _with_first_frame("image_to_video_ti2v_zero")
    prompt.set_inputs(graph, "Motion's LoRA", lora_name="miniature_words.safetensors")
    prompt.set_inputs(graph, "Motion adapter", adapter="miniature_motion.safetensors")
    prompt.set_inputs(graph, "Sampler", length=LENGTH, preset="fast", window=4, cfg=2.0, seed=3)
    return _hash(frames.of_saved_video(client, graph))


def _move_by_warping(client: Client, folder: Path) -> str:
    """A picture of the checkpoint's own, moved without any layers."""
    graph = prompt.load("text_to_video_zero")
    prompt.set_inputs(graph, "Checkpoint", ckpt_name=CHECKPOINT)
    prompt.set_inputs(graph, "Prompt", text="a blue box on sand")
    prompt.set_inputs(graph, "Size", width=SIDE, height=SIDE, batch_size=4)
    prompt.set_inputs(graph, "Sampler", seed=3, steps=10, cfg=3.0)
    return _hash(frames.of_saved_video(client, graph))


_RUNS = {
    "train_motion_lamp": _train,
    "animate_image_lamp": _animate,
    "image_to_video_ti2v_zero": _move_by_prior,
    "text_to_video_zero": _move_by_warping,
}
WORKFLOWS = tuple(_RUNS)


def made(client: Client, folder: Path, workflows: Sequence[str] = WORKFLOWS) -> dict[str, str]:
    """Runs workflows on a server over the base directory `folder`; the first digits of each result's SHA-256.

    The image is made before and after them: under both names it must be the same.
    """
    clips.write_training_set(folder / "input" / CLIPS, MOTION, count=3, frames=LENGTH)
    client.upload("first.png", _png(world.draw(SCENE, world.State(4.0, 8.0))))
    hashes = {IMAGE: image(client, 1)}
    for name in workflows:
        hashes[name] = _RUNS[name](client, folder)
    hashes[AFTERWARDS] = image(client, 2)
    return hashes


def _adapter(folder: Path) -> Path:
    return max((folder / "output" / "motion_adapters").glob("compat_?????_.safetensors"))


def _with_first_frame(name: str) -> Prompt:
    graph = prompt.load(name)
    prompt.set_inputs(graph, "Checkpoint", ckpt_name=CHECKPOINT)
    prompt.set_inputs(graph, "First frame", image="first.png")
    prompt.set_inputs(graph, "Scale", width=SIDE, height=SIDE)
    prompt.set_inputs(graph, "Prompt", text=SCENE.caption(MOTION))
    return graph


def _png(picture: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    return content.getvalue()


def _hash(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:12]
