"""The second edition's autoencoder: narrow while it learns, TAESD's shape for ComfyUI, resumable; what it is shown."""

import sys

import autoencoder
import fitting
import judge_autoencoder
import judge_figures
import numpy as np
import pytest
import stage
import torch
import train_autoencoder
import train_figures
from safetensors.torch import load_file


def some_model() -> train_autoencoder.Autoencoder:
    torch.manual_seed(0)
    model = train_autoencoder.Autoencoder()
    for value in model.parameters():  # zeros at the ends of blocks would hide the blocks
        torch.nn.init.normal_(value, std=0.05)
    return model


@pytest.mark.parametrize("lean", [False, True])
def test_it_is_a_vae_of_comfyui(monkeypatch, lean):
    import comfy.sd

    if lean:  # fewer channels and blocks than TAESD at every size
        for name, values in (("WIDTHS", (8, 16, 32, 48)), ("BLOCKS", (0, 1, 2, 1)), ("DECODER_BLOCKS", (0, 2, 1, 3))):
            monkeypatch.setattr(autoencoder, name, values)
    model, x = some_model(), torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    vae = comfy.sd.VAE(sd=judge_autoencoder.weights(model))
    with torch.no_grad():
        drawn, latents = model(x)
    encoded = vae.encode(x.movedim(1, -1))
    assert encoded.shape == (2, 4, 8, 8)
    assert torch.allclose(encoded.cpu() * 0.18215, latents, atol=2e-3, rtol=1e-2)
    assert torch.allclose(vae.decode(encoded).cpu(), drawn.movedim(1, -1).clamp(0, 1), atol=5e-3)


def test_it_comes_out_of_a_checkpoint_as_it_was_learnt(tmp_path):
    model, file, key = some_model(), tmp_path / "figures.safetensors", "model.diffusion_model.out.2.bias"
    decoder = {f"first_stage_model.{name}": value for name, value in judge_autoencoder.weights(model).items()}
    fitting.write({key: torch.zeros(4)} | decoder, file)
    back = train_figures.autoencoder_of(load_file(file))
    for one, two in zip(model.parameters(), back.parameters(), strict=True):
        assert torch.equal(one.half().float(), two)


def test_a_training_goes_on_from_a_checkpoint(figures_checkpoint, tmp_path, monkeypatch):
    output = tmp_path / "again.safetensors"
    words = ["--folder", tmp_path, "--begin", figures_checkpoint, "--steps", 0, "--device", "cpu", "--output", output]
    monkeypatch.setattr(sys, "argv", ["", *map(str, words)])
    train_figures.main()
    before, after = load_file(figures_checkpoint), load_file(output)
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert torch.equal(value, after[key]), key


def test_narrow_weights_fill_the_whole_ones_with_zeros():
    from comfy.taesd.taesd import TAESD

    model, whole = some_model(), TAESD()
    for half, full in ((model.encoder, whole.taesd_encoder), (model.decoder, whole.taesd_decoder)):
        padded = autoencoder.whole(half, full.state_dict())
        assert {key: value.shape for key, value in padded.items()} == {k: v.shape for k, v in full.state_dict().items()}
        assert sum(int((value != 0).sum()) for value in padded.values()) == sum(v.numel() for v in half.parameters())


@pytest.mark.parametrize("whole", [False, True])
def test_it_is_shown_figures(whole):
    x, figures = train_autoencoder.batch(np.random.default_rng(3), 16, whole)
    side = 128 if whole else 64
    assert x.shape == (16, 3, side, side) and figures.shape == (16, 1, side, side)
    assert 0 <= x.min() and x.max() <= 1 and figures.min() > -0.01 and figures.max() < 1.01
    assert figures.mean() > (0.04 if whole else 0.12)
    again = train_autoencoder.batch(np.random.default_rng(3), 16, whole)
    assert torch.equal(x, again[0]) and torch.equal(figures, again[1])


