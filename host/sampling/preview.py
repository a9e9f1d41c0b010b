"""A preview that moves: core shows element 0 of what is sampled, for a clip the still first frame."""

from collections.abc import Callable

import latent_preview
from torch import Tensor


def clip_callback(model, steps: int) -> Callable[[int, Tensor, Tensor, int], None]:
    """ComfyUI's own callback, with the previewer it is set to, shown the clip's frames in turn, one more each step.

    Takes x0 as `f c h w`, or `b c f h w` where latents are videos.
    """
    inner = latent_preview.prepare_callback(model, steps)

    def callback(step: int, x0: Tensor, x: Tensor, total: int) -> None:
        along = 2 if x0.ndim == 5 else 0
        inner(step, x0.narrow(along, (step + 1) % x0.shape[along], 1), x, total)

    return callback
