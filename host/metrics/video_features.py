"""Features of many videos: each is decoded, seen by I3D and let go; what stays is 400 numbers a video, which a file can
keep.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import comfy.model_management
import comfy.model_patcher
import folder_paths
import torch
from safetensors import SafetensorError
from torch import Tensor

from ...metrics.i3d import FEATURES, I3D, is_standard, load_i3d
from ...metrics.i3d_input import CHOICES, CROPS, HALF_PIXEL, RESIZES, View, to_input
from ...motion_modules.adapter import AdapterError
from ...motion_modules.weights import check_numbers, open_safetensors
from ...motion_modules.writing import tensors_to, write_whole
from ..files import folders
from ..files.weights_file import fingerprint, model_file, read_tensors, stamp
from .inputs import Progress, Videos

NETWORKS = "i3d"  # folder in models
_ENDING = ".safetensors"


@dataclass(frozen=True)
class FeatureSet:
    """Features n 400 of a set of videos, the group of each (or none), and how they came about."""

    features: Tensor
    groups: list[str]
    network: str
    view: View
    description: str


@dataclass(frozen=True)
class Network:
    """I3D as ComfyUI's memory management holds it, the sha256 of its file, and both in words for the report."""

    patcher: comfy.model_patcher.ModelPatcher
    fingerprint: str
    description: str


def register() -> None:
    """Let ComfyUI know models/i3d; nodes list what lies there."""
    folders.add(NETWORKS, Path(folder_paths.models_dir) / NETWORKS)


def networks() -> list[str]:
    """Files in models/i3d, as the node lists them."""
    return folder_paths.get_filename_list(NETWORKS)


def load_network(name: str) -> Network:
    """Raises ValueError where there is no such file, or it is something else."""
    file = model_file(name, NETWORKS, what="I3D's weights")
    tensors = read_tensors(file)
    model = load_i3d(tensors, file.name)
    check_numbers(file.name, {key: value for key, value in tensors.items() if not key.endswith("num_batches_tracked")})
    device = comfy.model_management.get_torch_device()
    patcher = comfy.model_patcher.CoreModelPatcher(model, device, comfy.model_management.unet_offload_device())
    known = (
        "the standard weights of published distances"
        if is_standard(model)
        else "OTHER weights than those of published distances"
    )
    mark = fingerprint(file)
    return Network(patcher, mark, f"network: I3D, {file.name}, sha256 {mark}, {known}, fp32")


def features_of(clips: Videos, groups: list[str], network: Network, view: View, progress: Progress) -> FeatureSet:
    """Raises ValueError where the groups are not one per video."""
    if groups and len(groups) != len(clips):
        raise ValueError(
            f"There are {len(clips)} {clips.what} and {len(groups)} groups: give every video one, or connect none."
        )
    comfy.model_management.load_model_gpu(network.patcher)
    model, device = network.patcher.model, network.patcher.load_device
    found = []
    with _full_precision():
        for video in clips:
            found.append(_see(model, video, view, device))
            progress.tick()
    return FeatureSet(torch.cat(found), groups, network.fingerprint, view, clips.describe())


@torch.inference_mode()
def _see(model: I3D, video: Tensor, view: View, device: torch.device) -> Tensor:
    return model(to_input(video.to(device), view)).float().cpu()


class _full_precision:  # noqa: N801 - reads like torch's own context managers
    """Without TF32, whose rounding is seen in the distances."""

    def __enter__(self):
        self.before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = False

    def __exit__(self, *_):
        torch.backends.cudnn.allow_tf32 = self.before


# ---------------------------------------------------------------------------------------------------- files


def _folder() -> Path:
    return Path(folder_paths.get_output_directory()) / "video_features"


def kept_names() -> list[str]:
    """Features kept by earlier runs, as the node lists them: paths under output/video_features, no ending."""
    return sorted(
        file.relative_to(_folder()).as_posix().removesuffix(_ENDING) for file in _folder().rglob(f"*{_ENDING}")
    )


def _file(name: str) -> Path:
    return folders.file_in(_folder(), name, _ENDING, "features")


def keep(name: str, found: FeatureSet) -> None:
    """Write output/video_features/<name>.safetensors; it takes its name when it is whole."""
    metadata = {
        "network": found.network,
        **{name: str(value) for name, value in asdict(found.view).items()},
        "groups": json.dumps(found.groups),
        "description": found.description,
    }
    write_whole(_file(name), tensors_to({"features": found.features}, metadata))


def stamps(network: str, name: str) -> str:
    """Changes when the network's file or the kept features do."""
    path = folder_paths.get_full_path(NETWORKS, network)
    return f"{stamp(Path(path) if path else None)} {stamp(_file(name))}"


def restore(name: str, network: Network, view: View) -> FeatureSet:
    """Raises ValueError where the file was made by another network, of another view, or is none of ours."""
    file = _file(name)
    if not file.exists():
        raise AdapterError(f"There are no features {name!r} in output/video_features: choose others, or make them.")
    with open_safetensors(file) as content:
        try:
            metadata, features = content.metadata(), content.get_tensor("features")
            groups = json.loads(metadata["groups"])
            found = FeatureSet(features, groups, metadata["network"], _view(metadata), metadata["description"])
            good = (
                features.ndim == 2
                and len(features) > 0
                and features.shape[1] == FEATURES
                and features.dtype == torch.float32
            )
            good = good and found.view.resize in RESIZES and found.view.choice in CHOICES and found.view.crop in CROPS
            good = good and isinstance(groups, list) and len(groups) in (0, len(features))
            good = good and all(isinstance(group, str) for group in groups) and bool(torch.isfinite(features).all())
        except (SafetensorError, LookupError, TypeError, ValueError, RecursionError):
            good = False
    if not good:
        raise AdapterError(
            f"{file.name} in output/video_features holds no features of this node: choose another, or make it anew."
        )
    if found.network != network.fingerprint or found.view != view:
        raise ValueError(
            f"The features kept as {name} are of {found.view}, by network {found.network[:16]}; asked for are {view}, "
            f"by {network.fingerprint}: make them anew."
        )
    return found


def _view(metadata: dict[str, str]) -> View:
    """Files of before there was a choice say the number of frames only: their resize had half-pixel centres."""
    others = {name: metadata[name] for name in ("choice", "crop") if name in metadata}
    return View(int(metadata["frames"]), metadata.get("resize", HALF_PIXEL), **others)
