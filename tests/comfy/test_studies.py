"""The studies' harness: what is kept and what is made anew; and every study on it once, as small as it goes."""

import asyncio
import importlib
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import clips
import folder_paths
import nodes
import numpy as np
import pytest
import torch
import unets
import world
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.mask_predictor import resize_masks
from safetensors import safe_open
from scipy import ndimage
from test_recurrent_in_a_model import made_for, output
from testset import Case

from dev.base import MINIATURE
from dev.studies import classroom, harness, methods_on, methods_room, recurrent, study_page
from dev.studies.judge import Judge, with_masks

ADAPTERS = MINIATURE / "models" / "motion_adapters"


@pytest.fixture(autouse=True)
def own_output(tmp_path, monkeypatch):
    """Studies set ComfyUI's output folder."""
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))


LEARNT = 2  # of the rows that are learnt anew, which differ in a setting of the training alone; each takes seconds
SOME = {  # the others are much like these
    "masks": ("LAMP, predictor learnt apart", "predictor on noise", "mask-conditioned"),
    "gaits": ("walks", "walks, without adapter", "waves, the camera pans, exact but coded"),
    "gaits_ti2v": ("walks, no inversion", "waves, inversion, resample 2", "walks, inversion, strength 0.25"),
}  # fmt: skip
OF_FIGURES = {"gaits": "figures_checkpoint", "gaits_ti2v": "figures_prior", "moving_masks": "figures_checkpoint"}

STUDIES = sorted(
    file.stem
    for file in study_page.WORDS.glob("*.py")
    if "\nSTUDY = " in file.read_text(encoding="utf-8") and file.stem != "real"  # it wants clips: test_filmed.py
)


@pytest.mark.parametrize("name", STUDIES)
def test_every_row_of_every_study_can_be_made(name, request):
    if name in OF_FIGURES:
        request.getfixturevalue(OF_FIGURES[name])
    study = importlib.import_module(f"dev.studies.{name}").STUDY
    learnt = [row for row, how in study.variants.items() if row.startswith("learnt anew") and how["first_frame"]]
    rows = {row: settings for row, settings in study.variants.items() if row not in learnt[LEARNT:]}
    rows = {row: rows[row] for row in SOME.get(name, rows)}
    if name == "noise":  # weights are numbers alone: one of them stands for the others
        rows = {row: settings for row, settings in rows.items() if settings["alpha"] in (0.0, 0.2)}
    results = harness.quick(study, rows)
    assert list(results["rows"]) == list(rows)
    for row, settings in rows.items():
        wanted = set(study.measures) - {"diversity"}  # of several clips
        if not settings.get("first_frame", True):
            wanted -= {"first_frame_jump"}
        if name == "masks" and not row.startswith(("LAMP, ", "predictor", "split")):
            wanted -= {"mask_iou", "mask_iou_px"}
        if name in OF_FIGURES:
            wanted -= _not_of(settings)
        found = results["rows"][row]["0"]
        assert set(found) == wanted, row
        assert all(math.isfinite(value) for value in found.values()), (row, found)
    if (study_page.RESULTS / f"{name}.json").exists():
        kept = study_page.kept(name)
        assert set(kept["rows"]) <= set(study.variants) and kept["measures"] == list(study.measures)


def _not_of(settings: dict) -> set[str]:
    """Measures that a clip of figures by these settings does not have."""
    none = {"background_change"} if settings["camera"] != "still" else {"flow_error", "flow_length", "flow_cosine"}
    none |= {"second_found"} if settings["actors"] == 1 else set()
    return none if settings.get("learning", {}).get("mask_input") == "x0" else none | {"mask_iou", "mask_iou_px"}


