"""Frames that a server has saved, as arrays."""

import io

import numpy as np
from PIL import Image

from .client import Client


def fetched(client: Client, files: list[dict[str, str]]) -> np.ndarray:
    """The pictures of one SaveImage or PreviewImage, as its output names them, uint8 (f, h, w, 3)."""
    return np.stack([np.array(Image.open(io.BytesIO(client.download(file)))) for file in files])
