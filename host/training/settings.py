"""What decides the outcome of a training, as its nodes give it."""

from dataclasses import dataclass

import torch

from ...motion_modules.recurrent import FORMS
from ...training.schedule import RATES

METHODS = {"LAMP": "lamp", "Recurrent": "recurrent", "Tune-A-Video": "tune-a-video"}
PRECISIONS = {"auto": None, "fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
# what older runs lack
LATER = {"convolution": "causal", "both_ends": False, "first_frame": "given", "shift": 0, "focus": 0.0}
CONVOLUTIONS = ("causal", "centred", "none")
FIRST_FRAMES = ("given", "learnt")
LOSS_WEIGHTINGS = {"uniform": 0.0, "balanced": 0.5, "v": 1.0}  # power of 1 + sigma^2 where a model predicts noise


@dataclass(frozen=True)
class Settings:
    """What decides the outcome of a run beside its inputs; it is kept in the adapter's metadata."""

    method: str
    frames: int
    steps: int
    learning_rate: float
    rank: int
    seed: int
    width: int
    height: int
    batch_size: int
    query_rate: float
    frame_step: int
    flip: bool
    group_norm: str
    precision: str
    gradient_checkpointing: bool
    weighting: str
    lr_schedule: str = next(iter(RATES))
    recurrence: str = next(iter(FORMS))
    motion_convolutions: bool = False
    fps: float = 0.0  # 0: the clips' own
    convolution: str = "causal"  # over the frames; one of CONVOLUTIONS
    both_ends: bool = False  # LAMP: in every other step, by chance, the last frame is given like the first
    first_frame: str = "given"  # to LAMP, clean in every step, or learnt like the others; one of FIRST_FRAMES
    shift: int = 0  # px that every step moves its clips by at most, to either side
    focus: float = 0.0  # 0 to 1: the share of the loss that goes by how much a position changes

    @property
    def from_first_frame(self) -> bool:
        """Whether the motion learns to go on from a clean first frame."""
        return self.method == "LAMP" and self.first_frame == "given"

    @property
    def convolves(self) -> bool:
        """Whether it has convolutions over the frames; without them attention alone learns."""
        has = self.method == "LAMP" or self.method == "Recurrent" and self.motion_convolutions
        return has and self.convolution != "none"

    @property
    def centred(self) -> bool:
        """Whether convolutions look at the frame behind, too: only they tell a frame that the end is near."""
        return self.method != "Tune-A-Video" and (self.both_ends or self.convolution == "centred")
