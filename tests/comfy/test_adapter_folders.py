"""Folders of adapters: links as ComfyUI follows them, names that lead out, lists that can be loaded, cache keys."""

import json
import os

import folder_paths
import pytest
import torch
import unets
from few_shot_motion.host.files import folders
from few_shot_motion.host.files.weights_file import stamp
from few_shot_motion.motion_modules.adapter import AdapterError, MotionAdapter
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.motion_modules.sites import Site
from few_shot_motion.nodes.motion import ApplyMotionAdapter, LoadMotionAdapter, SaveMotionAdapter
from safetensors.torch import save_file

SPATIAL = "mid_block.attentions.0.transformer_blocks.0"


@pytest.fixture
def models(tmp_path, monkeypatch):
    """models/motion_adapters and output/motion_adapters, empty; tmp_path/"elsewhere" is outside of both."""
    roots = [tmp_path / "models" / "motion_adapters", tmp_path / "output" / "motion_adapters"]
    for folder in (*roots, tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    known = ([str(root) for root in roots], set(folder_paths.supported_pt_extensions))
    for name in ("animatediff_models", "animatediff_motion_lora"):
        monkeypatch.delitem(folder_paths.folder_names_and_paths, name, raising=False)
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "motion_adapters", known)
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path / "output"))
    folder_paths.filename_list_cache.clear()
    yield roots[0]
    folder_paths.filename_list_cache.clear()


def adapter() -> MotionAdapter:
    site = Site("input_blocks.1.0.in_layers.2", 8, is_block=False)
    return MotionAdapter("lamp", dict(MotionModule([site], rank=2).state_dict()), 2)


