"""Motion in a model behind core's TorchCompileModel: right whether it acts or not, whatever was compiled before."""

import pytest
import torch
import torch._dynamo
import unets
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras.nodes_torch_compile import skip_torch_compile_dict
from moving import EVERY, clip, moving


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


@pytest.fixture(autouse=True)
def fresh():
    """No test finds what another one compiled."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(model):
    """As core's node does it, with a backend that needs no compiler."""
    patched = model.clone(disable_dynamic=True)
    set_torch_compile_wrapper(model=patched, backend="eager", options={"guard_filter_fn": skip_torch_compile_dict})
    return patched


def off(model) -> float:
    """How far the compiled model's clip is from the same model's own, in spreads of it."""
    expected = clip(model)
    return float((clip(compiled(model)) - expected).abs().max() / expected.std())


@pytest.mark.parametrize("method", EVERY)
def test_compiled_is_as_uncompiled_whether_the_motion_acts_or_not(base, method):
    """Acting in the last step only, in the first only, and not at all, one behind the other: core tells torch.compile
    not to watch a call's options.
    """
    settings = [{"start_percent": 0.5}, {"end_percent": 0.5}]
    assert max(map(off, [*(moving(base, method, **given) for given in settings), base])) < 1e-5


def test_a_call_in_which_motion_acts_breaks_no_graph(base):
    torch._dynamo.utils.counters.clear()
    clip(compiled(moving(base, "lamp")))
    assert not torch._dynamo.utils.counters["graph_break"]
