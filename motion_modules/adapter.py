"""What a motion adapter is, apart from how its file is read (adapter_file.py, released.py) and where its layers sit in
a UNet (methods.py).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .mask_predictor import MaskPredictor

TITLES = {
    "lamp": "LAMP", "animatediff": "AnimateDiff", "modelscope": "ModelScope", "recurrent": "Recurrent",
    "tune-a-video": "Tune-A-Video",
}  # fmt: skip
BaseQuery = Callable[[str, torch.Size], Tensor]  # name of a query projection, its shape -> the model's own weight


class AdapterError(ValueError):
    """A file or adapter that cannot be used, in a sentence for its user."""


@dataclass(frozen=True)
class MotionAdapter:
    """A learnt motion: its method, its tensors (`input_blocks.1.0.in_layers.2.conv1d.weight` …) and what is known of
    them.
    """

    method: str
    tensors: dict[str, Tensor] = field(repr=False)
    rank: int = 0  # 0: whole matrices
    joint_norm: bool = True  # the UNet's group norms over all frames of a clip, as in LAMP's code
    metadata: dict[str, str] = field(default_factory=dict)
    joint_own_norm: bool = False  # the group norms of its own layers over all frames
    schedule: Mapping[str, str | float] = field(
        default_factory=dict
    )  # of its training, as ComfyUI's sampling settings; empty: the model's
    mask_tensors: Mapping[str, Tensor] = field(
        default_factory=dict, repr=False
    )  # what learnt from masks; motion does without
    recurrence: str = ""  # the form of its memory, one of recurrent.FORMS; "": it has none
    queries: Mapping[str, Tensor] = field(
        default_factory=dict, repr=False
    )  # a release's tuned queries `…attn1.to_q.weight`, whole: their changes in `tensors` are of one base only
    centred: bool = False  # its convolutions over the frames look at the frame behind, too

    @property
    def from_first_frame(self) -> bool:
        """Whether it was learnt to go on from a clean first frame, as LAMP's are; what says of itself that it is of
        another kind, or learnt its first frames, was not.
        """
        return self.method == "lamp" and "kind" not in self.metadata and not self.learnt_first_frames

    @property
    def learnt_first_frames(self) -> bool:
        """Whether its first frames were learnt like all others, as LAMP's are by a setting of the training alone."""
        return self.metadata.get("first_frame") == "learnt"

    @property
    def clip_frames(self) -> int:
        """Frames of the clips it was learnt from, where it goes on from a first frame: LAMP's 16 where nothing is said
        of them. 0 for other motion.
        """
        said = self.metadata.get("frames", "")
        return (int(said) if said.isdecimal() else 16) if self.from_first_frame else 0

    @property
    def heads_for_an_end(self) -> bool:
        """Whether it was learnt with last frames given, too."""
        return self.from_first_frame and self.metadata.get("ends") == "both"

    @property
    def convolution(self) -> str:
        """Which frames its convolutions over the frames look at: causal, centred; none: it has no such layers."""
        if not any(".conv1d." in name for name in self.tensors):
            return "none"
        return "centred" if self.centred else "causal"

    @property
    def split(self) -> bool:
        """Whether its motion layers tell subject from background."""
        return any(".conv1d_background." in name for name in self.tensors)

    @property
    def mask_predictor(self) -> MaskPredictor | None:
        """The predictor that learnt on x0-hat beside the motion; one that learnt on noise has nothing to look at in a
        finished latent.
        """
        return MaskPredictor.of(self.mask_tensors) if self.metadata.get("mask_input") == "x0" else None

    @property
    def of_an_unknown_base(self) -> bool:
        """Whether it is a release saved as changes of a checkpoint nobody wrote down, as this pack once did."""
        return not self.queries and self.metadata.get("source", "").startswith("the released UNet layout")

    def relative_to(self, base_query: BaseQuery) -> "MotionAdapter":
        """The same adapter for a model with these queries: at strength 1 it has the release's, whatever they were.

        Raises what base_query raises where the model has no such query.
        """
        changes = {
            name.replace(".to_q.weight", ".to_q.delta.weight"): whole.float() - base_query(name, whole.shape)
            for name, whole in self.queries.items()
        }
        return replace(self, tensors={**self.tensors, **changes}) if changes else self

    def describe(self) -> str:
        """For people: method, extent, what learnt from masks, number of tensors, MiB."""
        size = sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values()) / 2**20
        extent = f"rank {self.rank}" if self.rank else "full"
        recurrence = f", recurrence {self.recurrence}" if self.recurrence else ""
        recurrence += " with motion convolutions" if recurrence and self.convolution != "none" else ""
        title = TITLES.get(self.method, self.method)
        kind = self.metadata.get("kind") or f"{title} motion adapter, {extent}{recurrence}"
        kind += ", centred convolutions" if self.centred else ""
        kind += ", without convolutions" if self.method == "lamp" and self.convolution == "none" else ""
        kind += ", learnt without a first frame" if self.learnt_first_frames else ""
        kind += ", learnt with last frames" if self.heads_for_an_end else ""
        kind += ", split into subject and background" if self.split else ""
        kind += f", masks: {self.metadata['mask_input']}" if "mask_input" in self.metadata else ""
        kind += ", right on the checkpoint it was saved from alone" if self.of_an_unknown_base else ""
        return f"{kind}, {len(self.tensors)} tensors, {size:.1f} MiB"


def settings_text(settings: Mapping[str, object]) -> str:
    """Training settings as they stand in the metadata."""
    return json.dumps(settings, sort_keys=True)
