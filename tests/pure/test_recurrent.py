"""Recurrent attention: the batched form against a plain loop over frames, what learns and what cannot, and memories
that are nothing.
"""

import pytest
import torch
from few_shot_motion.motion_modules import recurrent
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.methods import METHODS
from few_shot_motion.motion_modules.module import MotionModule, initialise
from few_shot_motion.motion_modules.recurrent import FORMS, Memory, attention_and_lse
from few_shot_motion.motion_modules.sites import Site
from torch.nn import functional as F

FRAMES, LENGTH, WIDTH, HEADS = 5, 7, 8, 2


def heads_of(x: torch.Tensor) -> torch.Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(-2, -3)


def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """softmax(q k^T / sqrt d) v, `l c` -> `l c`."""
    q, k, v = heads_of(q), heads_of(k), heads_of(v)
    weights = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
    return (weights @ v).transpose(-2, -3).flatten(-2)


def frame_by_frame(layer: Memory, q, k, v, project, strength: float) -> torch.Tensor:
    """The equations as they stand, one frame after the other, all keys of a frame in one attention."""
    form, outs, memory = layer.form, [], torch.zeros(LENGTH, WIDTH)
    for i in range(FRAMES):
        a = layer.memory_readout(memory) if form.readout else memory
        first = project(outs[0]) if form.aliased and i >= 2 else (k[0], v[0])
        chosen = {"first": first, "former": (k[max(i - 1, 0)], v[max(i - 1, 0)])}
        taken = [
            [torch.lerp(own[i], other, strength) for own, other in zip((k, v), chosen[word], strict=True)]
            for word in form.key_frames
        ]
        keys, values = (torch.cat(tokens) for tokens in zip(*taken, strict=True))
        sparse, (memory_keys, memory_values) = plain(q[i], keys, values), project(a)
        if form.joint:
            both = plain(q[i], torch.cat([keys, memory_keys]), torch.cat([values, memory_values]))
            out = torch.lerp(sparse, both, strength)
        else:
            out = sparse + strength * plain(q[i], memory_keys, memory_values)
        memory = form.f(form.keeps * memory + layer.memory_update_layer(torch.cat([memory, out], dim=-1)))
        outs.append(out)
    return torch.stack(outs)


@pytest.fixture
def layer_and_inputs():
    def make(form: str, clips: int = 2):
        torch.manual_seed(0)
        layer = Memory(WIDTH, FORMS[form])
        x = torch.randn(clips * FRAMES, LENGTH, WIDTH)
        to = [torch.randn(WIDTH, WIDTH) / WIDTH**0.5 * 1.5 for _ in range(3)]
        return layer, [x @ weight for weight in to], lambda tokens: (tokens @ to[1], tokens @ to[2])

    return make


@pytest.mark.parametrize("strength", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("form", FORMS)
def test_the_batched_form_is_the_loop_over_frames(layer_and_inputs, form, strength):
    layer, (q, k, v), project = layer_and_inputs(form)
    out = layer(q, k, v, HEADS, FRAMES, project, strength)
    clips = [tokens.unflatten(0, (2, FRAMES)) for tokens in (q, k, v)]
    expected = torch.cat(
        [frame_by_frame(layer, *(tokens[clip] for tokens in clips), project, strength) for clip in range(2)]
    )
    assert torch.allclose(out, expected, atol=2e-6)
    if strength == 0:
        own = torch.stack([plain(*tokens) for tokens in zip(q, k, v, strict=True)])
        assert torch.allclose(out, own, atol=2e-6)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_of_the_batched_form(layer_and_inputs, form):
    layer, inputs, project = layer_and_inputs(form, clips=1)
    inputs = [value.requires_grad_() for value in inputs]
    variables = [*inputs, *layer.parameters()]
    cotangent = torch.randn(FRAMES, LENGTH, WIDTH)
    ours = torch.autograd.grad((layer(*inputs, HEADS, FRAMES, project) * cotangent).sum(), variables)
    loops = torch.autograd.grad((frame_by_frame(layer, *inputs, project, 1.0) * cotangent).sum(), variables)
    for found, expected in zip(ours, loops, strict=True):
        assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_attention_of_some_heads_at_a_time(monkeypatch):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, length, 4, requires_grad=True) for length in (9, 6, 6))
    monkeypatch.setattr(recurrent, "_LOGITS", 4 * 9 * 6)  # four of the six heads at once
    out, lse = attention_and_lse(q, k, v)
    logits = q @ k.transpose(-1, -2) / 2
    assert torch.allclose(out, F.scaled_dot_product_attention(q, k, v), atol=1e-6)
    assert torch.allclose(lse[..., 0], logits.logsumexp(-1), atol=1e-6)
    found = torch.autograd.grad(out.square().sum() + lse.square().sum(), (q, k, v))
    expected = torch.autograd.grad(
        F.scaled_dot_product_attention(q, k, v).square().sum() + logits.logsumexp(-1).square().sum(), (q, k, v)
    )
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, expected, strict=True))


