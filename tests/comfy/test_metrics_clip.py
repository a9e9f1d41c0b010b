"""CLIP Video Metrics inside ComfyUI: its towers beside transformers', what core has loaded, and what it refuses."""

import math

import comfy.sd
import pytest
import torch
import transformers
from comfy.clip_vision import ClipVisionModel
from few_shot_motion.host.metrics import clip_file, clip_pair, clip_scores
from measuring import clip_metrics_of, clip_model, nan_frame, open_clip_names, pictures, saved
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms

PROMPTS = ["a red ball (on grass:1.3)", "embedding:x, \\(a horse\\) runs", "rain " * 100]


def transformers_embeddings(model, images: torch.Tensor, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """As everyone computes them, its own slow preprocessing and tokenizer included."""
    processor = transformers.CLIPImageProcessorPil()
    pixels = processor(
        [Image.fromarray((image * 255).round().byte().numpy()) for image in images], return_tensors="pt"
    )["pixel_values"]
    ids = [
        torch.tensor([clip_pair._tokenizer()(prompt, truncation=True, max_length=77)["input_ids"]])
        for prompt in prompts
    ]
    with torch.no_grad():
        seen, read = model.get_image_features(pixels), [model.get_text_features(i) for i in ids]
    tensor = lambda out: out if isinstance(out, torch.Tensor) else out.pooler_output  # noqa: E731
    return tensor(seen), torch.cat([tensor(out) for out in read])


VIT_B16 = {"patch": 16, "text": 512, "vision": 768, "projection": 512, "layers": 2}


@pytest.mark.parametrize("shape, height, width",
                         [({}, 300, 420), (VIT_B16, 300, 420), ({"act": "gelu"}, 300, 420), ({}, 420, 300),
                          ({}, 224, 224),
                                                  ({}, 135, 90)])  # fmt: skip
def test_both_towers_are_transformers(folders, shape, height, width):
    model = clip_model(**shape)
    name = saved(model, folders / "clip_vision" / "whole.safetensors")
    images = pictures(3, height, width)
    with torch.inference_mode():
        pair = clip_file.from_file(name, shape.get("act", "auto"))
        seen, read = (
            pair.embed_images(images.movedim(-1, 1)),
            torch.stack([pair.embed_text(prompt) for prompt in PROMPTS]),
        )
    images_expected, text_expected = transformers_embeddings(model, images, PROMPTS)
    assert (seen - images_expected).abs().max() < 1e-5 * images_expected.abs().max()
    assert (read - text_expected).abs().max() < 1e-5 * text_expected.abs().max()


@pytest.mark.parametrize("height, width", [(130, 90), (90, 133), (320, 512), (224, 224), (100, 225)])
def test_preprocessing_is_the_original_clips(height, width):
    """OpenAI's own: torchvision on PIL pictures.

    transformers crops one pixel further up where what is cut off is odd.
    """
    theirs = transforms.Compose([
        transforms.Resize(224, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(224), transforms.ToTensor(),
        transforms.Normalize(clip_pair._MEAN, clip_pair._STD),
    ])  # fmt: skip
    images = pictures(2, height, width)
    expected = torch.stack([theirs(Image.fromarray((image * 255).round().byte().numpy())) for image in images])
    assert torch.allclose(clip_pair.preprocess(images.movedim(-1, 1), 224), expected, atol=1e-6)


def test_alignment_is_the_clip_score_of_torchmetrics(folders):
    """Its definition: 100 cos of each picture with its prompt, averaged (and then clamped at 0)."""
    model = clip_model()
    name = saved(model, folders / "clip_vision" / "whole.safetensors")
    videos = [pictures(seed=0), pictures(seed=1)]
    seen, read = transformers_embeddings(model, torch.cat(videos), PROMPTS[:2])
    seen, read = (torch.nn.functional.normalize(x, dim=-1) for x in (seen, read))
    expected = 100 * (seen * read.repeat_interleave(5, 0)).sum(dim=-1).mean()
    found = clip_metrics_of(videos=videos, clip_file=name, prompts=PROMPTS[:2])[0]
    assert found == pytest.approx(float(expected), abs=1e-4)


def test_open_clips_names_are_the_same_model(folders):
    model = clip_model(projection=96)
    name = saved(model, folders / "clip_vision" / "hf.safetensors")
    theirs = open_clip_names(model.state_dict())
    save_file(theirs, folders / "text_encoders" / "open_clip.safetensors")
    video = pictures(2).movedim(-1, 1)
    with torch.inference_mode():
        a, b = clip_file.from_file(name), clip_file.from_file("open_clip.safetensors")
        assert torch.equal(a.embed_images(video), b.embed_images(video)) and torch.equal(
            a.embed_text("rain"), b.embed_text("rain")
        )


def test_numbers_and_their_report(folders):
    name = saved(clip_model(), folders / "clip_vision" / "whole.safetensors")
    videos = [pictures(seed=0), pictures(seed=1), pictures(seed=2)]
    alignment, temp, consistency, diversity, report, picture = clip_metrics_of(
        videos=videos, clip_file=name, prompts=["a cat"]
    )
    assert all(-100 <= value <= 100 for value in (alignment, temp, consistency, diversity))
    for part in (
        "whole.safetensors, sha256 ",
        "224 px",
        "3 of 5 frames, 421x300, RGB in [0, 1]",
        "quick_gelu",
        "centre crop",
        "1 different ones",
    ):
        assert part in report
    assert picture.shape[0] == 1 and picture.shape[-1] == 3 and picture.max() <= 1
    assert clip_metrics_of(videos=videos, clip_file=name, prompts=["a cat"])[:4] == [
        alignment,
        temp,
        consistency,
        diversity,
    ]


def test_still_frames_are_consistent_and_one_video_has_no_diversity(folders):
    name = saved(clip_model(), folders / "clip_vision" / "whole.safetensors")
    found = clip_metrics_of(videos=[pictures(1).repeat(4, 1, 1, 1)], clip_file=name)
    assert math.isnan(found[0]) and found[1:3] == pytest.approx([100, 100], abs=1e-4) and math.isnan(found[3])
    assert "prompts: none" in found[4] and "diversity    not defined" in found[4]


def test_long_prompts_are_told(folders):
    name = saved(clip_model(), folders / "clip_vision" / "whole.safetensors")
    assert (
        "1 of them cut after 77 tokens" in clip_metrics_of(videos=[pictures()], clip_file=name, prompts=[PROMPTS[2]])[4]
    )


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """A random model with CLIP-L's text tower, and of it CLIP through core's loader and CLIP_VISION of core's class."""
    model = clip_model(text=768, vision=128, projection=768, layers=12)
    file = tmp_path_factory.mktemp("text") / "text.safetensors"
    saved(model, file, ("text_model", "text_projection"))
    clip = comfy.sd.load_clip([str(file)], clip_type=comfy.sd.CLIPType.STABLE_DIFFUSION)
    config = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 12, "num_attention_heads": 2,
              "hidden_act": "quick_gelu",
              "num_channels": 3, "patch_size": 32, "image_size": 224, "projection_dim": 768,
              "model_type": "clip_vision_model"}  # fmt: skip
    vision = ClipVisionModel(config)
    vision.load_sd({name: value for name, value in model.state_dict().items() if name.startswith("vi")})
    return model, clip, vision


def test_what_core_has_loaded_is_read_with_its_projection(core):
    model, clip, vision = core
    with torch.inference_mode():
        pair = clip_pair.connected(clip, vision)
        seen, read = pair.embed_images(pictures(2).movedim(-1, 1)), pair.embed_text(PROMPTS[0])
        unprojected = clip.encode_from_tokens(clip.tokenize(PROMPTS[0]), return_pooled=True)[1].float()
    images_expected, text_expected = transformers_embeddings(model, pictures(2), PROMPTS[:1])
    for found, expected in ((seen, images_expected), (read[None], text_expected)):
        assert torch.nn.functional.cosine_similarity(found, expected).min() > 1 - 1e-4, (
            "core keeps weights in half precision"
        )
    assert "text.safetensors, sha256" in pair.description and "weights' sha256" in pair.description
    assert torch.nn.functional.cosine_similarity(unprojected, text_expected).abs() < 0.5, (
        "what core hands out by default is something else"
    )


def test_a_text_tower_without_projection_is_refused(core, tmp_path):
    model, _, vision = core
    file = tmp_path / "text.safetensors"
    saved(model, file, ("text_model",))
    clip = comfy.sd.load_clip([str(file)], clip_type=comfy.sd.CLIPType.STABLE_DIFFUSION)
    with pytest.raises(ValueError, match="came without a projection"):
        clip_metrics_of(
            videos=[pictures()], clip_file=clip_scores.CONNECTED, prompts=["x"], clip=[clip], clip_vision=[vision]
        )


def test_an_image_tower_that_is_no_clip_is_refused(folders):
    other = ClipVisionModel({"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1,
                             "num_attention_heads": 1, "num_channels": 3,
                             "hidden_act": "gelu", "patch_size": 32, "image_size": 224,
                             "model_type": "siglip_vision_model"})  # fmt: skip
    with pytest.raises(ValueError, match="this CLIP_VISION is a siglip_vision_model"):
        clip_metrics_of(videos=[pictures()], clip_file=clip_scores.CONNECTED, clip_vision=[other])


def test_towers_of_two_families_are_refused(core):
    _, clip, _ = core
    other = ClipVisionModel({"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 1,
                             "num_attention_heads": 2, "num_channels": 3,
                             "hidden_act": "quick_gelu", "patch_size": 32, "image_size": 224, "projection_dim": 512,
                             "model_type": "clip_vision_model"})  # fmt: skip
    with pytest.raises(ValueError, match="do not belong together: pictures become 512 numbers, prompts 768"):
        clip_metrics_of(
            videos=[pictures()], clip_file=clip_scores.CONNECTED, prompts=["x"], clip=[clip], clip_vision=[other]
        )


@pytest.mark.parametrize("only",
                         [("vision_model", "visual_projection"), ("text_model", "text_projection"),
                          ("vision_model", "text_model", "visual_projection")])  # fmt: skip
def test_a_part_of_clip_is_refused(folders, only):
    name = saved(clip_model(), folders / "clip_vision" / "part.safetensors", only)
    with pytest.raises(ValueError, match="holds only a part of CLIP: .* is missing"):
        clip_metrics_of(videos=[pictures()], clip_file=name)


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"videos": []}, "Nothing comes in at videos"),
        ({"videos": [pictures(), pictures(), pictures()], "prompts": ["a", "b"]}, "3 videos and 2 prompts"),
        ({"videos": [pictures(), pictures(5, 64, 64)]}, "different sizes .421x300, 64x64."),
        ({"videos": [pictures(), nan_frame()]}, "Number 2 of what comes in at videos holds values that are no numbers"),
        ({"videos": [pictures()], "clip_file": "nothing.safetensors"}, "There is no file 'nothing.safetensors'"),
        ({"videos": [pictures()], "clip_file": clip_scores.CONNECTED}, "There is no CLIP to look with"),
        ({"videos": [pictures()], "table": "../../x"}, "is no name for a table"),
    ],
)
def test_clip_metrics_refuse_in_one_sentence(folders, inputs, message):
    name = saved(clip_model(), folders / "clip_vision" / "whole.safetensors")
    with pytest.raises(ValueError, match=message) as error:
        clip_metrics_of(**{"clip_file": name, **inputs})
    assert "\n" not in str(error.value)
