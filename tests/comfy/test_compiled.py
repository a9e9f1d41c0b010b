"""Motion in a model behind core's TorchCompileModel: compiled as one graph, and right whatever was compiled before."""

import gc
import weakref

import pytest
import torch
import torch._dynamo
import unets
from comfy.ldm.modules.attention import attention_pytorch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras.nodes_torch_compile import skip_torch_compile_dict
from few_shot_motion.host.patching import compiled as compiled_calls
from few_shot_motion.motion_modules.call import KEY
from moving import FRAMES, SIDE, clip, drawn, moving


@pytest.fixture(scope="module")
def base():
    """A MODEL with the attention a GPU has: core's for a CPU asks how much memory is free, and breaks a graph by it."""
    model = unets.sd_model(unets.NANO)
    model.model_options["transformer_options"]["optimized_attention_override"] = lambda _, *tensors, **words: (
        attention_pytorch(*tensors, **words)
    )
    return model


@pytest.fixture(autouse=True)
def counted():
    """What torch.compile has done in a test, which finds nothing that another one compiled."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield torch._dynamo.utils.counters
    torch._dynamo.reset()


def compiled(model, backend: str = "eager"):
    """As core's node does it, with a backend that needs no compiler."""
    patched = model.clone(disable_dynamic=True)
    set_torch_compile_wrapper(model=patched, backend=backend, options={"guard_filter_fn": skip_torch_compile_dict})
    return patched


def off(model, backend: str = "eager") -> float:
    """How far the compiled model's clip is from the same model's own, in spreads of it."""
    expected = clip(model)
    return float((clip(compiled(model, backend)) - expected).abs().max() / expected.std())


# aot_eager sees what inductor would: no views that are none, nothing written in place; others' layers are like these
METHODS = {"lamp": "aot_eager", "animatediff": "aot_eager", "recurrent": "eager"}


@pytest.mark.parametrize("method, backend", METHODS.items())
def test_a_call_with_motion_is_one_graph_and_gives_what_it_gives_uncompiled(base, method, backend, counted):
    moved = moving(base, method)
    assert off(moved, backend) < 1e-5
    assert not moved.get_attachment(KEY).compiled.refused
    assert not counted["graph_break"]
    assert counted["stats"]["unique_graphs"] == 1


def test_whether_the_motion_acts_is_noticed(base):
    """In the last step only, and not at all: core tells torch.compile not to watch a call's options."""
    assert max(map(off, [moving(base, "animatediff", start_percent=0.5), base])) < 1e-5


def test_other_strengths_share_one_graph(base, counted):
    graphs = []
    for strength in (1.0, 0.5, 0.7):
        assert off(moving(base, "lamp", strength)) < 1e-5
        graphs.append(counted["stats"]["unique_graphs"])
    assert graphs == [1, 2, 2]


def test_masks_are_noticed_and_what_was_compiled_before_is_used_again(base, counted):
    mask, faded = drawn(1, SIDE, SIDE).sigmoid(), torch.linspace(1, 0, FRAMES)[:, None, None]
    for where in (None, mask, mask * faded, None):
        graphs = counted["stats"]["unique_graphs"]
        assert off(moving(base, "animatediff", where=where)) < 1e-5
    assert counted["stats"]["unique_graphs"] == graphs


def test_a_second_adapter_is_noticed_and_its_going(base):
    one = moving(base, "lamp", strength=0.5)
    assert max(map(off, (one, moving(one, "animatediff"), one))) < 1e-5


def test_what_cannot_be_compiled_runs_uncompiled_and_is_said_once(base, monkeypatch):
    said = []
    monkeypatch.setattr(compiled_calls, "say", lambda text, warning: said.append(text))

    def breaks(n, _):
        torch._dynamo.graph_break()
        return n

    moved = moving(base, "text-to-video-zero")
    moved.set_model_attn1_output_patch(breaks)
    assert off(moved) < 1e-5
    assert len(said) == 1
    assert "cannot be compiled" in said[0]


def test_a_model_that_was_compiled_is_not_kept(base):
    moved = compiled(moving(base, "text-to-video-zero"))
    clip(moved)
    stack, compiles = weakref.ref(moved.get_attachment(KEY)), weakref.ref(moved.get_attachment(KEY).compiled)
    assert stack() and compiles()
    del moved
    gc.collect()
    assert not stack()
    assert not compiles()
