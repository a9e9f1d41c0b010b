"""The miniature's CLIP as shipped: through the metric node's own loader, on scenes that its training left out."""

import folder_paths
import numpy as np
import pytest
import torch
import train_clip
import world
from few_shot_motion.host.metrics import clip_file
from measuring import clip_metrics_of

PER_SCENE = 4
ATTRIBUTES = {"colour": tuple(world.COLOURS), "shape": world.SHAPES, "background": tuple(world.BACKGROUNDS)}


@pytest.fixture(scope="module", autouse=True)
def _listed():
    folder_paths.add_model_folder_path("clip_vision", str(train_clip.FILE.parent))
    folder_paths.filename_list_cache.clear()


@pytest.fixture(scope="module")
def pair():
    return clip_file.from_file(train_clip.FILE.name)


def still(scene: world.Scene, rng: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(world.draw(scene, world.still_state(rng))).movedim(-1, 0).float() / 255


@pytest.fixture(scope="module")
def cosines(pair) -> torch.Tensor:
    """Of pictures of the scenes left out (15 times 4) with the captions of all 150."""
    rng = np.random.default_rng(5)
    images = torch.stack([still(scene, rng) for scene in train_clip.HELD_OUT for _ in range(PER_SCENE)])
    with torch.inference_mode():
        seen, read = (
            pair.embed_images(images),
            torch.stack([pair.embed_text(scene.caption()) for scene in train_clip.SCENES]),
        )
    return torch.nn.functional.normalize(seen, dim=-1) @ torch.nn.functional.normalize(read, dim=-1).T


RIGHT = torch.tensor([train_clip.SCENES.index(scene) for scene in train_clip.HELD_OUT]).repeat_interleave(PER_SCENE)


def test_every_word_is_among_the_scenes_left_out():
    for name, words in ATTRIBUTES.items():
        assert {getattr(scene, name) for scene in train_clip.HELD_OUT} == set(words)
    assert len(train_clip.HELD_OUT) == 15 and not set(train_clip.HELD_OUT) & set(train_clip.SHOWN)


def test_captions_of_unseen_scenes_are_found_among_all(cosines):
    found = cosines.argmax(dim=1)
    for name in ATTRIBUTES:
        agree = [
            getattr(train_clip.SCENES[i], name) == getattr(train_clip.SCENES[j], name)
            for i, j in zip(found, RIGHT, strict=True)
        ]
        assert np.mean(agree) >= (0.7 if name == "shape" else 0.98), name
    assert (found == RIGHT).float().mean() >= 0.7, "by chance 1 of 150"


def test_the_right_caption_is_above_wrong_ones(cosines):
    right = cosines[torch.arange(len(RIGHT)), RIGHT]
    wrong = (cosines.sum(dim=1) - right) / (cosines.shape[1] - 1)
    above = (cosines > right[:, None]).sum(dim=1)
    assert right.mean() > 0.9 and wrong.mean() < 0.1, (right.mean(), wrong.mean())
    assert (above < 5).float().mean() >= 0.95, f"among the first five of 150: {above.tolist()}"


def test_the_node_tells_a_video_from_its_wrong_captions():
    scene = train_clip.HELD_OUT[0]
    other = world.Scene("blue", "ring", "stone" if scene.background != "stone" else "snow")
    clip = world.draw_clip(scene, world.path("moves right", world.State(4.0, 8.0)))
    video = torch.from_numpy(clip).float() / 255
    found = {
        caption: clip_metrics_of(videos=[video], clip_file=train_clip.FILE.name, prompts=[caption])
        for caption in (scene.caption("moves right"), scene.caption(), other.caption())
    }
    right, short, wrong = found.values()
    assert right[0] > 80 and abs(right[0] - short[0]) < 10 and wrong[0] < right[0] - 50
    assert right[1] > 95 and right[2] > 90, "the frames agree"
    assert "ViT 64 wide, patches of 8 at 64 px, miniature_clip.safetensors, sha256 " in right[4]


def test_a_video_that_changes_its_subject_is_less_consistent():
    a, b = world.Scene("red", "ball", "grass"), world.Scene("blue", "box", "grass")
    states = world.path("moves right", world.State(4.0, 8.0))
    steady, changing = (
        world.draw_clip(a, states),
        np.concatenate([world.draw_clip(a, states[:8]), world.draw_clip(b, states[8:])]),
    )
    found = [
        clip_metrics_of(videos=[torch.from_numpy(clip).float() / 255], clip_file=train_clip.FILE.name)
        for clip in (steady, changing)
    ]
    assert found[0][2] > found[1][2] + 10 and found[0][1] > found[1][1]


def test_two_videos_of_one_scene_are_less_diverse_than_of_two():
    rng = np.random.default_rng(3)
    videos = {
        scene: [torch.stack([still(scene, rng) for _ in range(4)]).movedim(1, -1) for _ in range(2)]
        for scene in (world.Scene("red", "ball", "grass"), world.Scene("blue", "ring", "snow"))
    }
    (a, again), (b, _) = videos.values()
    same, different = (clip_metrics_of(videos=pair, clip_file=train_clip.FILE.name)[3] for pair in ([a, again], [a, b]))
    assert same > different + 20


def test_it_is_small():
    assert train_clip.FILE.stat().st_size <= 1_600_000
