"""The metric nodes inside ComfyUI: CLIP's towers beside transformers', reports that say what was measured, tables, and what they refuse."""

import csv
import math
import re
import resource

import clips
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import few_shot_motion.nodes
import folder_paths
import numpy as np
import pytest
import torch
import transformers
from comfy.clip_vision import ClipVisionModel
from comfy_api.latest import InputImpl, Types
from comfy_extras.nodes_void import OpticalFlowLoader
from few_shot_motion.metrics.i3d import I3D
from few_shot_motion.nodes import clip_file, clip_metrics, clip_pair, metrics, video_features
from few_shot_motion.nodes.clip_metrics import ClipVideoMetrics
from few_shot_motion.nodes.frechet_metrics import FrechetVideoDistance
from few_shot_motion.nodes.metrics import FirstFrameJump, WarpingErrorNode
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torchvision import transforms

PROMPTS = ["a red ball (on grass:1.3)", "embedding:x, \\(a horse\\) runs", "rain " * 100]


def clip_model(text: int = 128, vision: int = 128, patch: int = 32, layers: int = 3, act: str = "quick_gelu", projection: int = 64):
    torch.manual_seed(5)
    common = {"num_hidden_layers": layers, "hidden_act": act}
    words = {
        **common,
        "hidden_size": text,
        "intermediate_size": 4 * text,
        "num_attention_heads": text // 64,
        "vocab_size": 49408,
        "eos_token_id": 49407,
    }
    pixels = {**common, "hidden_size": vision, "intermediate_size": 2 * vision, "num_attention_heads": clip_file._HEADS.get(vision, vision // 64),
              "patch_size": patch, "image_size": 224}  # fmt: skip
    model = transformers.CLIPModel(transformers.CLIPConfig(text_config=words, vision_config=pixels, projection_dim=projection))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if not name.endswith("logit_scale"):
                value.mul_(3 if "weight" in name and value.ndim > 1 else 1)  # away from embeddings that are all alike
    return model.eval()


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty model folders and an output folder."""
    for name in ("clip_vision", "text_encoders", "i3d", "optical_flow"):
        (tmp_path / name).mkdir()
        monkeypatch.setitem(folder_paths.folder_names_and_paths, name, ([str(tmp_path / name)], {".safetensors", ".pt", ".pth"}))
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path / "output"))
    folder_paths.filename_list_cache.clear()
    yield tmp_path
    folder_paths.filename_list_cache.clear()


@pytest.fixture
def cancelled():
    comfy.model_management.interrupt_current_processing(True)
    yield
    comfy.model_management.interrupt_current_processing(False)


def saved(model, file, only=()) -> str:
    tensors = {name: value.contiguous().clone() for name, value in model.state_dict().items() if not only or name.startswith(only)}
    save_file(tensors, file)
    return file.name


def pictures(frames: int = 5, height: int = 300, width: int = 421, seed: int = 0) -> torch.Tensor:
    """IMAGE f h w 3 of 8-bit colours."""
    rng = np.random.default_rng(seed)
    small = torch.from_numpy(rng.random((frames, 3, 9, 12), dtype=np.float32))
    large = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")
    return ((large * 255).round() / 255).movedim(1, -1)


def measured(node, **inputs) -> list:
    given = {key: value if isinstance(value, list) else [value] for key, value in inputs.items()}
    with torch.inference_mode():
        return list(node.execute(**given).args)


def clip_metrics_of(**inputs) -> list:
    return measured(ClipVideoMetrics, **{"activation": "auto", "table": "", **inputs})


# ------------------------------------------------------------------------------------------------ CLIP


def transformers_embeddings(model, images: torch.Tensor, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """As everyone computes them, its own slow preprocessing and tokenizer included."""
    processor = transformers.CLIPImageProcessorPil()
    pixels = processor([Image.fromarray((image * 255).round().byte().numpy()) for image in images], return_tensors="pt")["pixel_values"]
    ids = [torch.tensor([clip_pair._tokenizer()(prompt, truncation=True, max_length=77)["input_ids"]]) for prompt in prompts]
    with torch.no_grad():
        seen, read = model.get_image_features(pixels), [model.get_text_features(i) for i in ids]
    tensor = lambda out: out if isinstance(out, torch.Tensor) else out.pooler_output  # noqa: E731
    return tensor(seen), torch.cat([tensor(out) for out in read])


VIT_B16 = {"patch": 16, "text": 512, "vision": 768, "projection": 512, "layers": 2}


@pytest.mark.parametrize("shape, height, width", [({}, 300, 420), (VIT_B16, 300, 420), ({"act": "gelu"}, 300, 420), ({}, 420, 300), ({}, 224, 224),
                                                  ({}, 135, 90)])  # fmt: skip
def test_both_towers_are_transformers(folders, shape, height, width):
    model = clip_model(**shape)
    name = saved(model, folders / "clip_vision" / "whole.safetensors")
    images = pictures(3, height, width)
    with torch.inference_mode():
        pair = clip_file.from_file(name, shape.get("act", "auto"))
        seen, read = pair.embed_images(images.movedim(-1, 1)), torch.stack([pair.embed_text(prompt) for prompt in PROMPTS])
    images_expected, text_expected = transformers_embeddings(model, images, PROMPTS)
    assert (seen - images_expected).abs().max() < 1e-5 * images_expected.abs().max()
    assert (read - text_expected).abs().max() < 1e-5 * text_expected.abs().max()


@pytest.mark.parametrize("height, width", [(130, 90), (90, 133), (320, 512), (224, 224), (100, 225)])
def test_preprocessing_is_the_original_clips(height, width):
    """OpenAI's own: torchvision on PIL pictures. transformers crops one pixel further up where what is cut off is odd."""
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
        assert torch.equal(a.embed_images(video), b.embed_images(video)) and torch.equal(a.embed_text("rain"), b.embed_text("rain"))


def open_clip_names(tensors: dict) -> dict:
    made = {"logit_scale": tensors["logit_scale"]}
    for tower, prefix in (("vision_model", "visual."), ("text_model", "")):
        layers = 1 + max(int(name.split(".")[3]) for name in tensors if name.startswith(f"{tower}.encoder"))
        for i in range(layers):
            old, new = f"{tower}.encoder.layers.{i}", f"{prefix}transformer.resblocks.{i}"
            for end in ("weight", "bias"):
                made[f"{new}.attn.in_proj_{end}"] = torch.cat([tensors[f"{old}.self_attn.{x}_proj.{end}"] for x in "qkv"])
                for theirs, ours in (("attn.out_proj", "self_attn.out_proj"), ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"),
                                     ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")):  # fmt: skip
                    made[f"{new}.{theirs}.{end}"] = tensors[f"{old}.{ours}.{end}"]
    for end in ("weight", "bias"):
        made |= {f"ln_final.{end}": tensors[f"text_model.final_layer_norm.{end}"], f"visual.ln_pre.{end}": tensors[f"vision_model.pre_layrnorm.{end}"],
                 f"visual.ln_post.{end}": tensors[f"vision_model.post_layernorm.{end}"]}  # fmt: skip
    made |= {
        "visual.class_embedding": tensors["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": tensors["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": tensors["vision_model.embeddings.position_embedding.weight"],
        "visual.proj": tensors["visual_projection.weight"].T,
        "token_embedding.weight": tensors["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": tensors["text_model.embeddings.position_embedding.weight"],
        "text_projection": tensors["text_projection.weight"].T,
    }
    return {name: value.contiguous().clone() for name, value in made.items()}


def test_numbers_and_their_report(folders):
    name = saved(clip_model(), folders / "clip_vision" / "whole.safetensors")
    videos = [pictures(seed=0), pictures(seed=1), pictures(seed=2)]
    alignment, temp, consistency, diversity, report, picture = clip_metrics_of(videos=videos, clip_file=name, prompts=["a cat"])
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
    assert clip_metrics_of(videos=videos, clip_file=name, prompts=["a cat"])[:4] == [alignment, temp, consistency, diversity]


def test_still_frames_are_consistent_and_one_video_has_no_diversity(folders):
    name = saved(clip_model(), folders / "clip_vision" / "whole.safetensors")
    found = clip_metrics_of(videos=[pictures(1).repeat(4, 1, 1, 1)], clip_file=name)
    assert math.isnan(found[0]) and found[1:3] == pytest.approx([100, 100], abs=1e-4) and math.isnan(found[3])
    assert "prompts: none" in found[4] and "diversity    not defined" in found[4]


def test_long_prompts_are_told(folders):
    name = saved(clip_model(), folders / "clip_vision" / "whole.safetensors")
    assert "1 of them cut after 77 tokens" in clip_metrics_of(videos=[pictures()], clip_file=name, prompts=[PROMPTS[2]])[4]


def core_pair(folders, only=()):
    """CLIP through core's loader, CLIP_VISION of core's class, of one random model that has CLIP-L's text tower in small numbers."""
    model = clip_model(text=768, vision=128, projection=768, layers=12)
    file = folders / "text_encoders" / "text.safetensors"
    saved(model, file, only or ("text_model", "text_projection"))
    clip = comfy.sd.load_clip([str(file)], clip_type=comfy.sd.CLIPType.STABLE_DIFFUSION)
    config = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 12, "num_attention_heads": 2, "hidden_act": "quick_gelu",
              "num_channels": 3, "patch_size": 32, "image_size": 224, "projection_dim": 768, "model_type": "clip_vision_model"}  # fmt: skip
    vision = ClipVisionModel(config)
    vision.load_sd({name: value for name, value in model.state_dict().items() if name.startswith("vi")})
    return model, clip, vision


def test_what_core_has_loaded_is_read_with_its_projection(folders):
    model, clip, vision = core_pair(folders)
    with torch.inference_mode():
        pair = clip_pair.connected(clip, vision)
        seen, read = pair.embed_images(pictures(2).movedim(-1, 1)), pair.embed_text(PROMPTS[0])
        assert torch.equal(
            clip.encode_from_tokens(clip.tokenize("rain"), return_pooled=True)[1],
            clip.encode_from_tokens(clip.tokenize("rain"), return_pooled=True)[1],
        )
    images_expected, text_expected = transformers_embeddings(model, pictures(2), PROMPTS[:1])
    for found, expected in ((seen, images_expected), (read[None], text_expected)):
        assert torch.nn.functional.cosine_similarity(found, expected).min() > 1 - 1e-4, "core keeps weights in half precision"
    assert "text.safetensors, sha256" in pair.description


def test_a_text_tower_without_projection_is_refused(folders):
    _, clip, vision = core_pair(folders, only=("text_model",))
    with pytest.raises(ValueError, match="came without a projection"):
        clip_metrics_of(videos=[pictures()], clip_file=clip_metrics._CONNECTED, prompts=["x"], clip=[clip], clip_vision=[vision])


def test_an_image_tower_that_is_no_clip_is_refused(folders):
    other = ClipVisionModel({"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1, "num_channels": 3,
                             "hidden_act": "gelu", "patch_size": 32, "image_size": 224, "model_type": "siglip_vision_model"})  # fmt: skip
    with pytest.raises(ValueError, match="this CLIP_VISION is a siglip_vision_model"):
        clip_metrics_of(videos=[pictures()], clip_file=clip_metrics._CONNECTED, clip_vision=[other])


def test_towers_of_two_families_are_refused(folders):
    _, clip, _ = core_pair(folders)
    other = ClipVisionModel({"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 1, "num_attention_heads": 2, "num_channels": 3,
                             "hidden_act": "quick_gelu", "patch_size": 32, "image_size": 224, "projection_dim": 512, "model_type": "clip_vision_model"})  # fmt: skip
    with pytest.raises(ValueError, match="do not belong together: pictures become 512 numbers, prompts 768"):
        clip_metrics_of(videos=[pictures()], clip_file=clip_metrics._CONNECTED, prompts=["x"], clip=[clip], clip_vision=[other])


@pytest.mark.parametrize("only", [("vision_model", "visual_projection"), ("text_model", "text_projection"), ("vision_model", "text_model", "visual_projection")])  # fmt: skip
def test_a_part_of_clip_is_refused(folders, only):
    name = saved(clip_model(), folders / "clip_vision" / "part.safetensors", only)
    with pytest.raises(ValueError, match="holds only a part of CLIP: .* is missing"):
        clip_metrics_of(videos=[pictures()], clip_file=name)


def nan_frame() -> torch.Tensor:
    broken = pictures()
    broken[3, 0, 0, 0] = math.nan
    return broken


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"videos": []}, "There are no videos to measure"),
        ({"videos": [pictures(), pictures(), pictures()], "prompts": ["a", "b"]}, "3 videos and 2 prompts"),
        ({"videos": [pictures(), pictures(5, 64, 64)]}, "different sizes .421x300, 64x64."),
        ({"videos": [pictures(), nan_frame()]}, "Number 2 of the videos holds values that are no numbers"),
        ({"videos": [pictures()], "clip_file": "nothing.safetensors"}, "There is no CLIP file 'nothing.safetensors'"),
        ({"videos": [pictures()], "clip_file": clip_metrics._CONNECTED}, "There is no CLIP to look with"),
        ({"videos": [pictures()], "table": "../../x"}, "is no name for a table"),
    ],
)
def test_clip_metrics_refuse_in_one_sentence(folders, inputs, message):
    name = saved(clip_model(), folders / "clip_vision" / "whole.safetensors")
    with pytest.raises(ValueError, match=message) as error:
        clip_metrics_of(**{"clip_file": name, **inputs})
    assert "\n" not in str(error.value)


