"""One case of `python3 dev bench`, in a process of its own: so its peak of memory is its own. Prints a JSON line."""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable

import comfy.model_management
import torch
from few_shot_motion.host.training import model as training_host
from few_shot_motion.motion_modules.call import KEY
from few_shot_motion.motion_modules.module import MotionModule, initialise
from few_shot_motion.training.loop import new_run, train
from few_shot_motion.training.loss import lamp_loss

from .call import fused_attention, loaded, prepared
from .real_widths import FAMILIES, image_model, lay_over, layers, moving, row_of_numbers

TRAINING = "training: "  # in front of a motion that is to be learnt instead of used


def main() -> None:
    """Time a motion against its image model, by turns."""
    options = parser().parse_args()
    device = comfy.model_management.get_torch_device()
    dtype = torch.float32 if device.type == "cpu" else torch.float16
    run = training if options.motion.startswith(TRAINING) else _use
    print(json.dumps(run(options, dtype, device)))


def parser() -> argparse.ArgumentParser:
    """What a case is told: of the image model, the motion, and the clip."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("motion")
    words.add_argument("--family", choices=FAMILIES, default="SD 1.5")
    words.add_argument("--clips", type=int, default=1)
    words.add_argument("--frames", type=int, default=8)
    words.add_argument("--size", type=int, nargs=2, default=(16, 16), help="height and width of the latents")
    words.add_argument("--repeats", type=int, default=3)
    words.add_argument("--checkpointing", action="store_true")
    return words


@torch.inference_mode()
def _use(options: argparse.Namespace, dtype: torch.dtype, device: torch.device) -> dict:
    if options.family == "SDXL":
        return _by_turns(options, device, *_light(options, dtype, device))
    image = image_model(options.family, dtype)
    plain_peak = _peak_after(image, options, device)
    moved = moving(image, options.motion)
    peak = _peak_after(moved, options, device)
    return {**_by_turns(options, device, image, moved), "peak": peak, "plain_peak": plain_peak}


def _by_turns(options: argparse.Namespace, device: torch.device, image, moved) -> dict:
    turns = [[_timed(model, options, device) for model in (moved, image)] for _ in range(options.repeats + 1)]
    return medians(turns[1:])


def medians(turns: list[list[float]]) -> dict:
    """Of what was timed by turns: seconds of the motion and of the image model, and of their ratios."""
    seconds, plain = (statistics.median(times) for times in zip(*turns, strict=True))
    return {"seconds": seconds, "plain": plain, "ratio": statistics.median(a / b for a, b in turns)}


def _light(options: argparse.Namespace, dtype: torch.dtype, device: torch.device) -> tuple:
    """An image model, and the same with motion, whose weights are parts of one row of numbers: of 10 GB and more."""
    image = image_model(options.family, dtype, "meta")
    moved, row = moving(image, options.motion), row_of_numbers(device, dtype)
    for network in (image.model, *(adapter.module for adapter in moved.get_attachment(KEY).adapters)):
        lay_over(network, row)
    for model in (image, moved, *moved.get_additional_models()):
        model.load_device = model.offload_device = device
    return image, moved


def _timed(model, options: argparse.Namespace, device: torch.device) -> float:
    ready = prepared if options.family == "SDXL" else loaded  # whose weights lie there already
    return seconds_of(ready(model, options.family, options.clips, options.frames, tuple(options.size)), device)


def _peak_after(model, options: argparse.Namespace, device: torch.device) -> int:
    _timed(model, options, device)
    return _peak(device)


def training(options: argparse.Namespace, dtype: torch.dtype, device: torch.device) -> dict:
    """Steps of a training beside the image model's own call, by turns: seconds, peaks of memory."""
    motion = options.motion.removeprefix(TRAINING)
    image, frames, size = image_model(options.family, dtype), options.frames, tuple(options.size)
    call = torch.inference_mode()(loaded(image, options.family, 1, frames, size))
    seconds_of(call, device)
    plain_peak = _peak(device)
    module, design = layers(image, motion)
    assert isinstance(module, MotionModule)
    initialise(module).train().to(device)
    autocast = None if device.type == "cpu" else torch.bfloat16
    words = training_host.attach(image, module, design.joint_norm, options.checkpointing, autocast)
    words["optimized_attention_override"] = fused_attention
    text = torch.randn(frames, 77, FAMILIES[options.family][1]["context_dim"], device=device)
    predict = training_host.denoiser(image, words, [{"c_crossattn": text}], autocast)

    def loss_at(step: int, generator: torch.Generator) -> torch.Tensor:
        x0 = torch.randn(1, frames, 4, *size, generator=generator).to(device)
        sigma = torch.tensor([2.0], device=device)
        return lamp_loss(predict, x0, torch.randn_like(x0), sigma, (1 + sigma**2).rsqrt())

    def there_and_back() -> list[float]:
        losses, generator = [], torch.Generator().manual_seed(0)
        forward = seconds_of(lambda: losses.append(loss_at(0, generator)), device)
        backward = seconds_of(losses.pop().backward, device)
        module.zero_grad()
        return [forward, backward]

    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    steps = train(new_run(trained, 1e-4, {}, None), loss_at, options.repeats + 1, 0)
    turns = [[seconds_of(what, device) for what in (lambda: next(steps), call)] for _ in range(options.repeats + 1)]
    forward, backward = map(statistics.median, zip(*[there_and_back() for _ in range(options.repeats)], strict=True))
    return {**medians(turns[1:]), "forward": forward, "backward": backward, "peak": _peak(device),
            "plain_peak": plain_peak}  # fmt: skip


def seconds_of(call: Callable, device: torch.device) -> float:
    """Of a CPU the time it worked, whatever else ran beside; of a GPU the time until all is done."""
    if device.type == "cpu":
        begun = time.process_time()
        call()
        return time.process_time() - begun
    torch.accelerator.synchronize()
    begun = time.perf_counter()
    call()
    torch.accelerator.synchronize()
    return time.perf_counter() - begun


def _peak(device: torch.device) -> int:
    """Bytes held at most since the process began."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
