"""Text2Video-Zero around any sampler of ComfyUI: one picture to t1 and t0, a branch per frame, all from there."""

from dataclasses import dataclass

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...samplers.text_to_video_zero import branch, for_size, foregrounds, smooth_background, split_schedule
from ...samplers.warp import deltas
from ..inputs.frames import check_shape_of_masks
from ..patching.bridge import attend_to
from .frame_noise import following
from .sliding import noising_of

ZERO = "few_shot_motion_text_to_video_zero"


@dataclass(frozen=True)
class Motion:
    """How the one picture becomes a clip: a SAMPLER_SAMPLE wrapper around any sampler."""

    move: tuple[float, float]  # px
    t0: int
    t1: int
    masks: Tensor | None
    background_smoothing: float
    by_size: bool  # t0 and t1 are 512 px pictures': at other sizes the levels that show as much

    def sample(
        self,
        executor,
        guider,
        sigmas,
        extra_args,
        callback,
        noise,
        latent_image=None,
        denoise_mask=None,
        disable_pbar=False,
    ):
        """Sample frame 0 alone to t1 and on to t0, branch there, and sample all frames from t1 to the end."""
        frames, size = len(noise), tuple(noise.shape[-2:])
        sampling, px = guider.inner_model.model_sampling, guider.inner_model.latent_format.spacial_downscale_ratio
        noising = noising_of(sampling)
        by = deltas(self.move, frames, (size[0] * px, size[1] * px))
        foreground = None if self.masks is None else self._foreground(frames, by, size).to(noise)
        if frames == 1:
            return executor(guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, disable_pbar)
        t0, t1 = (torch.as_tensor(sampling.percent_to_sigma(1 - t / 999)) for t in (self.t0, self.t1))
        if self.by_size:
            t0, t1 = for_size(t0, size), for_size(t1, size)
        first, second, third = split_schedule(sigmas, t0.to(sigmas), t1.to(sigmas))
        steps, done = len(first) + len(second) + len(third) - 3, 0

        def run(part: Tensor, x: Tensor | None) -> Tensor:
            """One part of the schedule from x, or from the noise; the sampler noises the clean latent, so x is told as
            a noise of it.
            """
            nonlocal done
            count = 1 if x is None else len(x)
            clean = latent_image[:count]
            eps = noise[:count] if x is None else (x - noising.signal(part[0]) * clean) / noising.noise(part[0])
            before, done = done, done + len(part) - 1
            told = callback and (lambda i, denoised, x, _: callback(before + i, denoised, x, steps))
            # with one seed every part would draw the same noise in its steps
            seed = following(extra_args.get("seed") or 0, before)
            args = {**extra_args, "seed": seed}
            return executor(
                guider,
                part,
                args,
                told,
                eps,
                clean,
                None if denoise_mask is None else denoise_mask[:count],
                disable_pbar,
            )

        if len(first) > 1:
            x_t1 = run(first, None)
        else:
            x_t1 = sampling.noise_scaling(
                first[0], noise[:1], latent_image[:1], executor.class_obj.max_denoise(guider, first)
            )
        x_t0 = run(second, x_t1)
        x = branch(x_t1, x_t0, noise, by, second[-1], second[0], noising)
        if foreground is not None:
            x = smooth_background(x, foreground, by, self.background_smoothing)
        return run(third, x)

    def _foreground(self, frames: int, by: list, size: tuple[int, int]) -> Tensor:
        """Raises ValueError for masks of another number or shape."""
        count, height, width = self.masks.shape
        if count not in (1, frames):
            raise ValueError(
                f"The clip has {frames} frames, {count} masks were given: give one per frame, or the first frame's "
                "alone."
            )
        check_shape_of_masks((width, height), (size[1], size[0]), "The masks")
        return foregrounds(self.masks, by, size)


def apply_motion(model, motion: Motion):
    """A clone of the model that samples every batch as a clip."""
    patched = attend_to(model, ("first",))
    patched.remove_wrappers_with_key(WrappersMP.SAMPLER_SAMPLE, ZERO)
    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, ZERO, motion.sample)
    return patched
