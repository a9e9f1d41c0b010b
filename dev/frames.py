"""Frames that a server has saved, as arrays."""

import io

import numpy as np
from PIL import Image

from . import prompt as workflows
from .client import Client, Prompt


def fetched(client: Client, files: list[dict[str, str]]) -> np.ndarray:
    """The pictures of one SaveImage or PreviewImage, as its output names them, uint8 (f, h, w, 3)."""
    return np.stack([np.array(Image.open(io.BytesIO(client.download(file)))) for file in files])


def of_saved_video(client: Client, prompt: Prompt) -> np.ndarray:
    """Run a workflow; the frames its node "Save video" saves, uint8 (f, h, w, 3)."""
    saver = workflows.add_frame_saver(prompt, "Save video", "frames")
    return fetched(client, client.run(prompt)[saver]["images"])
