"""The noise levels of a slide: the release's timesteps, ended at the model's smallest noise or at none."""

import pytest
import torch
import unets
from few_shot_motion.host.sampling.sliding import schedule


@pytest.fixture(scope="module")
def model():
    return unets.sd_model(unets.TINY)


@pytest.mark.parametrize("steps", [4, 10, 50])
@pytest.mark.parametrize("inversion", [True, False])
def test_ddim_uniform_is_the_releases_grid(model, steps, inversion):
    """Timesteps 1, 1 + stride, ... of 1000; the last step leads to index 0 of the table, or to 0."""
    table = model.get_model_object("model_sampling").sigmas
    levels = [*(table[timestep] for timestep in range(1, 1000, 1000 // steps))][::-1]
    smallest = schedule(model, "ddim_uniform", steps, inversion, ends_at_smallest=True)
    assert torch.allclose(smallest, torch.stack([*levels, table[0]]), rtol=1e-4)
    clean = schedule(model, "ddim_uniform", steps, inversion, ends_at_smallest=False)
    assert torch.allclose(clean, torch.stack([*levels, torch.tensor(0.0)]), rtol=1e-4)
