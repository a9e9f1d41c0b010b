"""The motions on a GPU, in half precision and at the size people animate: seconds of a call, what its kernels take by
themselves, the card's peak, a whole sampling, training steps; prints JSON lines. docs/performance.md says how it is
started.
"""

import argparse
import gc
import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterator

import comfy.model_management
import comfy.sample
import torch
from few_shot_motion.nodes.sampling import FirstFrameKSampler

from .call import fused_attention, loaded, prepared
from .case import TRAINING, parser, seconds_of, training
from .cases import DIFFUSERS
from .peer import call_of, network
from .real_widths import MOTIONS, PLAIN, image_model, lay_over, moving, row_of_numbers

FRAMES, SMALL, NATIVE = 16, (40, 64), (128, 128)
HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}
STEPS, CFG, ANIMATING = 50, 12.5, ("LAMP", "LAMP rank 32", "AnimateDiff v2")
LEARNT = ("LAMP rank 32", "LAMP", "Recurrent rank 32", "Tune-A-Video rank 32")
_SHOWN = 12  # kinds of kernels


def main() -> None:
    """Time everything that `--only` names, or everything."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    options.add_argument("--repeats", type=int, default=7)
    chosen = options.parse_args()
    torch.manual_seed(0)
    for part in chosen.only:
        for found in PARTS[part](chosen.repeats):
            print(json.dumps({"part": part, "card": torch.cuda.get_device_name(), **found}), flush=True)


@torch.inference_mode()
def _calls(repeats: int) -> Iterator[dict]:
    """One call of the UNet with each motion, one clip and two, in both half precisions."""
    for name, dtype in HALVES.items():
        for family in ("SD 1.5", "ModelScope"):
            image = image_model(family, dtype)
            for motion in (PLAIN, *MOTIONS[family]):
                moved = moving(image, motion)
                for clips in (1, 2):
                    call = loaded(moved, family, clips, FRAMES, SMALL)
                    yield {"family": family, "motion": motion, "precision": name, "clips": clips, "size": SMALL,
                           **_timed(call, repeats), **(_kernels(call) if name == "fp16" else {})}  # fmt: skip
            comfy.model_management.unload_all_models()


@torch.inference_mode()
def _large(repeats: int) -> Iterator[dict]:
    """SDXL at its own size; all its weights are parts of one row of numbers, so no peak is said of it."""
    row = row_of_numbers(comfy.model_management.get_torch_device(), torch.float16)
    for motion in (PLAIN, *MOTIONS["SDXL"]):
        moved = moving(image_model("SDXL", torch.float16, "meta"), motion)
        for model in (moved, *moved.get_additional_models()):
            lay_over(model.model, row)
            model.load_device = model.offload_device = row.device
        call = prepared(moved, "SDXL", 1, FRAMES, NATIVE)
        yield {"family": "SDXL", "motion": motion, "precision": "fp16", "clips": 1, "size": NATIVE,
               "seconds": _timed(call, repeats)["seconds"], **_kernels(call)}  # fmt: skip


@torch.inference_mode()
def _peers(repeats: int) -> Iterator[dict]:
    """diffusers' own networks, on the same clips."""
    row = row_of_numbers(comfy.model_management.get_torch_device(), torch.float16)
    for family in ("SD 1.5", "ModelScope"):
        theirs = network(family, row)
        for clips in (1, 2):
            found = _timed(call_of(theirs, family, clips, FRAMES, SMALL), repeats)
            yield {"family": family, "motion": DIFFUSERS, "precision": "fp16", "clips": clips, "size": SMALL, **found}


@torch.inference_mode()
def _sampling(_: int) -> Iterator[dict]:
    """A whole clip by the node, and 16 pictures by core's own sampler, 50 steps of DDIM with guidance."""
    image = image_model("SD 1.5", torch.float16)
    image.model_options["transformer_options"]["optimized_attention_override"] = fused_attention
    words, latent = [[[torch.randn(1, 77, 768), {}]] for _ in range(2)], torch.randn(FRAMES, 4, *SMALL)

    def pictures() -> None:
        comfy.sample.sample(
            image, latent, STEPS, CFG, "ddim", "ddim_uniform", *words, latent, disable_pbar=True, seed=0
        )

    def clip(moved) -> None:
        FirstFrameKSampler.execute(moved, *words, {"samples": latent[:1]}, FRAMES, 0, STEPS, CFG, "ddim",
                                   "ddim_uniform", "match at every step (LAMP)")  # fmt: skip

    for motion in (PLAIN, *ANIMATING):
        moved = moving(image, motion)
        run = pictures if motion == PLAIN else lambda: clip(moved)  # noqa: B023
        yield {"family": "SD 1.5", "motion": motion, "precision": "fp16", "size": SMALL, **_timed(run, 1)}


def _training(repeats: int) -> Iterator[dict]:
    """Training steps on a base in fp16, computed in bf16."""
    device = comfy.model_management.get_torch_device()
    for motion in LEARNT:
        for saving in (False, True):
            words = [TRAINING + motion, "--frames", FRAMES, "--size", *SMALL, "--repeats", repeats]
            options = parser().parse_args([*map(str, words), *["--checkpointing"] * saving])
            gc.collect()  # a training's graph holds itself
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            yield {"family": "SD 1.5", "motion": motion, "checkpointing": saving, "size": SMALL,
                   **training(options, torch.float16, device)}  # fmt: skip
            comfy.model_management.unload_all_models()


def _timed(call: Callable, repeats: int) -> dict:
    """Median seconds after a call or two that nobody counts, and the card's peak in bytes."""
    device = comfy.model_management.get_torch_device()
    torch.cuda.reset_peak_memory_stats()
    for _ in range(min(repeats, 2)):
        call()
    seconds = statistics.median(seconds_of(call, device) for _ in range(repeats))
    return {"seconds": seconds, "peak": torch.cuda.max_memory_allocated()}


def _kernels(call: Callable) -> dict:
    """How many kernels one call launches, seconds they take by themselves, and the slowest kinds of them."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        call()
        torch.cuda.synchronize()
    ran = [event for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    by = Counter()
    for event in ran:
        by[event.name[:120]] += event.device_time / 1e6
    return {"kernels": len(ran), "kernel_seconds": by.total(), "slowest": dict(by.most_common(_SHOWN))}


PARTS = {"calls": _calls, "SDXL": _large, "peers": _peers, "sampling": _sampling, "training": _training}
