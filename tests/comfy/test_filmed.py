"""The study of real clips: what the UNet is taught, and the whole study once, where the clips are."""

import itertools
import math
from collections import Counter

import config
import folder_paths
import image_model
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dev.studies import real
from dev.studies.filmed import clips, unet
from dev.trouble import Trouble

with_clips = pytest.mark.skipif(not clips.REAL.is_dir(), reason="the real clips are not there")
LATENTS = {name: torch.full((3, 4, 2, 2), float(i)) for i, name in enumerate(clips.CAPTIONS)}


@pytest.fixture(autouse=True)
def own_output(tmp_path, monkeypatch):
    """Studies set ComfyUI's output folder and add folders of models."""
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    monkeypatch.setattr(
        folder_paths,
        "folder_names_and_paths",
        {key: (list(paths), kinds) for key, (paths, kinds) in folder_paths.folder_names_and_paths.items()},
    )


def test_every_other_frame_is_of_a_walk_and_goes_with_its_clips_caption():
    pictures, captions = unet.lessons(LATENTS).pictures(1, 5, 200)
    names = [list(LATENTS)[int(one[0, 0, 0])] for one in pictures]
    assert [name in clips.WALKS for name in names] == [False, True] * 100
    assert len(set(names)) > 20
    said = Counter(caption == clips.CAPTIONS[name] for name, caption in zip(names, captions, strict=True))
    assert 160 < said[True] < 200 and all(
        caption in ("", clips.CAPTIONS[name]) for name, caption in zip(names, captions, strict=True)
    )


def test_a_step_of_a_seed_sees_the_same_whenever_it_is_asked_for():
    taught = unet.lessons(LATENTS)
    first, again, other = (taught.pictures(1, step, 8) for step in (5, 5, 6))
    assert torch.equal(first[0], again[0]) and first[1] == again[1]
    assert not torch.equal(first[0], other[0])


def test_the_captions_that_the_tower_is_asked_for_are_numbered_and_fit_before_what_is_behind_them():
    from comfy.sd1_clip import SD1Tokenizer

    taught = unet.lessons(LATENTS)
    captions, drawn = taught.captions(np.random.default_rng(0), 64)
    assert len(set(zip(captions, drawn[:, 0], strict=True))) == len(set(captions)) == taught.words[0]
    tokens = [SD1Tokenizer().tokenize_with_weights(caption)["l"][0] for caption in captions]
    assert all(place[0] == 49407 for one in tokens for place in one[taught.behind :])


def test_a_training_that_was_cut_ends_as_an_unbroken_one_and_can_be_loaded_at_any_time(tmp_path, monkeypatch):
    latents = {name: torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1)) for name in clips.CAPTIONS}
    monkeypatch.setattr(unet, "UNET", config.UNET)
    monkeypatch.setattr(unet, "SAVE_EVERY", 1)
    once, twice = tmp_path / "once", tmp_path / "twice"
    unet.train(latents, once, 3, "cpu", batch=1)
    with monkeypatch.context() as cutting, pytest.raises(StopIteration):
        cutting.setattr(image_model, "report", lambda stage, records, steps: next(itertools.islice(records, 2, 2)))
        unet.train(latents, twice, 3, "cpu", batch=1)
    part, done = unet.checkpoint(twice)
    assert done == 1
    unet.train(latents, twice, 3, "cpu", batch=1)
    (whole, steps), (file, _) = unet.checkpoint(twice), unet.checkpoint(once)
    assert steps == 3 and whole != part and not list(tmp_path.rglob("*.part"))
    weights, unbroken = load_file(whole), load_file(file)
    assert weights.keys() == unbroken.keys() and all(torch.equal(weights[key], unbroken[key]) for key in weights)


def test_the_checkpoint_is_the_one_that_was_trained_longest_wherever_that_was(tmp_path):
    with pytest.raises(Trouble, match="There is no UNet in .* yet: train one with --only unet"):
        unet.checkpoint(tmp_path)
    for steps in (9, 200, 30):
        (tmp_path / "checkpoints" / f"filmed_{steps}.safetensors").touch()
    assert unet.checkpoint(tmp_path) == (tmp_path / "checkpoints" / "filmed_200.safetensors", 200)


def test_where_the_clips_are_not_it_says_so(tmp_path):
    with pytest.raises(Trouble, match="There are no real clips at .*nowhere: --real says where they are"):
        clips.place(tmp_path / "nowhere")


@with_clips
def test_every_clip_has_a_caption_and_there_are_masks_of_the_walks():
    files = {f"{file.parent.name}/{file.stem}" for file in (clips.REAL / "clips").glob("*/*.mp4")}
    assert files == set(clips.CAPTIONS)
    for name in clips.WALKS:
        walk, where = clips.clip(clips.REAL, name), clips.masks(clips.REAL, name)
        assert walk.shape == (clips.FRAMES, 160, 256, 3) and where.shape == walk.shape[:3]
        assert 0.03 < float(where.mean()) < 0.3


@with_clips
def test_every_row_of_the_study_can_be_made():
    results = real.quick(clips.REAL)
    assert list(results["rows"]) == list(real.METHODS)
    for row, seeds in results["rows"].items():
        wanted = set(real.STUDY.measures) - ({"first_frame_jump"} if row.startswith("Tune") else set())
        assert set(seeds["0"]) == wanted, row
        assert all(math.isfinite(value) for value in seeds["0"].values()), (row, seeds)
    coded = results["rows"]["the real clip, coded"]["0"]
    assert coded["person_iou"] > 0.8 and coded["course_error"] < 4 and coded["psnr"] > 24
