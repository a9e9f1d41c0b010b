"""The miniature world: its drawing is exact, its clips are ordinary files, its autoencoder's encoder is linear and
readable.
"""

from collections import Counter

import av
import clips
import numpy as np
import pytest
import torch
import vae
import world

MOTIONS = list(world.MOTIONS)


def test_vocabulary_is_large_enough():
    assert len(world.COLOURS) >= 6 and len(world.SHAPES) >= 5 and len(world.BACKGROUNDS) >= 5 and len(MOTIONS) >= 8
    assert (
        len(set(world.all_scenes()))
        == len(world.all_scenes())
        == len(world.COLOURS) * len(world.SHAPES) * len(world.BACKGROUNDS)
    )


def test_captions_are_sentences():
    assert world.Scene("red", "ball", "grass").caption("moves right") == "a red ball on grass moves right"
    assert world.Scene("orange", "ring", "sand").caption() == "an orange ring on sand"


@pytest.mark.parametrize("shape", world.SHAPES)
def test_mask_is_where_the_picture_is_not_background(shape):
    scene, state = world.Scene("red", shape, "snow"), world.State(7.3, 9.1)
    nowhere = world.State(-50.0, -50.0)
    differs = (world.draw(scene, state) != world.draw(scene, nowhere)).any(axis=-1)
    assert np.array_equal(differs, world.subject_mask(shape, state))


@pytest.mark.parametrize("shape", world.SHAPES)
def test_many_masks_at_once_are_the_single_ones(shape):
    states = [world.State(7.3, 9.1), world.State(0.4, 15.0, 3.0)]
    x, y, size = np.array([(state.x, state.y, state.size) for state in states]).T
    masks = world.art_masks(shape, x, y, size, slice(None), slice(None))
    for mask, state in zip(masks, states, strict=True):
        assert np.array_equal(mask, world.subject_mask(shape, state)[:: world.ART, :: world.ART])
    assert np.array_equal(world.art_masks(shape, x, y, size, slice(8, 30), slice(20, 50)), masks[:, 8:30, 20:50])


@pytest.mark.parametrize("motion", MOTIONS)
def test_sixteen_frames_stay_inside_the_picture(motion):
    rng = np.random.default_rng(0)
    for _ in range(50):
        for state in world.path(motion, world.start_state(motion, rng)):
            half = state.size / 2
            assert half <= state.x <= world.CELLS - half and half <= state.y <= world.CELLS - half


def test_falling_accelerates_and_orbit_closes():
    falls = np.diff([state.y for state in world.path("falls", world.State(8, 4))])
    assert np.all(np.diff(falls) > 0)
    orbit = world.path("orbits", world.State(8, 4), frames=17)
    assert np.allclose((orbit[16].x, orbit[16].y), (8, 4))


@pytest.mark.parametrize("motion", MOTIONS)
def test_training_set_is_a_folder_of_clips_with_captions(tmp_path, motion):
    scenes = clips.write_training_set(tmp_path, motion, count=3, frames=5)
    name = motion.replace(" ", "_")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        f"{name}_{i}.{end}" for i in range(3) for end in ("mp4", "txt")
    )
    for i, scene in enumerate(scenes):
        assert (tmp_path / f"{name}_{i}.txt").read_text(encoding="utf-8").strip() == scene.caption(motion)
        with av.open(tmp_path / f"{name}_{i}.mp4") as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            assert float(container.streams.video[0].average_rate) == world.FPS
        assert np.shape(frames) == (5, 128, 128, 3)


def test_clips_keep_their_colours(tmp_path):
    scene, states = world.Scene("red", "cross", "water"), world.path("moves right", world.State(4, 8))
    clips.write_clip(tmp_path / "clip.mp4", world.draw_clip(scene, states))
    with av.open(tmp_path / "clip.mp4") as container:
        read = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert np.abs(read.astype(int) - world.draw_clip(scene, states)).max() <= 20


def test_failed_clip_leaves_nothing(tmp_path):
    with pytest.raises(ValueError):
        clips.write_clip(tmp_path / "clip.mp4", np.zeros((2, 128, 128, 5), dtype=np.uint8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("motion", MOTIONS)
def test_scenes_of_a_training_set_are_spread_and_repeatable(tmp_path, motion):
    scenes = clips.write_training_set(tmp_path / "a", motion, count=8, frames=1)
    assert len(set(scenes)) == 8
    for word, values in (("colour", world.COLOURS), ("shape", world.SHAPES), ("background", world.BACKGROUNDS)):
        used = Counter(getattr(scene, word) for scene in scenes)
        assert len(used) == len(values) and max(used.values()) == 2
    assert clips.write_training_set(tmp_path / "b", motion, count=8, frames=1) == scenes
    assert clips.write_training_set(tmp_path / "c", motion, count=8, frames=1, seed=1) != scenes


def test_first_frames_are_unseen(tmp_path):
    trained = {motion: clips.write_training_set(tmp_path / motion, motion, frames=1) for motion in MOTIONS[:2]}
    for motion, seen in trained.items():
        chosen = clips.first_frames(motion, 8, 0, seen)
        assert len({scene for scene, _ in chosen}) == 8 and not {scene for scene, _ in chosen} & set(seen)
        assert len({(start.x, start.y) for _, start in chosen}) == 8
        assert chosen == clips.first_frames(motion, 8, 0, seen)
    with pytest.raises(ValueError, match="3 scenes asked for, 2 left"):
        clips.first_frames("falls", 3, 0, world.all_scenes()[2:])


def test_latents_can_be_read_by_eye():
    grey = torch.full((1, 3, 16, 24), 0.5)
    assert torch.equal(vae.encode(grey), torch.zeros(1, 4, 2, 3))
    bright_right = grey.clone()
    bright_right[:, :, 8:, 4:8] += 0.1  # the right half of the cell in row 1, column 0
    latents = vae.encode(bright_right)[0]
    assert latents[:3, 1, 0] == pytest.approx(0.05 * vae.COLOUR_GAIN, abs=1e-5)
    assert latents[3, 1, 0] == pytest.approx(0.1 * vae.DETAIL_GAIN, abs=1e-5)
    latents[:, 1, 0] = 0
    assert latents.abs().max() < 1e-5


def test_encoder_is_affine():
    a, b = torch.rand(2, 1, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    middle = vae.encode(0.25 * a + 0.75 * b)
    assert (middle - 0.25 * vae.encode(a) - 0.75 * vae.encode(b)).abs().max() < 1e-12