def test_a_training_that_was_ended_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "SAVE_EVERY", 1)
    monkeypatch.setattr(train_autoencoder, "quality", lambda model: {"whole": 0.0})
    loss_of, calls = train_autoencoder.loss_of, []

    def ended(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return loss_of(*arguments)

    unbroken = train_autoencoder.train(1, 4, tmp_path, "cpu", 0, count=4)
    (tmp_path / "broken").mkdir()
    monkeypatch.setattr(train_autoencoder, "loss_of", ended)
    with pytest.raises(KeyboardInterrupt):
        train_autoencoder.train(1, 4, tmp_path / "broken", "cpu", 0, count=4)
    assert train_autoencoder.load(tmp_path / "broken")[1] == 2
    resumed = train_autoencoder.train(1, 4, tmp_path / "broken", "cpu", 0, count=4)
    for one, two in zip(unbroken.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, two)


def test_every_word_of_a_caption_is_said():
    captions, drawn = train_figures.captions_of(np.random.default_rng(0), 60)
    for caption, row in zip(captions, drawn, strict=True):
        for (kind, words), i in zip(train_figures.WORDS.items(), row, strict=True):
            if words[i] and kind != "camera":
                assert words[i] in caption, (kind, caption)
    pictures, said = train_figures.pictures(1, 0, 12)
    assert pictures.shape == (12, 3, 128, 128) and len(said) == 12
    assert all(not words or words.split()[1] in ("tall", "short") for words in said)


def test_every_picture_is_shown_four_times_in_other_company(monkeypatch):
    def pictures(seed, step, count):
        numbers = torch.arange(count) + count * step
        return numbers.float(), [f"the {n}th" for n in numbers.tolist()]

    monkeypatch.setattr(train_figures, "pictures", pictures)
    held, shown, count = train_figures.Pool.HELD, train_figures.Pool.SHOWN, 3
    pool = train_figures.Pool(lambda x: 2 * x)
    batches = [pool(1, step, count) for step in range(held * shown)]
    for latents, captions in batches:
        assert captions == [f"the {n // 2}th" for n in latents.int().tolist()]
    seen = torch.cat([latents for latents, _ in batches])
    assert seen.unique(return_counts=True)[1].tolist() == [shown] * (held * count)
    assert len({tuple(sorted(captions)) for _, captions in batches}) == len(batches)
    again = train_figures.Pool(lambda x: 2 * x)(1, held * shown - 1, count)  # a training that goes on in the middle
    assert torch.equal(again[0], batches[-1][0]) and again[1] == batches[-1][1]
    following = pool(1, held * shown, count)[0] / 2
    assert following.min() >= held * count


def test_decibels_are_those_of_the_pixels_asked_for():
    one = np.full((2, 8, 8, 3), 100, np.uint8)
    two, where = one + np.uint8(2), np.ones((2, 8, 8), bool)
    assert judge_autoencoder.decibels(one, two, where) == pytest.approx(20 * np.log10(255 / 2))
    two[:, :4], where[:, :4] = 0, False
    assert judge_autoencoder.decibels(one, two, where) == pytest.approx(20 * np.log10(255 / 2))


def test_an_autoencoder_that_loses_nothing_is_judged_so(monkeypatch):
    monkeypatch.setattr(judge_autoencoder, "GAITS", {"waves": None})
    monkeypatch.setattr(judge_autoencoder, "through", lambda model, clip: clip)
    (row,), picture = judge_autoencoder.judge(some_model(), 1)
    assert row["psnr"] > 100 and row["limb_correlation"] == row["exact limb_correlation"] > 0.95
    assert picture.shape == (2 * 128, 6 * 128, 3)


def test_captions_asked_for_name_every_motion_as_often():
    asked = judge_figures.asked(12)
    assert sorted(shot.actors[0].motion for shot, _ in asked) == sorted(2 * list(stage.GAITS))
    assert all((shot.actors[0].words() in caption) == (k % 2 == 0) for k, (shot, caption) in enumerate(asked))


def test_it_begins_with_latents_of_a_spread_of_one_and_grey_pictures():
    model = train_autoencoder.begun(1)
    x, _ = train_autoencoder.batch(np.random.default_rng(5), 16, False)
    with torch.no_grad():
        drawn, latents = model(x)
    assert (latents.std(dim=(0, 2, 3)) - 1).abs().max() < 0.25 and latents.mean(dim=(0, 2, 3)).abs().max() < 0.4
    assert abs(float(drawn.mean()) - 0.5) < 0.3 and 0.02 < float(drawn.std()) < 1  # what goes in comes out, not faded