def test_the_methods_run_on_a_checkpoint_of_ones_own(tmp_path, monkeypatch):
    asyncio.run(nodes.load_custom_node(str(MINIATURE)))
    monkeypatch.setattr(folder_paths, "input_directory", folder_paths.input_directory)  # which the command sets
    monkeypatch.setattr(methods_on, "STATE", tmp_path)
    for kind in ("checkpoints", "motion_adapters", "clip_vision"):  # it adds a folder to
        there, endings = folder_paths.folder_names_and_paths[kind]
        monkeypatch.setitem(folder_paths.folder_names_and_paths, kind, (list(there), endings))
    clips.write_training_set(tmp_path / "three", "moves right", count=3, frames=4)
    models = MINIATURE / "models"
    methods_on.main(
        ["--checkpoint", f"{models}/checkpoints/miniature.safetensors", "--clips", f"{tmp_path}/three", "--clip-file",
         f"{models}/clip_vision/miniature_clip.safetensors", "--motion-module",
         f"{models}/motion_adapters/miniature_motion.safetensors", "--prompts", "a red ball on grass",
         "a blue box on snow", *"--seeds 1 --frames 4 --width 96 --height 64 --steps 1 --training-steps 1".split()]
    )  # fmt: skip
    folder = tmp_path / "study" / "methods_on" / "miniature"
    results = json.loads((folder / "results.json").read_text())
    assert list(results["rows"]) == list(methods_room.VARIANTS) and results["scenes"] == 2
    for row, seeds in results["rows"].items():
        given = row in ("LAMP", "TI2V-Zero, fast")
        assert set(seeds) == {"0"}, row
        assert set(seeds["0"]) == set(methods_on.MEASURES) - (set() if given else {"first_frame_jump"}), row
        assert all(math.isfinite(value) for value in seeds["0"].values()), row
    clip = np.load(next(folder.glob("*.npz")))["array"]
    assert clip.shape == (4, 64, 96, 3)


CASE = Case(
    world.Scene("red", "ball", "grass"), "moves right", world.path("moves right", world.State(4.0, 8.0), 4)
)  # fmt: skip

OTHER = replace(CASE, scene=replace(CASE.scene, colour="blue"))


@pytest.fixture
def study(tmp_path):
    """One that draws the exact clip, or a still one; `made` lists what was made, and `cut` ends it before the next."""
    made, cut = [], []

    def make(room, settings, case, seed) -> np.ndarray:
        if len(made) in cut:
            raise KeyboardInterrupt
        made.append((settings["moves"], seed, case.scene.colour))
        return case.draw() if settings["moves"] else case.draw()[:1].repeat(len(case.states), axis=0)

    asyncio.run(nodes.load_custom_node(str(MINIATURE)))
    variants = {"exact": {"moves": True}, "still": {"moves": False}}
    asked = []
    room = SimpleNamespace(cases=lambda frames, motion=None: asked.append((frames, motion)) or [CASE, OTHER])
    study = harness.Study(
        "tried", variants, ("path_error", "unet_frames"), ("path_error",), lambda *_: room, make
    )  # fmt: skip

    def run(**changes) -> dict:
        return harness.measured(study, {**variants, **changes}, tmp_path, seeds=2, scenes=1, frames=4)["rows"]

    return SimpleNamespace(run=run, made=made, cut=cut, study=study, asked=asked)


def test_every_seed_has_its_own_first_frame_and_a_clip_is_made_once_and_anew_where_its_settings_change(study):
    rows = study.run()
    assert study.made == [(moves, *own) for own in ((0, "red"), (1, "blue")) for moves in (True, False)]
    assert rows["exact"]["0"]["path_error"] < 0.1 < rows["still"]["0"]["path_error"]
    assert rows["exact"]["0"]["unet_frames"] == 0
    assert study.run() == rows and len(study.made) == 4
    study.run(still={"moves": False, "other": 1})
    assert study.made[4:] == [(False, 0, "red"), (False, 1, "blue")]


def test_a_row_may_be_of_another_motion_and_of_another_length(study):
    study.run(still={"moves": False, "motion": "falls", "frames": 9})
    assert study.asked == [(4, None), (9, "falls")] * 2


def test_a_blurred_clip_is_less_sharp_and_the_exact_one_is_as_sharp_as_can_be():
    asyncio.run(nodes.load_custom_node(str(MINIATURE)))
    blurred = ndimage.gaussian_filter(CASE.draw().astype(float), (0, 1, 1, 0)).round().astype(np.uint8)
    exact, soft = (Judge().of(clip, CASE, True, ["sharpness"])["sharpness"] for clip in (CASE.draw(), blurred))
    assert exact == pytest.approx(1, abs=0.05) and 0.25 < soft < 0.45


