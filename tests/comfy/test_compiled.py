"""Motion in a model behind core's TorchCompileModel: right whether it acts or not, whatever was compiled before."""

import pytest
import torch
import torch._dynamo
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras.nodes_torch_compile import skip_torch_compile_dict
from moving import miniature


@pytest.fixture(scope="module")
def base():
    return miniature()


@pytest.fixture(autouse=True)
def fresh():
    """No test finds what another one compiled."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


def compiled(model):
    """As core's node does it, with a backend that needs no compiler."""
    patched = model.clone(disable_dynamic=True)
    set_torch_compile_wrapper(model=patched, backend="eager", options={"guard_filter_fn": skip_torch_compile_dict})
    return patched
