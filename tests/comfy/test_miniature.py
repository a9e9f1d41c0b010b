"""The miniature's released weights inside ComfyUI: they load, the autoencoder is what it says, and the pictures show
their captions.
"""

import asyncio
from pathlib import Path

import clips
import comfy.sample
import folder_paths
import measure
import numpy as np
import pytest
import torch
import vae as autoencoder
import world

MINIATURE = Path(__file__).parents[2] / "miniature"
CAPTIONS = 100
BATCH = 25


@pytest.fixture(scope="module")
def checkpoint():
    """(model, clip, vae) through core's own node, with the miniature's package loaded as ComfyUI loads it."""
    import nodes

    assert asyncio.run(nodes.load_custom_node(str(MINIATURE)))
    return nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    """Random pictures of the world, (64 128 128 3) in [0, 1]."""
    rng = np.random.default_rng(7)
    scenes = world.all_scenes()
    drawn = [world.draw(scenes[rng.integers(len(scenes))], world.still_state(rng)) for _ in range(64)]
    return torch.from_numpy(np.stack(drawn)).float() / 255


def generate(model, clip, vae, captions: list[str], seed: int, steps: int = 20, cfg: float = 3.0) -> np.ndarray:
    """One picture uint8 (128, 128, 3) per caption."""
    encoded = [clip.encode_from_tokens(clip.tokenize(caption)) for caption in [*captions, ""]]
    latent = torch.zeros(len(captions), 4, world.CELLS, world.CELLS)
    with torch.inference_mode():
        latent = comfy.sample.sample(
            model, comfy.sample.prepare_noise(latent, seed), steps, cfg, "dpmpp_2m", "karras",
            [[torch.cat(encoded[:-1]), {}]], [[encoded[-1], {}]], latent, disable_pbar=True, seed=seed,
        )  # fmt: skip
        return (vae.decode(latent) * 255).round().byte().numpy()


def test_package_is_registered_once(checkpoint):
    import nodes
    from comfy import supported_models

    asyncio.run(nodes.load_custom_node(str(MINIATURE)))
    assert [model.__name__ for model in supported_models.models].count("Miniature") == 1


def test_checkpoint_is_the_miniature(checkpoint):
    model, clip, vae = checkpoint
    assert type(model.model.model_config).__name__ == "Miniature"
    assert model.model.diffusion_model.model_channels == 64
    assert clip.encode_from_tokens(clip.tokenize("a red ball on grass")).shape == (1, 77, 64)
    assert all(weight.isfinite().all() for weight in model.model_state_dict().values())


@pytest.mark.parametrize("kind", ["world", "random"])
def test_encoder_is_the_closed_form(checkpoint, pictures, kind):
    images = pictures[:8] if kind == "world" else torch.rand(8, 128, 192, 3, generator=torch.Generator().manual_seed(0))
    model, _, vae = checkpoint
    with torch.inference_mode():
        latents = model.model.process_latent_in(vae.encode(images))
    assert (latents - autoencoder.encode(images.movedim(-1, 1))).abs().max() < 2e-3


def test_reconstruction_is_faithful(checkpoint, pictures):
    _, _, vae = checkpoint
    with torch.inference_mode():
        errors = (vae.decode(vae.encode(pictures)) - pictures).square().mean(dim=(1, 2, 3))
    assert (-10 * errors.log10()).mean() >= 30


def test_clips_come_through_cores_dataset_loader(tmp_path, monkeypatch):
    from comfy_extras.nodes_dataset import LoadVideoTextDataSetFromFolderNode

    monkeypatch.setattr(folder_paths, "input_directory", str(tmp_path))
    scenes = clips.write_training_set(tmp_path / "bounces", "bounces", count=3)
    videos, captions = LoadVideoTextDataSetFromFolderNode.execute("bounces").result
    assert captions == [scene.caption("bounces") for scene in scenes]
    for video, scene in zip(videos, scenes, strict=True):
        images = video.get_components().images
        assert images.shape == (16, 128, 128, 3) and float(video.get_frame_rate()) == world.FPS
        assert measure.shows((images[0] * 255).round().byte().numpy(), scene)


@pytest.mark.parametrize("second", [False, True])
def test_files_of_an_edition_are_small(second):
    files = [
        file for file in (MINIATURE / "models").rglob("*") if file.is_file() and ("figures" in file.name) == second
    ]
    assert files and sum(file.stat().st_size for file in files) <= 40_000_000


def test_pictures_show_their_captions(checkpoint):
    scenes = world.all_scenes()
    drawn = [scenes[i] for i in np.random.default_rng(11).permutation(len(scenes))[:CAPTIONS]]
    wrong = []
    for at in range(0, CAPTIONS, BATCH):
        batch = drawn[at : at + BATCH]
        images = generate(*checkpoint, [scene.caption() for scene in batch], seed=at)
        wrong += [
            scene.caption() for image, scene in zip(images, batch, strict=True) if not measure.shows(image, scene)
        ]
    assert len(wrong) <= 0.1 * CAPTIONS, wrong
