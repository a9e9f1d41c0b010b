"""Training sets of figures: files with captions and masks, and first frames that none of them has shown."""

from dataclasses import replace

import av
import courses
import figure_clips
import numpy as np
import stage


def decoded(file) -> np.ndarray:
    with av.open(file) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_clips_captions_and_masks_are_those_of_the_shots(tmp_path):
    shots = figure_clips.write_figure_set(
        tmp_path / "clips", "sits down", count=2, frames=5, camera="pans", actors=2, masks=tmp_path / "masks"
    )
    names = sorted(file.name for file in (tmp_path / "clips").iterdir())
    assert names == ["sits_down_0.mp4", "sits_down_0.txt", "sits_down_1.mp4", "sits_down_1.txt"]
    for i, shot in enumerate(shots):
        assert (tmp_path / "clips" / f"sits_down_{i}.txt").read_text().strip() == shot.caption()
        assert " sits down and a " in shot.caption() and shot.caption().endswith("while the camera pans")
        clip, exact = decoded(tmp_path / "clips" / f"sits_down_{i}.mp4"), stage.draw_clip(shot)
        assert clip.shape == (5, 128, 128, 3) and np.abs(clip.astype(int) - exact).mean() < 3
        mask = decoded(tmp_path / "masks" / f"sits_down_{i}.mp4")[..., 0]
        exact = np.array([stage.body(stage.part_masks(shot, k), 0) for k in range(5)])
        assert ((mask > 127) == (exact > 0.5)).mean() > 0.995


def test_a_written_clip_measures_as_the_drawn_one(tmp_path):
    shot = figure_clips.write_figure_set(tmp_path, "walks", count=1)[0]
    numbers = courses.measure_figure(decoded(tmp_path / "walks_0.mp4"), shot)
    assert numbers["found"] == 1 and numbers["limb_correlation"] > 0.95


def test_sets_are_varied_and_unseen_figures_are_new():
    rng = np.random.default_rng(0)
    shots = figure_clips.choose("waves", 8, 16, rng, "still", 1, [])
    figures = [shot.actors[0].figure for shot in shots]
    assert len(set(figures)) == 8 and {figure.height for figure in figures} == {"tall", "short"}
    assert len({figure.shirt for figure in figures}) >= 4 and len({shot.ground for shot in shots}) >= 4
    unseen = figure_clips.unseen_shots("waves", 8, 0, shots)
    assert not {shot.actors[0].figure for shot in unseen} & set(figures)
    assert unseen == figure_clips.unseen_shots("waves", 8, 0, shots)
    assert unseen != figure_clips.unseen_shots("waves", 8, 1, shots)
    first = shots[0].actors[0].figure
    others = figure_clips.choose("waves", 8, 16, np.random.default_rng(0), "still", 1, [first])
    assert first not in [shot.actors[0].figure for shot in others]


def test_a_set_begins_at_one_moment_of_its_gait_unless_anywhere_will_do():
    """All else is as it would be: who, where, before which camera, and a second figure in its own time."""
    one, anywhere = (
        figure_clips.choose("waves", 8, 16, np.random.default_rng(0), "shakes", 2, [], begin=begin)
        for begin in (0.25, None)
    )
    assert {shot.actors[0].phase for shot in one} == {0.25}
    assert len({shot.actors[0].phase for shot in anywhere}) == len({shot.actors[1].phase for shot in one}) == 8
    for cut, other in zip(one, anywhere, strict=True):
        first = replace(cut.actors[0], phase=other.actors[0].phase)
        assert replace(cut, actors=(first, *cut.actors[1:])) == other
    unseen = figure_clips.unseen_shots("waves", 2, 0, one)
    assert {shot.actors[0].phase for shot in unseen} == {0.0}