def test_a_table_grows_by_a_line(folders):
    name = saved(clip_model(), folders / "clip_vision" / "whole.safetensors")
    found = [clip_metrics_of(videos=[pictures(seed=i)], clip_file=name, table="study/clip") for i in range(2)]
    with (folders / "output" / "metrics" / "study" / "clip.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["clip_temp"]) for row in rows] == [values[1] for values in found], "in full precision"
    assert all("sha256" in row["how"] and row["videos"] == "1" for row in rows)
    with pytest.raises(ValueError, match="has other columns"):
        measured(FirstFrameJump, videos=[pictures()], table="study/clip")


# ------------------------------------------------------------------------------------------------ warping error, first frame


def moving(frames: int = 4, size: int = 96) -> torch.Tensor:
    whole = pictures(1, size + 64, size + 64)[0]
    return torch.stack([whole[2 * i : size + 2 * i, 3 * i : size + 3 * i] for i in range(frames)])


def test_warping_error_without_a_model_says_so():
    steady, motion, visible, report, picture = measured(WarpingErrorNode, videos=[moving()], variant=metrics._LAI, table="")
    flicker = moving() * torch.tensor([1.0, 0.93, 1.0, 0.93]).view(-1, 1, 1, 1)
    assert measured(WarpingErrorNode, videos=[flicker], variant=metrics._LAI, table="")[0] > 10 * steady
    assert motion == pytest.approx(13**0.5, rel=0.1) and 0.7 < visible <= 1
    assert "Lucas-Kanade" in report and "1 of 4 frames, 96x96, RGB in [0, 1]" in report
    assert picture.shape[1:] == (2 * 96, 130 + 3 * 96, 3)


def test_warping_error_with_cores_raft(folders):
    from torchvision.models.optical_flow import raft_large

    torch.manual_seed(0)
    torch.save(raft_large(weights=None).state_dict(), folders / "optical_flow" / "raft_large.pth")
    flow = OpticalFlowLoader.execute("raft_large.pth").args[0]
    video = moving(2, 100)
    first = measured(WarpingErrorNode, videos=[video], variant=metrics._LAI, table="", optical_flow=[flow])
    assert "RAFT of 5" in first[3] and "100x100" in first[3]
    assert first[1] == measured(WarpingErrorNode, videos=[video], variant=metrics._LAI, table="", optical_flow=[flow])[1]


def test_homography_variant_is_named():
    error, _, _, report, _ = measured(WarpingErrorNode, videos=[moving()], variant=metrics._HOMOGRAPHY, table="")
    assert "comparable with no warping error but the recurrent paper's" in report and error > 1


@pytest.mark.parametrize("node, videos, message", [
    (WarpingErrorNode, [moving(1)], "has 1 frames, 2 are needed"),
    (FirstFrameJump, [moving(2)], "has 2 frames, 3 are needed"),
    (WarpingErrorNode, [nan_frame()], "no numbers"),
    (FirstFrameJump, [moving(), moving(4, 64)], "different sizes"),
])  # fmt: skip
def test_motion_metrics_refuse(node, videos, message):
    more = {"variant": metrics._LAI} if node is WarpingErrorNode else {}
    with pytest.raises(ValueError, match=message):
        measured(node, videos=videos, table="", **more)


def test_first_frame_jump_of_videos_and_batches(folders):
    levels = torch.tensor([10.0, 40, 42, 44, 46, 48])[:, None, None, None].expand(-1, 16, 16, 3) / 255
    video = InputImpl.VideoFromComponents(Types.VideoComponents(images=levels, frame_rate=8))
    luminance, colour, report, picture = measured(FirstFrameJump, videos=[video, levels], table="")
    assert luminance == pytest.approx(28, abs=1e-3) and colour == pytest.approx(0, abs=1e-3)
    assert "2 of 6 frames, 16x16, RGB in [0, 1], 8 frames per second" in report and picture.shape[0] == 1


# ------------------------------------------------------------------------------------------------ Fréchet video distance


class Brightness(torch.nn.Module):
    """Stands in for I3D where only sets, files and memory are looked at: means over 400 pieces of a video."""

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool3d(video.mean(1, keepdim=True), (4, 10, 10)).flatten(1)


@pytest.fixture
def quick(monkeypatch):
    """The network is Brightness; files' names stay what they are."""

    def network(name: str):
        patcher = comfy.model_patcher.ModelPatcher(Brightness(), torch.device("cpu"), torch.device("cpu"))
        return video_features.Network(patcher, name, f"network: {name}")

    monkeypatch.setattr(video_features, "load_network", network)


def fvd(**inputs) -> list:
    given = {"i3d": "a.pt", "frames": 9, "kept_reference": "none", "keep_reference_as": "", "resamples": 0, "table": ""}
    return measured(FrechetVideoDistance, **{**given, **inputs})


def set_of(count: int, seed: int = 0, frames: int = 10) -> list[torch.Tensor]:
    return [pictures(frames, 20, 30, seed * 1000 + i) for i in range(count)]


def test_equal_sets_and_different_ones(folders, quick):
    assert fvd(videos=set_of(6), reference=set_of(6))[0] < 1e-6
    found = fvd(videos=set_of(6), reference=set_of(8, 1), resamples=20)
    assert found[0] > 0.01 and math.isnan(found[1]) and math.isnan(found[2])
    for part in ("WARNING: 6 videos", "network: a.pt", "videos: 6 of 9 frames (the first 9 of each), 30x20", "reference videos: 8 of 9 frames",
                 "floor:", "20 bootstrap resamples", "differ in size"):  # fmt: skip
        assert part in found[3]
    assert found[4].shape[0] == 1
    assert fvd(videos=set_of(6), reference=set_of(8, 1), resamples=20)[0] == found[0]


def test_groups_become_sfvd(folders, quick):
    groups = ["cat", "dog"] * 3
    found = fvd(videos=set_of(6), reference=set_of(6, 1), video_groups=groups, reference_groups=groups)
    alone = [fvd(videos=set_of(6)[i::2], reference=set_of(6, 1)[i::2])[0] for i in range(2)]
    assert found[1] == pytest.approx(sum(alone) / 2) and found[2] == pytest.approx(abs(alone[0] - alone[1]) / 2)
    assert "groups: cat " in found[3]


def test_kept_features_give_the_same_distance(folders, quick):
    first = fvd(videos=set_of(6), reference=set_of(6, 1), reference_groups=["a"] * 6, video_groups=["a"] * 6, keep_reference_as="real/set")
    assert video_features.kept_names() == ["real/set"]
    again = fvd(videos=set_of(6), kept_reference="real/set", video_groups=["a"] * 6)
    assert again[:3] == first[:3]
    with pytest.raises(ValueError, match="are of 9 frames by network a.pt, asked for are 10 by a.pt"):
        fvd(videos=set_of(6), kept_reference="real/set", frames=10)
    with pytest.raises(ValueError, match="asked for are 9 by b.pt"):
        fvd(videos=set_of(6), kept_reference="real/set", i3d="b.pt")


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"reference": set_of(1)}, "at least 2 videos in each set"),
        ({"reference": []}, "either connect reference videos, or choose kept features"),
        ({"reference": set_of(3, frames=8)}, "Number 1 of the reference videos has 8 frames, 9 are needed"),
        ({"reference": set_of(3), "reference_groups": ["a", "b"]}, "3 reference videos and 2 groups"),
        ({"reference": [*set_of(2), pictures(10, 30, 30)]}, "reference videos have different sizes"),
        ({"reference": set_of(3), "video_groups": ["a"] * 3, "reference_groups": ["a", "a", "b"]}, "'b' is in one of the two sets"),
        ({"reference": set_of(3), "keep_reference_as": "../../x"}, "is no name for features"),
        ({"kept_reference": "gone"}, "holds no features of this node"),
    ],
)
def test_distance_refuses_in_one_sentence(folders, quick, inputs, message):
    with pytest.raises(ValueError, match=message) as error:
        fvd(**{"videos": set_of(3, 2), "reference": [], **inputs})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content, message", [("tensors", "no I3D of 400 classes"), ("bytes", "damaged or holds more than weights"),
                                              ("module", "damaged or holds more than weights"), ("list", "no state dict of tensors")])  # fmt: skip
