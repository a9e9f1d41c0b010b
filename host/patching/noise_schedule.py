"""The noise levels a motion was trained on, in place of the image model's."""

from collections.abc import Mapping
from types import SimpleNamespace

from comfy.model_sampling import ModelSamplingDiscrete, ModelSamplingDiscreteEDM


def set_schedule(patched, settings: Mapping[str, str | float]) -> None:
    """Give a cloned MODEL these betas and keep how it predicts: noise or v, distilled, zero terminal SNR.

    A model whose noise levels are not made of betas keeps them.
    """
    sampling = patched.get_model_object("model_sampling")
    if settings and isinstance(sampling, ModelSamplingDiscrete) and not isinstance(sampling, ModelSamplingDiscreteEDM):
        made_from = SimpleNamespace(sampling_settings={"timesteps": sampling.num_timesteps, **settings})
        patched.add_object_patch("model_sampling", type(sampling)(made_from, zsnr=sampling.zsnr))
