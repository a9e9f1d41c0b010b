"""Sample clips of a motion while it is learnt: in the node's preview, and as files beside the adapter."""

from pathlib import Path

import comfy.model_management
import comfy.samplers
import comfy.utils
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...motion_modules.adapter import AdapterError
from ...motion_modules.writing import write_whole
from ..said import say
from ..sampling.clip_sampling import condition_model
from .lesson import Lesson

_STEPS, _CFG, _SEED, _SHOWN, _FPS = 12, 3.0, 1, 6, 8


class Samples:
    """Clips of the motion as it is by now, all from the same noise; nothing of the training is touched by them.

    first: LATENT of a first frame, `1 c h w`, for motion that goes on from one; positive, negative: CONDITIONINGs, a
    negative of zeros without one; folder: where the clips go.
    """

    def __init__(self, lesson: Lesson, vae, folder: Path, first: Tensor, positive: list, negative: list | None = None):
        self.lesson, self.vae, self.folder, self.first = lesson, vae, folder, first.clone()
        self.positive, self.negative = positive, negative or _zeroed(positive)
        self.newest: Path | None = None
        self.failed = False

    def take(self, step: int) -> Image.Image | None:
        """A clip after so many steps, written and as a strip of its frames; None where it could not be made, which is
        said once and ends nothing.
        """
        if self.failed:
            return None
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                pictures = self._pictures()
            self.newest = write_webp(pictures, self.folder / f"step_{step:06}.webp")
            return strip(pictures)
        except comfy.model_management.InterruptProcessingException:
            raise
        except AdapterError as error:
            say(f"The training goes on, but its sample is not kept: {error}", warning=True)
        except Exception as error:  # whatever it is, what was learnt counts more
            self.failed = True
            say(f"The training goes on without samples, the one after step {step} failed: {error}", warning=True)
        finally:
            self.lesson.load()
        return None

    def _pictures(self) -> Tensor:
        """The clip's frames `f h w c`, on the CPU."""
        lesson, frames = self.lesson, self.lesson.settings.frames
        goes_on = lesson.settings.from_first_frame
        model = condition_model(lesson.base) if goes_on else lesson.base
        rest = torch.zeros(frames - 1 if goes_on else frames, *self.first.shape[1:])
        latents = torch.cat([self.first.cpu(), rest]) if goes_on else rest
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(_SEED))
        sampling = lesson.base.model.model_sampling
        sigmas = comfy.samplers.calculate_sigmas(sampling, "normal", _STEPS)
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(self.positive, self.negative)
        guider.set_cfg(_CFG)
        lesson.module.eval()
        try:
            euler = comfy.samplers.sampler_object("euler")
            with lesson.computing():  # layers in training are in fp32, whatever the image model computes in
                made = guider.sample(noise, latents, euler, sigmas, disable_pbar=True, seed=_SEED)
        finally:
            lesson.module.train()
        return self.vae.decode(made.float()).float().cpu()


def _zeroed(positive: list) -> list:
    zeroed = []
    for text, options in positive:
        pooled = options.get("pooled_output")
        options = options if pooled is None else {**options, "pooled_output": torch.zeros_like(pooled)}
        zeroed.append([torch.zeros_like(text), options])
    return zeroed


def _images(pictures: Tensor) -> list[Image.Image]:
    values = (pictures[..., :3].clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return [Image.fromarray(np.ascontiguousarray(frame)) for frame in values]


def write_webp(pictures: Tensor, file: Path) -> Path:
    """A clip `f h w c` as an animation. Raises AdapterError where it cannot be written."""
    first, *others = _images(pictures)
    settings = {"save_all": True, "append_images": others, "duration": 1000 // _FPS, "loop": 0, "quality": 85}
    write_whole(file, lambda part: first.save(part, format="WEBP", **settings))
    return file


def strip(pictures: Tensor) -> Image.Image:
    """Some frames of a clip `f h w c` beside each other, from the first to the last."""
    chosen = torch.linspace(0, len(pictures) - 1, min(_SHOWN, len(pictures))).round().long()
    return Image.fromarray(np.concatenate([np.asarray(image) for image in _images(pictures[chosen])], axis=1))
