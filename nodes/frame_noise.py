"""Nodes for noise that the frames of a clip have in common: at the start, and in every step of samplers that draw more of it."""

import inspect

import comfy.samplers
import torch
from comfy.k_diffusion.sampling import BrownianTreeNoiseSampler
from comfy_api.latest import io

from ..samplers.noise import STRATEGIES, frame_noise, frame_seeds, step_noise
from .image_model import CELL
from .motion import CATEGORY

_ETA = {
    "sample_res_multistep": 0,
    "sample_res_multistep_cfg_pp": 0,
    "dpm_adaptive_function": 0,
}  # take a source of noise and multiply it by 0
_NO_STEP = 1e-4  # between levels as near as this a path has no direction; two-stage samplers ask there and take next to nothing of it
_STRATEGY = ("independent: each frame its own. shared: each frame a mixture with frame 0's. autoregressive: with the frame before it. warped: "
             "with frame 0's, moved.")  # fmt: skip
_ALPHA = "Weight of what is shared: 0 independent, 1 the same noise in every frame. LAMP uses 0.2."
_UNIT = "On: every frame's noise has variance 1, as models expect. Off: the paper's formula, which shrinks it (0.68 at alpha 0.2)."
_MOVE_X = "Warped only: px of the picture by which the noise moves to the right from frame to frame, in whole steps of 8; negative is left."
_MOVE_Y = "Warped only: px of the picture by which the noise moves down from frame to frame, in whole steps of 8; negative is up."


