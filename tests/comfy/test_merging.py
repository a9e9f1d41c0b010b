"""Merge Motion Adapters: means of one kind, ranks by singular values with their error told."""

import folder_paths
import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import AdapterError, MotionAdapter
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.merging import merge, thin_matrices, whole_matrices
from few_shot_motion.motion_modules.methods import METHODS
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.nodes.merging import MergeMotionAdapters

BASE = {"base": "Stable Diffusion 1.x"}


def adapter(method: str = "lamp", rank: int = 0, seed: int = 1, **changes) -> MotionAdapter:
    recurrence = "fixed" if method == "recurrent" else ""
    design = MotionAdapter(method, {}, rank, recurrence=recurrence)
    module = METHODS[method].build(design, bridge.sites_of(unets.sd_model(unets.NANO), method), torch.nn)
    weights = unets.random_weights(module, seed)
    return MotionAdapter(method, weights, rank, metadata=dict(BASE), recurrence=recurrence, **changes)


def close(a: dict, b: dict, tolerance: float = 1e-5) -> bool:
    return a.keys() == b.keys() and all(torch.allclose(a[name], b[name], atol=tolerance) for name in a)


@pytest.mark.parametrize("method", ["lamp", "recurrent", "tune-a-video"])
@pytest.mark.parametrize("rank", [0, 4])
def test_the_mean_of_whole_matrices(method, rank):
    a, b = adapter(method, rank, 1), adapter(method, rank, 2)
    merged, errors = merge([a, b], [3.0, 1.0], 0)
    first, second = whole_matrices(a.tensors), whole_matrices(b.tensors)
    assert close(merged.tensors, {name: 0.75 * first[name] + 0.25 * second[name] for name in first})
    assert errors == [] and merged.rank == 0


@pytest.mark.parametrize("method", ["lamp", "recurrent", "tune-a-video"])
def test_a_rank_that_is_enough_loses_nothing_and_a_smaller_one_what_is_said(method):
    thin = adapter(method, 4)
    whole = whole_matrices(thin.tensors)
    again, errors = merge([thin], [1.0], 4)
    assert max(errors) < 1e-4 and close(whole_matrices(again.tensors), whole, 1e-4)
    wider, errors = merge([thin], [1.0], 48)  # wider than the matrices themselves
    assert max(errors) < 1e-4 and close(whole_matrices(wider.tensors), whole, 1e-4)
    smaller, errors = merge([thin], [1.0], 2)
    assert set(smaller.tensors) == set(adapter(method, 2).tensors)
    assert {name: value.shape for name, value in smaller.tensors.items()} == {
        name: value.shape for name, value in adapter(method, 2).tensors.items()
    }
    far = whole_matrices(smaller.tensors)
    names = [name for name, value in whole.items() if name.endswith(".weight") and value.ndim in (2, 3)]
    told = [float((far[name] - whole[name]).norm() / whole[name].norm()) for name in names]
    assert errors == pytest.approx(told, abs=1e-4) and 0.05 < max(errors) < 1


def test_singular_values_make_the_nearest_pair():
    matrix = torch.diag(torch.tensor([4.0, 3.0, 0.0]))
    thin, errors = thin_matrices({"a.weight": matrix, "a.bias": torch.ones(3)}, 1)
    assert torch.allclose(thin["a.up.weight"] @ thin["a.down.weight"], torch.diag(torch.tensor([4.0, 0, 0])), atol=1e-6)
    assert errors == pytest.approx([0.6]) and "a.up.bias" in thin


@pytest.mark.parametrize("rank", [0, 3])
def test_what_is_merged_can_be_saved_loaded_and_applied(rank, tmp_path):
    merged, _ = merge([adapter(seed=1), adapter(seed=2)], [1.0, 1.0], rank)
    again = load_adapter(save_adapter(merged, tmp_path / "m.safetensors", torch.float32), None)
    assert (again.rank, again.metadata["merged"]) == (rank, "0.5, 0.5")
    bridge.apply_adapter(unets.sd_model(unets.NANO), again)


@pytest.mark.parametrize(
    "others, weights, rank, message",
    [
        ([adapter("tune-a-video")], [1, 1], 0, "of two kinds .method lamp and tune-a-video"),
        ([adapter(centred=True)], [1, 1], 0, "convolution causal and centred"),
        ([adapter(joint_norm=False)], [1, 1], 0, "group norm joint and per frame"),
        ([MotionAdapter("lamp", adapter().tensors, metadata={"base": "SDXL"})], [1, 1], 0, "Diffusion 1.x and SDXL"),
        ([], [0], 0, "The weights are 0: give every motion 0 or more"),
        ([adapter(seed=3)], [1, -1], 0, "The weights are 1, -1"),
    ],
)  # fmt: skip
def test_what_has_no_mean(others, weights, rank, message):
    with pytest.raises(AdapterError, match=message):
        merge([adapter(), *others], weights, rank)


def test_other_packs_motion_modules_are_stacked_instead():
    with pytest.raises(AdapterError, match="stack such motions with Apply Motion Adapter"):
        merge([MotionAdapter("animatediff", {})], [1], 0)


def test_a_release_keeps_its_queries():
    whole = {"input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight": torch.ones(32, 32)}
    a, b = adapter(queries=whole), adapter(seed=2, queries={name: 3 * value for name, value in whole.items()})
    merged, _ = merge([a, b], [1, 1], 0)
    assert all(torch.equal(value, torch.full((32, 32), 2.0)) for value in merged.queries.values())
    with pytest.raises(AdapterError, match="A release keeps its tuned queries whole"):
        merge([a], [1], 8)
    with pytest.raises(AdapterError, match="release True and False"):
        merge([a, adapter()], [1, 1], 0)


def test_the_node_tells_the_error(monkeypatch, tmp_path):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    with torch.inference_mode():
        output = MergeMotionAdapters.execute(adapter(), 1.0, 4, adapter(seed=2), 1.0)
        assert output.args[0].rank == 4
        assert "matrices off by " in str(output.ui.as_dict()) and "% at most" in str(output.ui.as_dict())
        assert MergeMotionAdapters.execute(adapter(rank=4), 1.0, -1).args[0].rank == 4
