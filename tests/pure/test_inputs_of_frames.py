"""The gate's word on pictures, masks and latents: each fault its sentence, and everything plausible taken as it is."""

import pytest
import torch
from few_shot_motion.host.inputs import frames
from few_shot_motion.host.inputs.values import check_filled, check_numbers, named, refuse

PICTURES, MASKS, LATENTS = torch.rand(2, 17, 16, 3), torch.rand(2, 16, 16), torch.randn(2, 4, 8, 8)


def put(tensor: torch.Tensor, value: float) -> torch.Tensor:
    wrong = tensor.clone()
    wrong.view(-1)[5] = value
    return wrong


@pytest.mark.parametrize("value, words", [
    (None, "nothing"), ("abc", "'abc'"), ("x" * 99, "of the type str"), (3, "3"), (10**50, "of the type int"),
    (True, "True"), ({}, "of the type dict"), (torch.zeros(2), "of the type Tensor"), ("a\nb", r"'a\nb'"),
])  # fmt: skip
def test_a_wrong_value_is_named(value, words):
    assert named(value) == words
    with pytest.raises(ValueError) as error:
        refuse(value, "What comes in at x", "IMAGE")
    assert str(error.value) == f"What comes in at x is {words} and no IMAGE: connect a node that makes one."


@pytest.mark.parametrize("change", [
    lambda x: x, lambda x: torch.cat([x, x[..., :1]], -1), torch.Tensor.half, torch.Tensor.bfloat16,
    torch.Tensor.double,
    lambda x: x * 1.4 - 0.2, lambda x: x[:1], lambda x: x[:, :, :16], lambda x: x.mT.contiguous().mT, lambda x: x * 0,
])  # fmt: skip
def test_pictures_that_are_taken_as_they_are(change):
    given = change(PICTURES)
    assert frames.pictures(given, "x") is given


@pytest.mark.parametrize("wrong, sentence", [
    (None, "is nothing and no IMAGE"), (PICTURES.to_sparse(), "no IMAGE"), (PICTURES.to("meta"), "no IMAGE"),
    (PICTURES.to(torch.complex64), "no IMAGE"), (PICTURES[0], r"shape \(17, 16, 3\), pictures are \(frames, height"),
    (PICTURES[..., :1], r"shape \(2, 17, 16, 1\).*make RGB"), (PICTURES[..., :2], "make RGB"),
    (PICTURES[None], "make RGB"), (PICTURES[:0], "is empty"), (PICTURES[:, :0], "is empty"),
    (PICTURES[:, :1, :1], "1x1 px, 16x16 are the least"), (PICTURES[:, :15], "16x15 px"),
    ((PICTURES * 255).byte(), "pictures in uint8, floats from 0 to 1"), (PICTURES > 0.5, "in bool"),
    (put(PICTURES, torch.nan), "no numbers"), (put(PICTURES, torch.inf), "no numbers"),
    (put(PICTURES, -torch.inf), "no numbers"), (PICTURES.half() * torch.nan, "no numbers"),
    (put(PICTURES, 255), r"to 255, they go from 0 \(black\) to 1"), (put(PICTURES, -1), "from -1 to"),
])  # fmt: skip
def test_pictures_that_are_none(wrong, sentence):
    with pytest.raises(ValueError, match=f"^x .*{sentence}") as error:
        frames.pictures(wrong, "x")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change", [lambda x: x, lambda x: x[:1], torch.Tensor.half, lambda x: x * 0, lambda x: x[:, :1, :1]]
)
def test_masks_that_are_taken_as_they_are(change):
    given = change(MASKS)
    assert frames.masks(given, "x") is given


def test_masks_are_brought_to_one_form():
    assert torch.equal(frames.masks(MASKS[0], "x"), MASKS[:1])
    assert torch.equal(frames.masks(MASKS > 0.5, "x"), (MASKS > 0.5).float())
    rounded = frames.masks(MASKS * 1.008 - 0.004, "x")
    assert rounded.min() >= 0 and rounded.max() <= 1


