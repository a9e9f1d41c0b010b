"""Match First Frame as the executor calls it: a LATENT keeps what else is in it, an IMAGE stays a picture."""

import pytest
import torch
from comfy.nested_tensor import NestedTensor
from few_shot_motion.nodes.sampling import MatchFirstFrame


@torch.inference_mode()
def matched(clip):
    return MatchFirstFrame.execute(clip).args[0]


@pytest.mark.parametrize("shape, frames", [((4, 4, 8, 8), 0), ((2, 16, 4, 8, 8), 2)])
def test_a_latent_takes_the_first_frames_statistics_and_keeps_the_rest(shape, frames):
    scales = torch.rand(shape[: frames + 1] + (1, 1, 1, 1)[: len(shape) - frames - 1]) + 0.5
    samples = torch.randn(shape) * scales + 1
    given = {"samples": samples, "batch_index": [1, 2, 3, 4], "type": "video"}
    found = matched(given)
    assert {key: found[key] for key in ("batch_index", "type")} == {"batch_index": [1, 2, 3, 4], "type": "video"}
    spread = found["samples"].std((-2, -1))
    assert torch.allclose(spread, spread.select(frames, 0).unsqueeze(frames).expand_as(spread), atol=1e-4)
    assert not torch.allclose(samples.std((-2, -1)), spread, atol=1e-2)
    assert torch.equal(found["samples"].select(frames, 0), samples.select(frames, 0))
    assert given["samples"] is samples


def test_pictures_past_the_range_stay_bright_and_the_given_ones_as_they_are():
    images = torch.full((2, 16, 16, 3), 1.02)
    given = images.clone()
    found = matched(images)
    assert torch.equal(images, given) and torch.equal(found[0], images[0]) and found[1].min() == 1


@pytest.mark.parametrize("clip", [torch.full((2, 16, 16, 3), torch.nan),
                                  {"samples": torch.full((2, 4, 8, 8), torch.nan)},
                                  {"samples": torch.full((1, 4, 2, 8, 8), torch.nan)}])  # fmt: skip
def test_what_is_no_number_is_refused_in_one_sentence(clip):
    with pytest.raises(ValueError, match="holds values that are no numbers") as error:
        matched(clip)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("shape", [(2, 4, 8), (8, 8), (1, 2, 4, 6, 8, 8)])
def test_latents_of_something_else_are_refused(shape):
    with pytest.raises(ValueError, match=r"has the shape \(.*\), in float32: latents of pictures are wanted"):
        matched({"samples": torch.zeros(shape)})


def test_pictures_and_sound_in_one_latent_are_refused():
    both = NestedTensor([torch.randn(1, 16, 4, 8, 8), torch.randn(1, 8, 10, 16)])
    with pytest.raises(ValueError, match=r"the shape \(1, 16, 4, 8, 8\) and sound beside it, in float32"):
        matched({"samples": both})