def test_first_frames_of_every_motion_are_new_to_what_comes_along(tmp_path):
    room = classroom.Shipped(6, tmp_path)
    for name in ("moves_right", "moves_right_to_an_end", "falls", "orbits", "recurrent"):
        with safe_open(ADAPTERS / f"miniature_{name}.safetensors", "pt") as file:
            learnt = set(json.loads(file.metadata()["prompts"]))
        for motion in ("moves right", "falls", "orbits"):
            cases = room.cases(5, motion)
            assert len(cases) == 6 and {case.motion for case in cases} == {motion}
            assert not {case.caption for case in cases} & learnt, name
    assert room.cases() == room.cases(16, "moves right")


def test_a_cut_run_goes_on(study):
    study.cut.append(2)
    with pytest.raises(KeyboardInterrupt):
        study.run()
    study.cut.clear()
    study.run()
    assert len(study.made) == 4


def test_rows_that_were_not_asked_for_stay_unless_they_are_of_another_size(study, tmp_path, monkeypatch):
    monkeypatch.setattr(study_page, "RESULTS", tmp_path)

    def kept(row: str, scenes: int) -> list[str]:
        harness.keep(study.study, {"scenes": scenes, "frames": 4, "rows": {row: {"0": {"path_error": 2.0}}}})
        return list(study_page.kept("tried")["rows"])

    assert kept("still", 2) == ["still"]
    assert kept("exact", 2) == ["exact", "still"]  # as the study has them
    assert kept("still", 3) == ["still"]


def test_masks_are_held_against_the_subject_in_the_picture_after_the_first_frame(study):
    clip, measures = CASE.draw(), ("mask_iou", "mask_iou_px")
    subjects = torch.stack([torch.from_numpy(world.subject_mask("ball", state)) for state in CASE.states])
    masks = resize_masks(subjects.float(), world.CELLS, world.CELLS)

    def of(masks: torch.Tensor) -> dict[str, float]:
        return Judge().of(with_masks(clip, masks), CASE, True, measures)

    exact = of(masks)
    assert exact["mask_iou"] > 0.9 and 0.6 < exact["mask_iou_px"] < 1
    aside = of(masks.roll(2, dims=-1))
    assert all(aside[measure] < exact[measure] - 0.2 for measure in measures)
    assert of(torch.cat([torch.ones_like(masks[:1]), masks[1:]])) == exact
    assert Judge().of(clip, CASE, True, measures) == {}


def test_diversity_is_of_clips_together(study):
    judge, still = Judge(), CASE.draw()[:1]
    same = judge.together([still, with_masks(still, torch.zeros(1, world.CELLS, world.CELLS))], ["diversity"])
    assert same == {"diversity": pytest.approx(1, abs=1e-5)}
    assert judge.together([still, OTHER.draw()[:1]], ["diversity"])["diversity"] < 0.9
    assert judge.together([still], ["diversity"]) == judge.together([still, still], ["consistency"]) == {}


def test_a_memory_set_to_zero_leaves_the_attention_beside_it():
    base = unets.sd_model(unets.TINY)
    learnt = made_for(base, "fixed")
    learnt = replace(learnt, tensors={name: value for name, value in learnt.tensors.items() if "conv" not in name})
    tensors = {name: value for name, value in learnt.tensors.items() if "memory" not in name}
    beside = MotionAdapter("tune-a-video", tensors)
    zeroed, without, whole = (
        output(apply_adapter(base, adapter)) for adapter in (recurrent.without_memory(learnt), beside, learnt)
    )
    assert torch.allclose(zeroed, without, atol=1e-4)
    assert (whole - without).abs().max() > 1e-2


def test_what_a_clip_costs_is_counted_in_frames_that_go_through_a_unet():
    unet = unets.sd_model(unets.TINY).model.diffusion_model
    x, times, words = torch.randn(6, 4, 8, 8), torch.ones(6), torch.randn(6, 9, 64)
    with harness.unet_frames() as seen:
        with torch.no_grad():
            unet(x, times, words)
        unet(x, times, words)  # as in training
    unet(x, times, words)
    assert seen == [6]
