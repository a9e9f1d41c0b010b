"""A training that looks where its clips move, through the node: every kind of it, kept, resumed, refused."""

import folder_paths
import pytest
import torch
from classroom import run, same
from few_shot_motion.nodes.training_settings import MotionTrainingSettings

MASKS = [torch.ones(5, 64, 48)] * 2
WAYS = {
    "LAMP": {},
    "both ends": {"both_ends": True},
    "learnt first frame": {"first_frame": "learnt"},
    "masks": {"masks": MASKS},
    "Recurrent": {"method": "Recurrent"},
    "Tune-A-Video": {"method": "Tune-A-Video"},
    "bf16": {"precision": "bf16"},
}


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))


@pytest.mark.parametrize("way", WAYS)
def test_it_reaches_the_loss_of_every_kind_of_training(way):
    plain, looking = run(name="a", **WAYS[way]), run(name="b", focus=0.8, **WAYS[way])
    assert all(0 < loss < 100 for loss in looking[1]["loss"])
    assert plain[1]["loss"][0] != looking[1]["loss"][0]  # one and the same error, weighted
    assert not same(plain[0].tensors, looking[0].tensors)


def test_it_is_another_training_kept_and_gone_on_with():
    plain, looking = run(name="a")[0], run(name="b", focus=0.75, save_every=3)[0]
    assert '"focus": 0.75' in looking.metadata["training"] and "focus" not in plain.metadata["training"]
    assert same(run(name="b", focus=0.75, resume=True)[0].tensors, looking.tensors)
    assert same(run(name="c", focus=0.0)[0].tensors, plain.tensors)
    with pytest.raises(ValueError, match="focus 0.75, now None"):
        run(name="b", resume=True)


def test_the_settings_node_leaves_it_to_the_recipe_or_says_what_it_may_be():
    inputs = {item.id: item for item in MotionTrainingSettings.define_schema().inputs}
    assert inputs["focus"].default == -1 and inputs["focus"].max == 1 and inputs["focus"].optional
    assert "focus" not in MotionTrainingSettings.execute(focus=-1.0).args[0]
    assert MotionTrainingSettings.execute(focus=0.5).args[0] == {"focus": 0.5}
    with pytest.raises(ValueError, match=r"^focus is -0\.5, 0\.0 is the least: choose more"):
        run(focus=-0.5)
