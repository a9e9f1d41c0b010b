"""How noise is added, taken back and bounded, for models of variance-exploding and of flow sampling."""

import pytest
import torch
from few_shot_motion.samplers import noising

VE, FLOW = noising.VARIANCE_EXPLODING, noising.FLOW


@pytest.mark.parametrize("process", [VE, FLOW])
@pytest.mark.parametrize("low, high", [(0.1, 0.3), (0.0, 0.5), (0.4, 0.9)])
def test_going_back_is_the_forward_process(process, low, high):
    """Noised to a low level and from there to a high one is noised to the high one: mean and variance."""
    low, high, one, zero = (torch.tensor(value, dtype=torch.float64) for value in (low, high, 1.0, 0.0))
    mean = process.back(low, high, process.at(low, one, zero), zero)
    assert torch.allclose(mean, process.at(high, one, zero), atol=1e-12)
    first, second = process.back(low, high, process.at(low, zero, one), zero), process.back(low, high, zero, one)
    assert torch.allclose(first**2 + second**2, process.at(high, zero, one) ** 2, atol=1e-12)


def test_a_flow_goes_back_to_pure_noise_at_the_top():
    assert FLOW.back(torch.tensor(0.5), torch.tensor(1.0), torch.tensor(7.0), torch.tensor(2.0)) == 2


def test_schedules_from_pure_noise_start_later():
    def flow(steps):
        return torch.linspace(1, 0, steps + 1)

    sigmas = noising.visible_start(flow, 10, FLOW)
    assert len(sigmas) == 11 and 0.8 < sigmas[0] <= 0.8936 and sigmas[-1] == 0
    given = noising.visible_part(torch.tensor([1.0, 0.5, 0.0]), FLOW)
    assert given[0] == pytest.approx(8.39 / 9.39, abs=1e-4) and given[1:].tolist() == [0.5, 0.0]
    in_sight = torch.cat([torch.logspace(0.9, -1.2, 10), torch.zeros(1)])
    assert torch.equal(noising.visible_start(lambda _: in_sight, 10, VE), in_sight)
    assert torch.equal(noising.visible_part(in_sight, VE), in_sight)
