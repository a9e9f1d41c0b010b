"""The room of TI2V-Zero's rows on figures: cases as its prior knows them, and what it says where there is none."""

import folder_paths
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


def test_without_a_prior_it_says_what_trains_it(figures_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(gaits_ti2v, "PRIOR", "not_learnt_yet.safetensors")
    with pytest.raises(SystemExit, match="no motion prior not_learnt_yet.safetensors yet: .* train_figure_prior "):
        gaits_ti2v.Room(1, tmp_path)