def test_an_i3d_file_that_is_none_is_refused(folders, content, message):
    file = folders / "i3d" / "a.pt"
    if content == "bytes":
        file.write_bytes(b"not a file")
    else:
        torch.save({"tensors": {"x": torch.zeros(2)}, "module": Brightness(), "list": [1, 2]}[content], file)
    with pytest.raises(ValueError, match=message) as error:
        fvd(videos=set_of(3), reference=set_of(3))
    assert "\n" not in str(error.value)


def test_the_real_network_runs_and_warns_of_other_weights(folders):
    torch.manual_seed(0)
    torch.save({name: value for name, value in I3D().state_dict().items() if "num_batches" not in name}, folders / "i3d" / "random.pt")
    found = fvd(videos=set_of(2), reference=set_of(2, 1), i3d="random.pt")
    assert found[0] >= 0 and "OTHER weights than those of published distances" in found[3] and "random.pt, sha256 " in found[3]


class Decoded(InputImpl.VideoFromComponents):
    """A VIDEO that makes its frames when asked, as a file does."""

    def __init__(self, seed: int):
        self.seed = seed

    def get_components(self):
        images = torch.rand(16, 256, 256, 3, generator=torch.Generator().manual_seed(self.seed))
        return Types.VideoComponents(images=images, frame_rate=8)


