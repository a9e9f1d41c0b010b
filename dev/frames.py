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


def png(picture: np.ndarray) -> bytes:
    """A picture uint8 (h, w, 3) as the content of a file."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    return content.getvalue()


def resized(clip: np.ndarray, side: int) -> np.ndarray:
    """A square clip in the size of the miniature's world, where it can be measured; untouched if it has that size."""
    return np.stack([np.array(Image.fromarray(picture).resize((side, side), Image.Resampling.BOX)) for picture in clip])
