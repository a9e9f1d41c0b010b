"""Files of every kind this pack reads, small and random, each with the reader that everything of it goes through.
Imported where ComfyUI and the pack are in the process (inside.py).
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import folder_paths
import numpy
import torch
from comfy_api.latest import InputImpl
from few_shot_motion.host.files import table_file
from few_shot_motion.host.files.resume_file import check_run
from few_shot_motion.host.metrics import clip_file, video_features
from few_shot_motion.host.metrics.inputs import Videos
from few_shot_motion.metrics.i3d import FEATURES, I3D, load_i3d
from few_shot_motion.metrics.i3d_input import ORIGINAL, View
from few_shot_motion.motion_modules import adapter_file, methods
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.animatediff import TemporalTransformer
from few_shot_motion.motion_modules.animatediff_lora import pairs
from few_shot_motion.motion_modules.mask_predictor import PREDICTOR, MaskPredictor
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.motion_modules.sites import Site
from few_shot_motion.motion_modules.weights import check_numbers, read_weights
from few_shot_motion.training.loop import Run, new_run

SITES = [Site("input_blocks.1.0.in_layers.2", 32, is_block=False),
         Site("input_blocks.1.1.transformer_blocks.0", 32, is_block=True)]  # fmt: skip
_BLOCK, _ROW = "mid_block.attentions.0.transformer_blocks.0", "middle_block.1.transformer_blocks.0"


class Kind(NamedTuple):
    """One kind of file: its name in the folder, its content, and the reader that everything of it goes through."""

    name: str
    content: Any  # (tensors, metadata), or bytes
    read: Callable[[Path], Any]


def kinds(folder: Path) -> dict[str, Kind]:
    """Every kind; `folder` becomes ComfyUI's output folder, and the one it looks for CLIP and I3D in."""
    folder_paths.set_output_directory(str(folder))
    for name in ("clip_vision", video_features.NETWORKS):
        folder_paths.folder_names_and_paths[name] = ([str(folder)], {".safetensors", ".pt"})
    for name in ("metrics", "video_features"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    learnt = {f"{PREDICTOR}{name}": value for name, value in MaskPredictor(hidden=8).state_dict().items()}
    layers = dict(MotionModule(SITES, 2, split=True).state_dict())
    lamp = MotionAdapter("lamp", layers, 2, metadata={"mask_input": "x0"}, mask_tensors=learnt)
    memory = MotionModule(SITES[1:], tuned=("attn1", "attn2"), recurrence="fixed")
    layer = TemporalTransformer(32).state_dict()
    module = {f"{block}.motion_modules.0.temporal_transformer.{name}": value
              for block in ("down_blocks.0", "up_blocks.0") for name, value in layer.items()}  # fmt: skip
    query = "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0"
    lora = {f"{query}.processor.to_q_lora.{part}.weight": torch.randn(shape)
            for part, shape in (("down", (2, 32)), ("up", (32, 2)))}  # fmt: skip
    tuned = MotionModule([Site(_ROW, 32, is_block=True)], tuned=("attn1", "attn2")).state_dict()
    release = {name.replace(_ROW, _BLOCK).replace(".delta.", "."): torch.randn(value.shape)
               for name, value in tuned.items()}  # fmt: skip
    run = new_run({"a": torch.nn.Parameter(torch.randn(3, 4)), "b": torch.nn.Parameter(torch.randn(2))}, 1e-3)
    sum(value.sum() for value in run.parameters.values()).backward()
    run.optimizer.step()
    run.losses.append(1.0)
    features = {"network": "n", "frames": "9", "groups": "[]", "description": "d", "resize": ORIGINAL}
    entry = {"title": "t", "numbers": {"a": 1.5, "b": None}, "how": ["h"], "videos": "1", "per frame": {}}
    return {
        "adapter": Kind("a.safetensors", _own(lamp), _use),
        "adapter with a memory": Kind("a.safetensors", _own(MotionAdapter(
            "recurrent", dict(memory.state_dict()), recurrence="fixed")), _use),
        "motion module": Kind("a.safetensors", (module, {}), _use),
        "motion module, pickled": Kind("a.ckpt", (module, {}), _use),
        "motion LoRA": Kind("a.safetensors", (lora, {}), _use),
        "release": Kind("diffusion_pytorch_model.bin", (release, {}), lambda file: _use(file.parent)),
        "resume": Kind("a.resume.safetensors", (run.state(), {"settings": "{}"}),
                       lambda file: _go_on(file, run)),
        "CLIP": Kind("clip.safetensors", (_clip(), {}), lambda file: clip_file.from_file(file.name)),
        "I3D": Kind("i3d.pt", (I3D().half().state_dict(), {}), _i3d),
        "features": Kind("video_features/f.safetensors", ({"features": torch.randn(4, FEATURES)}, features),
                         lambda file: video_features.restore("f", video_features.Network(None, "n", ""), View(9))),
        "table": Kind("metrics/t.json", json.dumps([entry, entry]).encode(), lambda file: table_file.add("t", entry)),
        "lines of a table": Kind("metrics/t.csv", b"a,b,videos,how\n1.5,nan,1,h\n1.5,nan,1,h\n",
                                 lambda file: _lines(file, entry)),
        "video": Kind("v.mp4", _video(), lambda file: list(Videos([InputImpl.VideoFromFile(str(file))]))),
    }  # fmt: skip


def _own(adapter: MotionAdapter) -> tuple[dict, dict]:
    metadata = {**adapter.metadata, "few_shot_motion": adapter_file.FORMAT, "method": adapter.method,
                "rank": str(adapter.rank), "recurrence": adapter.recurrence, "group_norm": "joint",
                "own_group_norm": "joint", "noise_schedule": "{}"}  # fmt: skip
    return {**adapter.tensors, **adapter.mask_tensors}, metadata


def _use(file: Path) -> None:
    """All that a loader does with an adapter until the model runs."""
    adapter = load_adapter(file, lambda name, shape: torch.zeros(shape))
    adapter.describe()
    if adapter.method == methods.MOTION_LORA:
        weights = TemporalTransformer(32).state_dict()
        pairs(adapter, {f"input_blocks.1.temporal_transformer.{name}": value.shape for name, value in weights.items()})
        return
    sites = [site for site in SITES if site.is_block or adapter.method not in ("recurrent", "tune-a-video")]
    if adapter.method == "animatediff":
        sites = [Site(row, 32, is_block=False) for row in ("input_blocks.1", "output_blocks.0")]
    if adapter.method == "tune-a-video":
        sites = [Site(_ROW, 32, is_block=True)]
    methods.check_fits(adapter, sites, "a UNet")
    methods.place(adapter, sites, torch.float32)


def _go_on(file: Path, run: Run) -> None:
    tensors = read_weights(file).tensors
    check_run(file.name, tensors, run.parameters)
    run.restore(tensors)


def _i3d(file: Path) -> None:
    tensors = read_weights(file).tensors
    load_i3d(tensors, file.name)
    check_numbers(file.name, {name: value for name, value in tensors.items() if "num_batches" not in name})


def _lines(file: Path, entry: dict) -> None:
    file.with_suffix(".json").write_text(json.dumps([entry, entry]), encoding="utf-8")
    table_file.add("t", entry)


def _clip() -> dict[str, torch.Tensor]:
    shared = {"num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8, "hidden_act": "gelu"}
    vision = {**shared, "hidden_size": 64, "num_channels": 3, "patch_size": 4, "image_size": 8, "projection_dim": 4,
              "model_type": "clip_vision_model"}  # fmt: skip
    text = {**shared, "hidden_size": 64, "max_position_embeddings": clip_file.TOKENS, "eos_token_id": 49407}
    towers = clip_file._Towers(vision, text, torch.device("cpu"))
    return {name.split(".", 1)[1]: torch.randn(value.shape).half() for name, value in towers.state_dict().items()}


def _video() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for i in range(9):
            frame = av.VideoFrame.from_ndarray(numpy.full((32, 32, 3), 20 * i, numpy.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()
