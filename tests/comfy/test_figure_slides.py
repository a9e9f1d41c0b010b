"""The room of TI2V-Zero's rows on figures: cases as its prior knows them, and what it says where there is none."""

import folder_paths
import numpy as np
import pytest

from dev.studies import figure_room, gaits_ti2v


@pytest.fixture(autouse=True)
def own_output(tmp_path, monkeypatch):
    """A room sets ComfyUI's output folder."""
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))


def test_figures_walk_on_the_spot_and_clips_are_named_by_the_prior_too(figures_prior, tmp_path):
    room = gaits_ti2v.Room(6, tmp_path)
    cases = room.cases(5, motion="walks", camera="still", actors=1, alike=False)
    moving = figure_room.FigureRoom.cases(room, 5, motion="walks", camera="still", actors=1, alike=False)
    assert any(case.shot.actors[0].goes for case in moving)
    for case, goes in zip(cases, moving, strict=True):
        assert case.caption.endswith(" walks") and case.shot.actors[0].figure == goes.shot.actors[0].figure
    assert len(set(room.made_by)) == 3


def test_known_frames_are_those_before_the_clip_and_are_left_out(figures_prior, tmp_path, monkeypatch):
    room, asked = gaits_ti2v.Room(1, tmp_path), []

    def slide(case, given, frames, window, seed, pictures, **how):
        asked.append((list(given), frames, window, pictures, how))
        return pictures

    monkeypatch.setattr(room.studio, "slide", slide)
    (case,) = room.cases(6, motion="walks", camera="still", actors=1, alike=False)
    for row, known in ("inversion", [0]), ("inversion, four known", [0, 1, 2, 3]):
        clip = gaits_ti2v.make(room, gaits_ti2v.STUDY.variants[f"walks, {row}"], case, 3)
        given, frames, window, pictures, how = asked.pop()
        assert (given, frames, window, how["inversion"]) == (known, 5 + len(known), 6, True)
        assert np.array_equal(clip, case.draw()) and np.array_equal(pictures[len(known) - 1 :], clip)
        assert len(np.unique(pictures, axis=0)) == frames  # it walks before it begins, too


def test_without_a_prior_it_says_what_trains_it(figures_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(gaits_ti2v, "PRIOR", "not_learnt_yet.safetensors")
    with pytest.raises(SystemExit, match="no motion prior not_learnt_yet.safetensors yet: .* train_figure_prior "):
        gaits_ti2v.Room(1, tmp_path)