def test_many_videos_stream_through(folders, quick):
    """Memory does not grow with the number of videos: 120 of 16 x 256 x 256 would be 1.4 GB at once."""
    fvd(videos=[Decoded(i) for i in range(10)], reference=set_of(2), frames=9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fvd(videos=[Decoded(i) for i in range(120)], reference=set_of(2), frames=9)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 300e6


def test_cancel_stops_at_the_next_video(folders, quick, monkeypatch):
    seen = []
    monkeypatch.setattr(video_features, "_see", lambda model, video, device: seen.append(1) or comfy.model_management.interrupt_current_processing(True) or torch.zeros(1, 400))  # fmt: skip
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        fvd(videos=set_of(5), reference=set_of(5))
    comfy.model_management.interrupt_current_processing(False)
    assert len(seen) == 1


def test_progress_counts_videos_and_resamples(folders, quick, monkeypatch):
    counts = []
    monkeypatch.setattr("comfy.utils.PROGRESS_BAR_HOOK", lambda value, total, preview, **_: counts.append((value, total)))
    fvd(videos=set_of(3), reference=set_of(4), resamples=5)
    assert counts[-1] == (12, 12)


# ------------------------------------------------------------------------------------------------ the pack


def test_nodes_are_in_the_packs_list():
    names = {node.define_schema().node_id for node in few_shot_motion.nodes.NODES}
    assert {"FSM_ClipVideoMetrics", "FSM_WarpingError", "FSM_FrechetVideoDistance", "FSM_FirstFrameJump"} <= names


def test_a_folder_of_videos_is_measured_on_a_server(server):
    """Through the executor: lists go in whole, inputs that are not connected stay out, numbers and pictures come out."""
    clips.write_training_set(server.base / "input" / "measured", "moves right", count=3, frames=9)
    for folder in ("i3d", "clip_vision"):
        (server.base / "models" / folder).mkdir(exist_ok=True)
    save_file(
        {name: value for name, value in I3D().state_dict().items() if "num_batches" not in name},
        server.base / "models" / "i3d" / "random.safetensors",
    )
    saved(clip_model(), server.base / "models" / "clip_vision" / "whole.safetensors")
    prompt = {
        "clips": {"class_type": "LoadVideoTextDataSetFromFolder", "inputs": {"folder": "measured"}},
        "clip": {"class_type": "FSM_ClipVideoMetrics", "inputs": {
            "videos": ["clips", 0], "clip_file": "whole.safetensors", "activation": "auto", "table": "all", "prompts": ["clips", 1]}},
        "warp": {"class_type": "FSM_WarpingError", "inputs": {"videos": ["clips", 0], "variant": metrics._LAI, "table": ""}},
        "jump": {"class_type": "FSM_FirstFrameJump", "inputs": {"videos": ["clips", 0], "table": ""}},
        "fvd": {"class_type": "FSM_FrechetVideoDistance", "inputs": {
            "videos": ["clips", 0], "i3d": "random.safetensors", "frames": 9, "kept_reference": "none", "keep_reference_as": "three",
            "resamples": 3, "table": "", "reference": ["clips", 0]}},
        "sheet": {"class_type": "PreviewImage", "inputs": {"images": ["warp", 4]}},
    }  # fmt: skip
    outputs = server.client.run(prompt)
    texts = {name: outputs[name]["text"][0] for name in ("clip", "warp", "jump", "fvd")}
    for name, text in texts.items():
        assert "videos: 3 of 9 frames" in text and "128x128" in text, name
    assert "prompts: 3 different ones" in texts["clip"]
    assert distance_in(texts["fvd"]) < 1e-6, "a set against itself"
    assert len(outputs["sheet"]["images"]) == 1
    assert (server.base / "output" / "metrics" / "all.csv").exists()
    assert server.client.choices("FSM_FrechetVideoDistance", "kept_reference") == ["none", "three"]

    again = {name: prompt[name] for name in ("clips", "fvd")}
    again["fvd"]["inputs"] |= {"kept_reference": "three", "keep_reference_as": ""}
    again["fvd"]["inputs"].pop("reference")
    assert distance_in(server.client.run(again)["fvd"]["text"][0]) < 1e-6
    file = server.base / "output" / "video_features" / "three.safetensors"
    with safe_open(file, "pt") as kept:
        save_file({"features": kept.get_tensor("features") + 1}, file.with_suffix(".new"), kept.metadata())
    file.with_suffix(".new").replace(file)
    assert distance_in(server.client.run(again)["fvd"]["text"][0]) == pytest.approx(400, rel=1e-4), (
        "other features under the same name are seen"
    )


def distance_in(report: str) -> float:
    return float(re.search(r"^fvd +(\S+)$", report, re.MULTILINE)[1])
