"""The room of the second edition's studies: sets and first frames of every kind, and what it says without weights."""

from dataclasses import replace
from types import SimpleNamespace

import folder_paths
import numpy as np
import pytest
import stage

from dev.studies import figure_room, gaits, harness, moving_masks
from dev.studies.figure_room import FigureRoom
from dev.studies.studio import pixels


@pytest.fixture(autouse=True)
def own_output(tmp_path, monkeypatch):
    """A room sets ComfyUI's output folder."""
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))


@pytest.fixture
def room(figures_checkpoint, tmp_path):
    """One of three first frames of every kind."""
    return FigureRoom(3, tmp_path)


def test_sets_and_first_frames_are_of_the_kind_asked_for_and_no_figure_is_in_both(room):
    kinds = [("waves", "pans", 1, True), ("walks", "still", 2, False)]
    for number, (motion, camera, actors, alike) in enumerate(kinds):
        cases = room.cases(5, motion=motion, camera=camera, actors=actors, alike=alike)
        shown, shots = room.shown((motion, camera, actors, alike))
        assert list(shown) == list(range(8 * number, 8 * number + 8)) and len(shots) == 8
        assert len(cases) == 3 and len({harness.clip_file(room.results, {}, 0, case, 5, []) for case in cases}) == 3
        again = figure_room.FigureCase(replace(cases[0].shot, seed=cases[0].shot.seed + 1))  # in the same words
        files = {harness.clip_file(room.results, {}, 0, case, 5, []) for case in (cases[0], again)}
        assert len(files) == 2 and again.caption == cases[0].caption
        figures = {actor.figure for shot in shots for actor in shot.actors}
        for case in cases:
            assert case.shot.frames == 5 and len(case.draw()) == 5 and case.shot.actors[0].figure not in figures
        for shot in [*shots, *(case.shot for case in cases)]:
            assert (shot.actors[0].motion, shot.camera, len(shot.actors)) == (motion, camera, actors)
            assert not alike or shot.actors[0].phase == 0
            if camera == "pans":  # all one way, for nothing says which
                assert shot.cameras()[-1].x > shot.cameras()[0].x
        for i, shot in zip(shown, shots, strict=True):
            assert room.captions[i] == shot.caption()
            assert np.abs(room.clips[i].numpy() * 255 - stage.draw_clip(shot)).mean() < 3
            exact = np.stack([stage.body(stage.part_masks(shot, k), 0) for k in range(shot.frames)])
            assert ((room.masks[i].numpy() > 0.5) == (exact > 0.5)).mean() > 0.995
        assert room.cases(5, motion=motion, camera=camera, actors=actors, alike=alike) == cases
    assert len(room.clips) == len(room.masks) == len(room.captions) == 16


def test_every_row_learns_from_its_own_kind_and_with_masks_where_it_has_any(room, monkeypatch):
    learnt, kinds = {}, []

    def shown(kind):
        kinds.extend([kind] if kind not in kinds else [])
        return range(8 * kinds.index(kind), 8 * kinds.index(kind) + 8), []

    monkeypatch.setattr(room, "shown", shown)
    monkeypatch.setattr(room, "masks", list(range(100)))
    monkeypatch.setattr(room, "taught", lambda name, seed, steps, **how: learnt.update({name: (seed, steps, how)}))
    rows = [row for study in (moving_masks.STUDY, gaits.STUDY) for row in study.variants.values() if "training" in row]
    for settings in rows:
        room.adapter(settings, 2, 16)
    assert len(learnt) == len(rows) == 8  # no two under one name
    for settings, (name, (seed, steps, how)) in zip(rows, learnt.items(), strict=True):
        only = list(shown(figure_room.kind_of(settings))[0])
        assert (seed, steps, how["frames"]) == (2, settings["training"], 16) and room.made_by[0] in name
        assert list(how["only"]) == only and how.get("masks", []) == (
            only if "mask_input" in settings["learning"] else []
        )
        assert how.items() >= settings["learning"].items() and how["group_norm"] == "per frame"
        assert how.get("split", False) == ("split" in settings["learning"])


def test_an_exact_clip_is_coded_by_the_autoencoder_and_by_nothing_else():
    case = figure_room.FigureCase(stage.random_shot(np.random.default_rng(0), "walks", "pans"))
    lossless = SimpleNamespace(vae=SimpleNamespace(encode=lambda pictures: pictures), drawn=pixels)
    settings = next(row for row in gaits.STUDY.variants.values() if row.get("coded"))
    assert np.array_equal(figure_room.make(lossless, settings, case, 1), case.draw())


@pytest.mark.parametrize("row, applies", [("waves", True), ("waves, without adapter", False)])
def test_a_row_does_what_it_learnt_if_it_learns(row, applies, monkeypatch):
    case = figure_room.FigureCase(stage.random_shot(np.random.default_rng(0), "waves", "still"))
    applied, learnt = [], SimpleNamespace(metadata={})
    monkeypatch.setattr(figure_room, "apply_adapter", lambda *what, **how: applied.append(what))
    there = SimpleNamespace(
        model="the image model", adapter=lambda *_: learnt, drawn=lambda latent: latent,
        vae=SimpleNamespace(encode=lambda pictures: pictures), encode=lambda caption: caption,
        animate=lambda *_, **how: {"samples": "a clip"},
    )  # fmt: skip
    assert figure_room.make(there, gaits.STUDY.variants[row], case, 1) == "a clip"
    assert applied == [("the image model", learnt)] * applies


def test_without_weights_a_study_says_what_makes_them(tmp_path, monkeypatch):
    monkeypatch.setattr(figure_room, "FIGURES", tmp_path / "of_no_such_name.safetensors")
    commands = "train_autoencoder.py .*train_figures .*--output miniature/models/checkpoints/figures.safetensors"
    with pytest.raises(SystemExit, match=f"no figures.safetensors .*{commands}"):
        FigureRoom(1, tmp_path)
