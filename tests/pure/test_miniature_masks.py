"""Exact masks beside the miniature's clips, and how far a background drifts."""

import av
import clips
import measure
import numpy as np
import pytest
import world

SCENE = world.Scene("red", "ring", "sand")
STATES = world.path("moves right", world.State(4.0, 8.0), 6)


def test_masks_are_videos_of_the_same_names(tmp_path):
    scenes = clips.write_training_set(tmp_path / "clips", "falls", count=2, frames=3, masks=tmp_path / "masks")
    names = [sorted(file.name for file in (tmp_path / part).glob("*.mp4")) for part in ("clips", "masks")]
    assert names[0] == names[1] == ["falls_0.mp4", "falls_1.mp4"]
    for i, scene in enumerate(scenes):
        with (
            av.open(tmp_path / "clips" / f"falls_{i}.mp4") as clip,
            av.open(tmp_path / "masks" / f"falls_{i}.mp4") as mask,
        ):
            pairs = [
                (a.to_ndarray(format="rgb24"), b.to_ndarray(format="rgb24"))
                for a, b in zip(clip.decode(), mask.decode(), strict=True)
            ]
        assert len(pairs) == 3
        for picture, white in pairs:
            subject = measure.find_subject(picture, (scene.shape,)).mask
            assert ((white[..., 0] > 127) == subject).mean() > 0.995


def test_mask_clip_is_the_exact_subject():
    mask = clips.mask_clip(SCENE, STATES)
    assert mask.shape == (6, 128, 128) and set(np.unique(mask)) == {0, 255}
    clip = world.draw_clip(SCENE, STATES)
    ground = world.draw(SCENE, world.State(-20.0, -20.0))
    assert ((clip != ground[None]).any(axis=-1) == (mask == 255)).all()


def test_a_background_that_stands_still_does_not_change_whatever_the_subject_does():
    assert measure.background_change(world.draw_clip(SCENE, STATES), SCENE.shape) == 0


@pytest.mark.parametrize("levels", [2, 5])
def test_drift_is_measured_against_the_first_frame(levels):
    clip = world.draw_clip(SCENE, STATES)
    clip[1:] -= np.uint8(levels)
    assert measure.background_change(clip, SCENE.shape) == pytest.approx(levels)
    clip[1] += np.uint8(levels)  # one frame of five is back where it was
    assert measure.background_change(clip, SCENE.shape) == pytest.approx(levels * 0.8)
