"""What a run was learnt from, so that it is gone on with only from the same: settings, clips, captions, masks, models.

Contents count, not names. Captions are compared as closely as a text encoder repeats itself, all else exactly.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ...motion_modules.call import KEY

_CLOSE = 0.02  # of a caption's own size: encoders differ by a thousandth between devices and dtypes, captions by a half


def digest(tensors: Iterable[Tensor]) -> str:
    """16 digits for the values of tensors, in their order."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(f"{tuple(tensor.shape)}".encode())
        found.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """The same for a whole model: of each tensor the sum of its bits, which is read at the speed of memory."""
    found = hashlib.sha256()
    for name, value in sorted(weights.items()):
        bits = value.detach().float().contiguous().view(torch.int32).sum(dtype=torch.int64)
        found.update(f"{name} {tuple(value.shape)} {int(bits)}".encode())
    return found.hexdigest()[:16]


def captions_fingerprint(positive: list) -> list[list[float]]:
    """Per caption a few numbers that another caption would not give: its values summed along random directions."""
    return [_fingerprint(entry[0][0]) for entry in positive]


def _fingerprint(text: Tensor) -> list[float]:
    values = text.detach().float().cpu().flatten()
    directions = torch.randn(8, len(values), generator=torch.Generator().manual_seed(len(values)))
    found = directions @ values / len(values) ** 0.5
    return [float(len(values)), *(round(number, 6) for number in found.tolist())]


def model_identity(base, vae) -> dict[str, str]:
    """Of a model loaded anew, before anything is learnt on it, and its VAE."""
    stack, autoencoder = base.get_attachment(KEY), getattr(vae, "first_stage_model", None)
    adapters = [
        f"{active.strength} {active.start_percent} {active.end_percent} {weights_digest(active.module.state_dict())}"
        for active in (stack.adapters if stack else ())
        if isinstance(active.module, torch.nn.Module)
    ]
    patches = [
        f"{name} {strength} {digest(_tensors(change))}"
        for name, changes in sorted(base.patches.items())
        for strength, change, *_ in changes
    ]
    return {
        "base model": weights_digest(base.model.diffusion_model.state_dict()),
        "noise schedule": digest([base.get_model_object("model_sampling").sigmas]),
        "LoRAs and adapters in the model": _short(adapters + patches),
        "VAE": weights_digest(autoencoder.state_dict()) if autoencoder else type(vae).__qualname__,
    }


def _short(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16] if texts else "none"


def _tensors(change) -> Iterable[Tensor]:
    """All tensors of a weight patch, however it holds them."""
    if isinstance(change, Tensor):
        yield change
    elif isinstance(change, (tuple, list)):
        for part in change:
            yield from _tensors(part)
    elif hasattr(change, "weights"):  # ComfyUI's adapters: LoRA, LoHa, LoKr …
        yield from _tensors(change.weights)


def differences(kept: str, now: Mapping) -> list[str]:
    """In words, what two identities do not share; `kept` as it stands in a file."""
    was = json.loads(kept)
    return [_named(key, was.get(key), value) for key, value in now.items() if not _same(key, was.get(key), value)]


def _same(key: str, was, now) -> bool:
    if key != "captions":
        return was == now
    if not was or [len(caption) for caption in was] != [len(caption) for caption in now]:
        return False
    a, b = torch.tensor(was), torch.tensor(now)
    return bool(((a - b).norm(dim=1) <= _CLOSE * b[:, 1:].norm(dim=1)).all())


def _named(key: str, was, now) -> str:
    if key != "settings" or not isinstance(was, dict):
        return key
    changed = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
    return f"settings ({', '.join(f'{name} {was.get(name)}, now {now.get(name)}' for name in changed)})"