@pytest.mark.parametrize("wrong, sentence", [
    ("a", "is 'a' and no MASK"), (MASKS[None], r"shape \(1, 2, 16, 16\), masks are \(frames"),
    (MASKS[0, 0], "masks are"),
    (MASKS[:0], "is empty"), (put(MASKS, torch.nan), "no numbers"), (MASKS * 255, "outside 0 to 1"),
    ((MASKS * 255).byte(), "outside 0 to 1"), (put(MASKS, -0.1), "outside 0 to 1"),
])  # fmt: skip
def test_masks_that_are_none(wrong, sentence):
    with pytest.raises(ValueError, match=f"^x .*{sentence}"):
        frames.masks(wrong, "x")


@pytest.mark.parametrize("size, of, fits", [
    ((512, 320), (640, 400), True), ((512, 320), (64, 40), True), ((500, 333), (62, 41), True), ((8, 8), (8, 8), True),
    ((512, 512), (640, 360), False), ((40, 64), (8, 8), False), ((48, 32), (48, 64), False),
])  # fmt: skip
def test_masks_of_another_shape(size, of, fits):
    if fits:
        frames.check_shape_of_masks(size, of, "x")
    else:
        with pytest.raises(
            ValueError, match=f"^x are {size[0]}x{size[1]}, which is not the shape of a clip of {of[0]}x"
        ):
            frames.check_shape_of_masks(size, of, "x")


@pytest.mark.parametrize(
    "samples", [LATENTS, LATENTS.half(), LATENTS.bfloat16(), LATENTS[:1], LATENTS[None], LATENTS * 1e4]
)
def test_latents_that_are_taken_as_they_are(samples):
    given = {"samples": samples, "noise_mask": 1}
    assert frames.latents(given, "x") is given


@pytest.mark.parametrize("wrong, sentence", [
    ({}, "is of the type dict and no LATENT"), ({"samples": None}, "no LATENT"), ({"samples": [1]}, "no LATENT"),
    (LATENTS, "no LATENT"), ({"samples": LATENTS.to_sparse()}, "no LATENT"), ({"samples": LATENTS[0]}, "4 dimensions"),
    ({"samples": LATENTS.long()}, "in int64"), ({"samples": LATENTS[:0]}, "is empty"),
    ({"samples": LATENTS[..., :0]}, "is empty"),
    ({"samples": LATENTS[..., :1, :]}, "8x1 positions, 2x2 are"), ({"samples": put(LATENTS, torch.nan)}, "no numbers"),
    ({"samples": put(LATENTS[None], -torch.inf)}, "no numbers"),
])  # fmt: skip
def test_latents_that_are_none(wrong, sentence):
    with pytest.raises(ValueError, match=f"^x .*{sentence}"):
        frames.latents(wrong, "x")


def test_latents_of_another_model():
    frames.check_channels(LATENTS, 4, "x")
    frames.check_dimensions(LATENTS, 4, "x")
    with pytest.raises(ValueError, match=r"x has latents of the shape \(2, 4, 8, 8\), this model's have 16 channels"):
        frames.check_channels(LATENTS, 16, "x")
    with pytest.raises(ValueError, match="this mask predictor's have 16 channels"):
        frames.check_channels(LATENTS, 16, "x", "mask predictor")
    with pytest.raises(ValueError, match="x has latents of 4 dimensions, this model's have 5"):
        frames.check_dimensions(LATENTS, 5, "x")


def test_numbers_are_measured_in_one_pass():
    assert check_numbers(torch.tensor([1.0, -2.0, 3.0]), "x") == (-2.0, 3.0)
    assert check_numbers(torch.zeros(1, requires_grad=True), "x") == (0.0, 0.0)
    with torch.inference_mode():
        assert check_numbers(torch.ones(2), "x") == (1.0, 1.0)
    with pytest.raises(ValueError, match=r"x is empty, its shape is \(0, 3\)"):
        check_filled(torch.zeros(0, 3), "x")