# --------------------------------------------------------------------------------------------- a fresh adapter's memory


def fresh(form: str, rank: int = 0) -> Memory:
    torch.manual_seed(0)
    return (
        initialise(MotionModule([Site("a.transformer_blocks.0", WIDTH, True)], rank, recurrence=form))
        .layers["a.transformer_blocks.0"]
        .memory
    )


def memory_gradients(layer: Memory, inputs, project) -> dict[str, float]:
    out = layer(*inputs, HEADS, FRAMES, project)
    out.square().sum().backward()
    return {
        name: value.grad.abs().max().item()
        for name, value in layer.named_parameters()
        if name.startswith("memory") and value.grad is not None
    }


def test_from_the_papers_zeros_only_b_a_would_learn(layer_and_inputs):
    """Which is why W_hh and W_zh begin at random in the form "paper"."""
    layer, inputs, project = layer_and_inputs("paper", clips=1)
    for value in layer.parameters():
        torch.nn.init.zeros_(value)
    grads = memory_gradients(layer, inputs, project)
    assert {name for name, size in grads.items() if size > 0} == {"memory_readout.bias"}
    begun = memory_gradients(fresh("paper"), inputs, project)
    assert begun["memory_readout.weight"] > 0


@pytest.mark.parametrize("rank", [0, 2])
def test_fixed_begins_as_sparse_causal_attention_and_learns_at_once(layer_and_inputs, rank):
    _, inputs, project = layer_and_inputs("fixed")
    layer = fresh("fixed", rank)
    keys = [recurrent.key_tokens(tokens, ("first", "former"), FRAMES) for tokens in inputs[1:]]
    sparse = F.scaled_dot_product_attention(heads_of(inputs[0]), *map(heads_of, keys)).transpose(1, 2).flatten(2)
    assert torch.equal(layer(*inputs, HEADS, FRAMES, project), sparse)
    gradients = memory_gradients(layer, inputs, project)
    learning = {name for name, value in gradients.items() if value > 1e-3}
    assert learning >= (
        {"memory_update_layer.weight", "memory_update_layer.bias"} if rank == 0 else {"memory_update_layer.up.weight"}
    )


def test_paper_learns_at_once(layer_and_inputs):
    _, inputs, project = layer_and_inputs("paper")
    assert memory_gradients(fresh("paper"), inputs, project)["memory_readout.weight"] > 1e-3


@pytest.mark.parametrize("form", ["official", "official, first + memory"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_official_never_learns_its_memory(layer_and_inputs, form, dtype):
    """relu(0) has slope 0: no gradient at step 0, so none later, and AdamW leaves zeros alone."""
    _, inputs, project = layer_and_inputs(form)
    layer = fresh(form)
    query = torch.nn.Parameter(inputs[0].clone())
    optimizer = torch.optim.AdamW([query, *layer.parameters()], lr=1e-2, weight_decay=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            gradients = memory_gradients(layer, (query, *inputs[1:]), project)
        assert set(gradients.values()) == {0.0} and query.grad.abs().max() > 1e-3
        optimizer.step()
    assert all(torch.count_nonzero(value) == 0 for name, value in layer.named_parameters() if name.startswith("memory"))


def test_a_memory_is_stored_under_the_releases_names():
    sites = [Site("input_blocks.1.1.transformer_blocks.0", WIDTH, True)]
    names = METHODS["recurrent"].build(MotionAdapter("recurrent", {}, recurrence="paper"), sites, torch.nn).state_dict()
    block = "input_blocks.1.1.transformer_blocks.0"
    assert {name.removeprefix(f"{block}.attn1.") for name in names if ".attn1." in name} == {
        "memory_update_layer.weight", "memory_update_layer.bias", "memory_readout.weight", "memory_readout.bias",
                                                                                             "to_q.delta.weight",
    }  # fmt: skip
    assert {METHODS["recurrent"].site_of(name) for name in names} == {block}
