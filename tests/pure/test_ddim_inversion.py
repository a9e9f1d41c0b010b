"""DDIM inversion against a model whose noise is known exactly, against the releases' formula, and beside diffusers."""

import pytest
import torch
from few_shot_motion.samplers.ddim_inversion import ddim_inversion

MEAN, SPREAD, TOP = 0.7, 0.6, 14.6


def gaussian(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The exact denoiser of data from N(MEAN, SPREAD^2)."""
    return (SPREAD**2 * x + sigma**2 * MEAN) / (SPREAD**2 + sigma**2)


def levels(steps: int) -> torch.Tensor:
    """Ascending noise levels from none, as Stable Diffusion's are spaced: evenly in time, betas growing."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    left = (1 - betas).cumprod(0)
    sigmas = ((1 - left) / left).sqrt()
    return torch.cat([torch.zeros(1), sigmas[torch.linspace(999 / steps, 999, steps).long()]])


def euler(model, x: torch.Tensor, sigmas: torch.Tensor) -> torch.Tensor:
    for high, low in zip(sigmas[:-1], sigmas[1:], strict=True):
        x = x + (low - high) * (x - model(x, high)) / high
    return x


@pytest.fixture
def z():
    return torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * SPREAD + MEAN


def test_it_comes_to_the_exact_noise(z):
    """The probability flow of this data from 0 to sigma stretches it by sqrt(SPREAD^2 + sigma^2) / SPREAD; doubling the
    steps halves the error.
    """
    errors = []
    for steps in (50, 100, 200, 400):
        sigmas = levels(steps)
        exact = MEAN + (z - MEAN) * (SPREAD**2 + sigmas[-1] ** 2).sqrt() / SPREAD
        errors.append(float((ddim_inversion(gaussian, z, sigmas) - exact).abs().max() / exact.std()))
    assert errors[-1] < 0.03 and all(
        0.4 < later / earlier < 0.6 for earlier, later in zip(errors[:-1], errors[1:], strict=True)
    ), errors


def test_sampling_gives_the_clip_back(z):
    errors = []
    for steps in (25, 50, 100):
        sigmas = levels(steps)
        errors.append(float((euler(gaussian, ddim_inversion(gaussian, z, sigmas), sigmas.flip(0)) - z).abs().max()))
    assert errors[1] < 0.1 and all(
        later < 0.6 * earlier for earlier, later in zip(errors[:-1], errors[1:], strict=True)
    ), errors


def test_one_step_is_the_releases(z):
    """x' = sqrt(a') (x - sqrt(1 - a) eps) / sqrt(a) + sqrt(1 - a') eps, in the scale of the UNet, eps asked there for
    the later level.
    """
    low, high = torch.tensor([0.4, 1.3], dtype=torch.float64)
    seen = []

    def eps_of(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        seen.append((x * (1 + sigma**2).rsqrt(), sigma))
        return x - sigma * torch.sin(3 * seen[-1][0])

    a, b = 1 / (1 + low**2), 1 / (1 + high**2)
    x = z * a.sqrt()
    eps = torch.sin(3 * x)
    expected = b.sqrt() * (x - (1 - a).sqrt() * eps) / a.sqrt() + (1 - b).sqrt() * eps
    found = ddim_inversion(eps_of, z, torch.stack([low, high])) * b.sqrt()
    assert (found - expected).abs().max() < 1e-12
    (given, level), *more = seen
    assert not more and level == high and (given - x).abs().max() < 1e-12


def test_it_tells_its_progress(z):
    told = []
    ddim_inversion(gaussian, z, levels(4), callback=told.append)
    assert [state["i"] for state in told] == [0, 1, 2, 3] and told[0]["x"] is z


@pytest.mark.parametrize("steps", [5, 50])
@pytest.mark.parametrize("starts_clean", [True, False])
def test_it_is_diffusers(diffusers, z, steps, starts_clean):
    """Noise predictions, with and without its last level. For v it takes the noise out of them at the level a step
    starts from, we at the one that the model was told, which is where it made them; so those are not compared."""
    betas = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "steps_offset": 1,
        "clip_sample": False,
    }
    scheduler = diffusers.DDIMInverseScheduler(**betas, set_alpha_to_one=starts_clean)
    scheduler.set_timesteps(steps)
    left = scheduler.alphas_cumprod.double()
    x = z
    for timestep in scheduler.timesteps:
        x = scheduler.step(torch.sin(3 * x) * left[timestep], int(timestep), x).prev_sample

    def predict(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """The same noise as above, as a denoiser in sigma space."""
        return x - sigma * torch.sin(3 * x * (1 + sigma**2).rsqrt()) / (1 + sigma**2)

    at = torch.cat([torch.ones(1) if starts_clean else left[:1], left[scheduler.timesteps]])
    sigmas = ((1 - at) / at).sqrt()
    found = ddim_inversion(predict, z * (1 + sigmas[0] ** 2).sqrt(), sigmas) * (1 + sigmas[-1] ** 2).rsqrt()
    assert (found - x).abs().max() < 1e-5
