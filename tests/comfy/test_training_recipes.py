"""Recipes and Motion Training Settings: what is trained with is what a user set, else the recipe's, and it is said."""

import folder_paths
import pytest
import torch
import unets
from classroom import CAPTIONS, CLIPS, SETTINGS, MeanVae, run, same
from few_shot_motion.host.training import lesson_plan
from few_shot_motion.host.training.recipes import DEFAULTS, OPEN, RECIPES, resolve
from few_shot_motion.host.training.settings import LATER
from few_shot_motion.nodes.training import TrainMotionLoRA
from few_shot_motion.nodes.training_settings import MotionTrainingSettings


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "motion_adapters"


PAPERS = {
    "paper: LAMP": {"method": "LAMP", "steps": 30000, "learning_rate": 3e-5, "rank": 0, "query_rate": 1.0,
                    "weighting": "uniform", "flip": True, "frames": 16, "lr_schedule": "constant"},
    "paper: recurrent": {"method": "Recurrent", "steps": 16000, "learning_rate": 3e-5, "rank": 0, "flip": False,
                         "lr_schedule": "warm-up, linear decay", "recurrence": "paper", "frames": 16},
    "paper: Tune-A-Video": {"method": "Tune-A-Video", "steps": 500, "learning_rate": 3e-5, "rank": 0, "frames": 24,
                            "lr_schedule": "constant", "flip": False},
    "fast": {"method": "LAMP", "steps": 2000, "learning_rate": 1e-4, "rank": 32, "frames": 16, "query_rate": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("recipe", PAPERS)
def test_a_recipe_sets_what_its_paper_says(recipe):
    values, said = resolve(recipe, {"method": "LAMP", **OPEN, **DEFAULTS}, {})
    assert {key: values[key] for key in PAPERS[recipe]} == PAPERS[recipe] and said == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_set_by_hand_counts_before_every_recipe(recipe):
    mine = {"steps": 7, "learning_rate": 0.5, "rank": 5, "frames": 9}
    values, said = resolve(recipe, {**DEFAULTS, **mine}, {})
    assert {key: values[key] for key in mine} == mine and len(said) == 4
    values, said = resolve(recipe, {**DEFAULTS, **OPEN, "flip": True, "query_rate": 0.7}, {"query_rate": 0.4})
    assert values["flip"] is True and values["query_rate"] == 0.4


def test_a_workflow_of_the_first_version_trains_as_it_did():
    """Its widgets, all of them, whatever they were, are what is trained with: under the new recipe widget's default as
    well as under none.
    """
    old = {**DEFAULTS, **SETTINGS, "steps": 2000, "rank": 32, "learning_rate": 1e-4}
    for changes in ({}, {"flip": True}, {"lr_schedule": "warm-up, linear decay", "weighting": "uniform"}, {"rank": 0}):
        for recipe in ("fast", "custom"):
            assert resolve(recipe, {**old, **changes}, {})[0] == {**LATER, **old, **changes}


@pytest.mark.parametrize("name, value", [("frames", 1025), ("rank", -2), ("rank", 513), ("steps", -1),
                                         ("batch_size", 65), ("learning_rate", 2.0), ("seed", -1),
                                         ("fps", 500.0)])  # fmt: skip
def test_limits_of_widgets_are_limits_of_the_node(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}, it goes from"):
        run(unets.sd_model(unets.NANO), **{name: value})


@pytest.mark.parametrize("name, value", [("frames", 1), ("learning_rate", 1e-9), ("width", 8), ("height", 1)])
def test_numbers_between_open_and_the_least_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}, .* is the least: choose more"):
        run(unets.sd_model(unets.NANO), **{name: value})


@pytest.mark.parametrize("name, value", [("recipe", "slow"), ("method", "lamp")])
def test_words_that_are_none_of_the_choices(name, value):
    with pytest.raises(ValueError, match=f"{name} is '{value}', which is none of its choices: choose "):
        run(unets.sd_model(unets.NANO), **{name: value})


def chosen(**changes) -> dict:
    defaults = {item.id: item.default if item.default is not None else getattr(item, "options", [None])[0]
                for item in MotionTrainingSettings.define_schema().inputs if hasattr(item, "default")}  # fmt: skip
    return MotionTrainingSettings.execute(**{**defaults, **changes}).args[0]


def test_untouched_settings_change_no_recipe():
    for recipe in RECIPES:
        assert resolve(recipe, {**DEFAULTS, **OPEN}, chosen())[0] == resolve(recipe, {**DEFAULTS, **OPEN}, {})[0]


def test_settings_count_most():
    given = chosen(flip="off", batch_size=3, query_rate=0.0, group_norm="per frame", motion_convolutions="on")
    values, said = resolve("paper: LAMP", {**DEFAULTS, **OPEN}, given)
    assert (values["flip"], values["batch_size"], values["query_rate"], values["group_norm"]) == (
        False, 3, 0.0, "per frame")  # fmt: skip
    assert values["motion_convolutions"] is True and "flip False" in said


def node(recipe: str = "fast", settings: dict | None = None, **changes):
    """The node's whole output, as the executor would call it with the new widgets only."""
    given = {"method": "LAMP", **OPEN, "seed": 1, "name": "run", "width": 0, "height": 0, "resume": False,
             "recipe": recipe, "fps": 8.0, "sample_every": 0, **changes}  # fmt: skip
    with torch.inference_mode():
        return TrainMotionLoRA.execute(
            [unets.sd_model(unets.NANO)], [MeanVae()], CLIPS, CAPTIONS, ["a", "b"],
            settings=[settings] if settings else [{}], **{key: [value] for key, value in given.items()},
        )  # fmt: skip


def test_what_was_trained_with_is_on_the_node_and_in_the_adapter():
    output = node(frames=4, steps=2, settings=chosen(precision="fp32", gradient_checkpointing=False))
    shown = output.ui["text"][0] if isinstance(output.ui["text"], (list, tuple)) else output.ui["text"]
    assert "Recipe fast: LAMP, 4 frames, 2 steps at 0.0001 (constant), rank 32" in shown
    assert "set by hand: frames 4, gradient_checkpointing False, precision fp32, steps 2." in shown
    assert "2 clips will be learnt by heart" in shown and "Training takes about" in shown
    metadata = output.args[0].metadata
    assert metadata["recipe"] == "fast" and '"rank": 32' in metadata["training"] and metadata["fps"] == "8"


def test_settings_of_the_node_train_as_the_hidden_widgets_do():
    hidden = run(unets.sd_model(unets.NANO), rank=3, flip=True, precision="fp32", query_rate=0.5)[0]
    given = chosen(flip="on", precision="fp32", query_rate=0.5, gradient_checkpointing=False, weighting="uniform")
    linked = node("custom", frames=4, steps=6, learning_rate=1e-3, rank=3, settings=given).args[0]
    assert same(hidden.tensors, linked.tensors)


def test_hidden_widgets_are_those_of_the_first_version():
    """Their places too: workflows store widgets by position."""
    inputs = [item.id for item in TrainMotionLoRA.define_schema().inputs]
    first = ["model", "vae", "clips", "positive", "method", "frames", "steps", "learning_rate", "rank", "seed", "name",
             "width", "height", "batch_size", "query_rate", "frame_step", "flip", "group_norm", "precision",
             "gradient_checkpointing", "save_every", "resume", "weighting", "captions", "masks", "mask_input",
             "mask_weight", "mask_weighting", "mask_targets", "split", "split_weight", "lr_schedule", "recurrence",
             "motion_convolutions"]  # fmt: skip
    assert inputs[: len(first)] == first
    schema = TrainMotionLoRA.INPUT_TYPES()
    assert [*schema["required"], *schema["optional"]] == inputs
    hidden = {key for key, (_, *options) in schema["optional"].items() if options and options[0].get("hidden")}
    assert hidden == {key for key in first if key in DEFAULTS}
    assert lesson_plan
