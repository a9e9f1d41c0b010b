"""Nodes for a server under test, as a package of its own: linked in by small_runs.py, never imported.

One throws inside the UNet at a call of a block, one tells what came out: its digits, and whether they are numbers; the
third counts what is alive.
"""

import ctypes
import gc
import hashlib
import json
import sys

import comfy.ldm.modules.attention as attention
import psutil
import torch

SAYS = "thrown inside the UNet"
ERRORS = {"nothing": None, "exception": RuntimeError, "out of memory": torch.OutOfMemoryError}
_armed = {"calls": 0, "at": 0, "error": None}  # calls of a block since the last Thrower; which of them throws what
_forward = attention.BasicTransformerBlock.forward


def _counted(self, *arguments, **named):
    _armed["calls"] += 1
    if _armed["calls"] == _armed["at"] and _armed["error"] is not None:
        raise _armed["error"](SAYS)
    return _forward(self, *arguments, **named)


attention.BasicTransformerBlock.forward = _counted


class Thrower:
    """Gives on what it gets; `number` makes core run all behind it anew."""

    CATEGORY, FUNCTION, RETURN_TYPES = "few-shot test", "arm", ("*",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - core's name
        return {"required": {"value": ("*",), "number": ("INT", {"default": 0}), "error": (list(ERRORS),),
                             "at": ("INT", {"default": 0})}}  # fmt: skip

    def arm(self, value, number, error, at):
        """Throw at call number `at` from here."""
        _armed.update(calls=0, at=at, error=ERRORS[error])
        return (value,)


class Witness:
    """Says of a value: SHA-256 of all in it, whether every number is finite, how many calls of a block there were."""

    CATEGORY, FUNCTION, RETURN_TYPES, OUTPUT_NODE, INPUT_IS_LIST = "few-shot test", "tell", (), True, True

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - core's name
        return {"required": {"value": ("*",)}}

    def tell(self, value):
        """As JSON, in the node's `ui`."""
        digest, finite = hashlib.sha256(), [True]
        _read(value, digest, finite)
        said = {"digest": digest.hexdigest(), "finite": finite[0], "calls": _armed["calls"]}
        return {"ui": {"text": [json.dumps(said)]}}


def _read(value, digest, finite: list[bool]) -> None:
    if isinstance(value, torch.Tensor):
        finite[0] &= bool(torch.isfinite(value).all()) and value.numel() > 0
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(value, dict):
        for key in sorted(value):
            _read(value[key], digest, finite)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _read(part, digest, finite)
    elif hasattr(value, "mask_tensors"):  # a MotionAdapter
        _read([value.tensors, value.mask_tensors], digest, finite)
    else:
        digest.update(str(value).encode())


class Census:
    """Says how much memory is in use once what is free was given back to the system, and how many tensors are alive."""

    CATEGORY, FUNCTION, RETURN_TYPES, OUTPUT_NODE = "few-shot test", "tell", (), True

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802 - core's name
        return {"required": {"number": ("INT", {"default": 0})}}

    def tell(self, number):
        """As JSON, in the node's `ui`: bytes, count."""
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
        tensors = sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())
        said = {"memory": psutil.Process().memory_info().rss, "tensors": tensors}
        return {"ui": {"text": [json.dumps(said)]}}


NODE_CLASS_MAPPINGS = {"Thrower": Thrower, "Witness": Witness, "Census": Census}