def test_linked_files_and_folders_are_listed_and_load(models, tmp_path):
    save_adapter(adapter(), tmp_path / "elsewhere" / "rain.safetensors")
    (models / "linked.safetensors").symlink_to(tmp_path / "elsewhere" / "rain.safetensors")
    (models / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert folders.adapter_names() == ["linked.safetensors", "more/rain.safetensors"]
    for name in folders.adapter_names():
        assert load_adapter(folders.adapter_path(name), None).method == "lamp"


def test_a_linked_root(models, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(models, target_is_directory=True)
    save_adapter(adapter(), models / "rain.safetensors")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "motion_adapters",
                        ([str(tmp_path / "link")], set(folder_paths.supported_pt_extensions)))  # fmt: skip
    assert folders.adapter_path("rain.safetensors").exists()
    with pytest.raises(AdapterError, match="There is no motion adapter 'snow.safetensors'"):
        folders.adapter_path("snow.safetensors")


def test_names_that_lead_out(models, tmp_path):
    """What a workflow writes stays in the folder, whatever is there: no link is needed to try to leave it."""
    outside = tmp_path / "elsewhere" / "rain.safetensors"
    save_adapter(adapter(), outside)
    beside = models.with_name("motion_adapters_of_others")
    beside.mkdir()
    save_adapter(adapter(), beside / "rain.safetensors")
    for name in ("../../elsewhere/rain.safetensors", "x/../../../elsewhere/rain.safetensors", str(outside),
                 "../motion_adapters_of_others/rain.safetensors", "", ".", "..", "a\0b", "n" * 300):  # fmt: skip
        with pytest.raises(AdapterError, match="There is no motion adapter") as caught:
            folders.adapter_path(name)
        assert "\n" not in str(caught.value)
    save_adapter(adapter(), models / "rain.safetensors")
    assert folders.adapter_path("x/../rain.safetensors") == models / "rain.safetensors"


@pytest.mark.parametrize("target", ["round", "nowhere.safetensors"])
def test_links_that_lead_nowhere(models, target):
    (models / "a.safetensors").symlink_to("b.safetensors" if target == "round" else target)
    if target == "round":
        (models / "b.safetensors").symlink_to("a.safetensors")
    with pytest.raises(AdapterError, match="'a.safetensors' is a link in .* leads nowhere or in a circle"):
        folders.adapter_path("a.safetensors")


@pytest.mark.parametrize("name", ["", ".", "/", "../x", "a/../../x", "/x", "n" * 300, "a\0b", "ü" * 130])
def test_names_that_cannot_be_written(models, name):
    for asks in (lambda: folders.file_in(folders.saved_folder(), name, ".safetensors", "a run"),
                 lambda: folders.new_files(name)):  # fmt: skip
        with pytest.raises(AdapterError, match="is no name for") as caught:
            asks()
        assert "\n" not in str(caught.value)


def test_output_that_is_a_link(models, tmp_path):
    """Subfolders of the output folder may lie on another disk."""
    (folders.saved_folder() / "big").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    file = folders.file_in(folders.saved_folder(), "big/rain", ".safetensors", "a run")
    save_adapter(adapter(), file)
    assert (tmp_path / "elsewhere" / "rain.safetensors").exists()


def release(query: torch.Tensor) -> dict[str, torch.Tensor]:
    return {f"{SPATIAL}.attn_temp.to_q.weight": query, f"{SPATIAL}.attn1.to_q.weight": query.clone()}


def test_release_folders_are_listed_where_they_load(models):
    for name, file in (("plain", "diffusion_pytorch_model.bin"), ("half", "diffusion_pytorch_model.fp16.safetensors"),
                       ("part", "diffusion_pytorch_model-00001-of-00002.safetensors")):  # fmt: skip
        (models / name / "unet").mkdir(parents=True)
        write = save_file if file.endswith("safetensors") else torch.save
        write(release(torch.ones(8, 8)), models / name / "unet" / file)
    names = folders.adapter_names()
    assert names == ["half/unet", "half/unet/diffusion_pytorch_model.fp16.safetensors", "plain/unet",
                     "plain/unet/diffusion_pytorch_model.bin"]  # fmt: skip
    for name in names:
        assert load_adapter(folders.adapter_path(name), lambda name, shape: torch.zeros(shape)).method == "tune-a-video"


@pytest.mark.parametrize("place", ["", "unet"])
@pytest.mark.parametrize("parts", [False, True])
def test_the_cache_key_of_a_folder_follows_its_files(models, place, parts):
    folder = models / "run" / place
    folder.mkdir(parents=True)
    files = [folder / "diffusion_pytorch_model.safetensors"]
    if parts:
        files = [folder / f"diffusion_pytorch_model-0000{i}-of-00002.safetensors" for i in (1, 2)]
        index = json.dumps({"weight_map": {file.name: file.name for file in files}})
        (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(index)
    for file in files:
        save_file(release(torch.ones(8, 8)), file)
    for file in files:
        before = LoadMotionAdapter.fingerprint_inputs("run")
        os.utime(file, (5, 5))
        assert LoadMotionAdapter.fingerprint_inputs("run") != before
        assert LoadMotionAdapter.fingerprint_inputs("run") == LoadMotionAdapter.fingerprint_inputs("run")
    assert stamp(models / "nothing") == "none"


def test_a_release_saved_on_one_checkpoint_is_the_release_on_another(models):
    """Loaded on A, saved, loaded on B: what the release itself gives on B; and so does the adapter handed over."""
    first, second = (unets.sd_model(unets.TINY, seed=seed) for seed in (1, 2))
    names = {"middle_block.1.transformer_blocks.0": SPATIAL}
    names |= {"input_blocks.1.1.transformer_blocks.0": "down_blocks.0.attentions.0.transformer_blocks.0"}
    names |= {f"output_blocks.{i}.1.transformer_blocks.0": f"up_blocks.1.attentions.{i - 2}.transformer_blocks.0"
              for i in (2, 3)}  # fmt: skip
    shapes = first.model.diffusion_model.state_dict()
    torch.manual_seed(0)
    tensors = {}
    for ours, theirs in names.items():
        query = shapes[f"{ours}.attn1.to_q.weight"]
        layer = MotionModule([Site(ours, len(query), is_block=True)], tuned=("attn1", "attn2"))
        tensors |= {name.replace(ours, theirs): 0.2 * torch.randn(value.shape)
                    for name, value in layer.state_dict().items() if "delta" not in name}  # fmt: skip
        tensors |= {f"{theirs}.{name}.to_q.weight": torch.randn(query.shape) for name in ("attn1", "attn2")}
    save_file(tensors, models / "release.safetensors")

    def output(model):
        unets.load(model)
        generator = torch.Generator().manual_seed(0)
        latents, text = torch.randn(1, 4, 4, 8, 8, generator=generator), torch.randn(1, 9, 64, generator=generator)
        return unets.eps_of(model, latents, torch.tensor([500.0]), text)

    on_first = LoadMotionAdapter.execute(first, "release.safetensors", 1.0)
    saved = SaveMotionAdapter.execute(on_first.args[1], "portable", "fp32").args[0]
    expected = output(LoadMotionAdapter.execute(second, "release.safetensors", 1.0).args[0])
    again = LoadMotionAdapter.execute(second, saved, 1.0)
    handed = ApplyMotionAdapter.execute(second, on_first.args[1], 1.0, 0.0, 1.0).args[0]
    assert torch.equal(output(again.args[0]), expected) and torch.equal(output(handed), expected)
    assert (output(on_first.args[0]) - expected).abs().max() > 1e-2
    half = SaveMotionAdapter.execute(on_first.args[1], "portable", "fp16").args[0]
    assert (output(LoadMotionAdapter.execute(second, half, 1.0).args[0]) - expected).abs().max() < 2e-2
    assert "alone" not in again.ui.as_dict()["text"][0]


def test_a_release_saved_as_changes_says_so(models):
    """Files of earlier versions of the pack hold changes of a base they do not name."""
    old = MotionAdapter("lamp", {"x": torch.zeros(1)}, metadata={"source": "the released UNet layout of LAMP"})
    assert "right on the checkpoint it was saved from alone" in old.describe()