class FrameNoise(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_FrameNoise",
            display_name="Shared/Autoregressive Noise",
            category=CATEGORY,
            description="Noise that the frames of a clip have in common, so that they start alike: LAMP's shared noise, a chain from frame to frame, or "
            "noise that moves.",
            search_aliases=["LAMP noise", "shared noise", "video noise", "autoregressive noise", "warped noise"],
            inputs=[
                io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=True,
                             tooltip="Frame by frame from this seed: a longer clip begins like a shorter one."),
                io.Combo.Input("strategy", options=list(STRATEGIES), default="shared", tooltip=_STRATEGY),
                io.Float.Input("alpha", default=0.2, min=0.0, max=1.0, step=0.01, tooltip=_ALPHA),
                io.Boolean.Input("keep_unit_variance", default=True, advanced=True, tooltip=_UNIT),
                io.Float.Input("move_x", default=0.0, min=-1024.0, max=1024.0, step=1.0, optional=True, advanced=True, tooltip=_MOVE_X),
                io.Float.Input("move_y", default=0.0, min=-1024.0, max=1024.0, step=1.0, optional=True, advanced=True, tooltip=_MOVE_Y),
            ],
            outputs=[io.Noise.Output(tooltip="For First-Frame-Conditioned KSampler or SamplerCustomAdvanced.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, seed: int, strategy: str, alpha: float, keep_unit_variance: bool, move_x: float = 0.0, move_y: float = 0.0
    ) -> io.NodeOutput:
        return io.NodeOutput(ClipNoise(seed, strategy, alpha, keep_unit_variance, (move_x / CELL, move_y / CELL)))


class ClipNoise:
    """ComfyUI's NOISE: an object with a seed that makes noise for a latent."""

    def __init__(self, seed: int, strategy: str = "independent", alpha: float = 0.0, unit_variance: bool = True, move=(0.0, 0.0)):
        self.seed, self.how = seed, (strategy, alpha, unit_variance, move)

    def generate_noise(self, latent: dict) -> torch.Tensor:
        shape = torch.Size(_frames_first(latent["samples"]).shape)
        return _frames_back(frame_noise(self.seed, shape, *self.how))


def _frames_first(x: torch.Tensor) -> torch.Tensor:
    """`f c h w`, or of a video model's latents `b c f h w` -> `f b c h w`."""
    return x.movedim(2, 0) if x.ndim == 5 else x


def _frames_back(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(0, 2) if x.ndim == 5 else x


class SamplerFrameNoise(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_SamplerFrameNoise",
            display_name="Sampler with Shared Noise",
            category=CATEGORY,
            description="Lets the frames of a clip also share the noise that ancestral, SDE and LCM samplers draw in every step.",
            search_aliases=["SDE", "ancestral", "LCM", "shared noise", "flicker", "noise sampler"],
            inputs=[
                io.Sampler.Input("sampler", tooltip="A sampler that draws noise in its steps: euler_ancestral, dpmpp_sde, dpmpp_2m_sde, lcm, ..."),
                io.Combo.Input("strategy", options=list(STRATEGIES), default="shared", tooltip=_STRATEGY),
                io.Float.Input("alpha", default=0.2, min=0.0, max=1.0, step=0.01, tooltip=_ALPHA),
                io.Boolean.Input("keep_unit_variance", default=True, advanced=True, tooltip=_UNIT),
                io.Float.Input("move_x", default=0.0, min=-1024.0, max=1024.0, step=1.0, advanced=True, tooltip=_MOVE_X),
                io.Float.Input("move_y", default=0.0, min=-1024.0, max=1024.0, step=1.0, advanced=True, tooltip=_MOVE_Y),
            ],
            outputs=[io.Sampler.Output(tooltip="For SamplerCustomAdvanced; its noise's seed is the seed of the steps too, frame by frame.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, sampler, strategy: str, alpha: float, keep_unit_variance: bool, move_x: float, move_y: float) -> io.NodeOutput:
        return io.NodeOutput(sharing_sampler(sampler, strategy, alpha, keep_unit_variance, (move_x / CELL, move_y / CELL)))


def sharing_sampler(sampler, *how) -> comfy.samplers.KSAMPLER:
    """A SAMPLER whose own noise the frames share as `how` says (strategy, alpha, unit variance, move).

    Every frame has a Brownian path of its own, as ComfyUI's SDE samplers have one for the whole batch; steps of an ancestral sampler are pieces
    of it that do not meet, so independent. Raises ValueError for samplers that draw no noise.
    """
    inner = getattr(sampler, "sampler_function", None)
    if inner is None or not _draws_noise(inner, sampler.extra_options):
        name = type(sampler).__name__ if inner is None else inner.__name__.removeprefix("sample_").removesuffix("_function")
        raise ValueError(f"The sampler {name} draws no noise in its steps, so there is none to share: connect one that does, for example "
                         "euler_ancestral, dpmpp_sde, dpmpp_2m_sde or lcm, or leave this node out.")  # fmt: skip

    def sample(model, x, sigmas, extra_args=None, callback=None, disable=None, **options):
        frames = _frames_first(x)
        share = step_noise(_paths(frames, sigmas, frame_seeds((extra_args or {}).get("seed") or 0, len(frames))), *how)

        def noise_sampler(sigma, sigma_next):
            return _frames_back(share(sigma, sigma_next)).to(x)

        return inner(model, x, sigmas, extra_args=extra_args, callback=callback, disable=disable, noise_sampler=noise_sampler, **options)

    return comfy.samplers.KSAMPLER(sample, sampler.extra_options, sampler.inpaint_options)


def _paths(x: torch.Tensor, sigmas: torch.Tensor, seeds: list[int]):
    """sigma, sigma_next -> what a path of each frame does between them, of variance 1; x `f ... h w` tells shape and device."""
    tree = BrownianTreeNoiseSampler(x, sigmas.min(), sigmas.max(), seed=seeds, cpu=True)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(sigma, sigma_next) -> torch.Tensor:
        if abs(float(sigma) - float(sigma_next)) > _NO_STEP * float(sigma):
            return tree(sigma, sigma_next)
        return torch.stack([torch.randn(x.shape[1:], generator=generator) for generator in generators]).to(x)

    return draw


def _draws_noise(sample, options: dict) -> bool:
    """Does this sampler take a source of noise, and is it turned up?"""
    parameters = inspect.signature(sample).parameters.values()
    takes = any(parameter.name == "noise_sampler" or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    return takes and 0 not in (options.get("eta", _ETA.get(sample.__name__)), options.get("s_noise"))


NODES = [FrameNoise, SamplerFrameNoise]
