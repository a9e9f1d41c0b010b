"""Files: what is written is read again, what is broken is refused in one sentence, nothing half written stays."""

import pickle

import pytest
import torch
from few_shot_motion.motion_modules import adapter_file as files
from few_shot_motion.motion_modules.adapter import AdapterError, MotionAdapter
from few_shot_motion.motion_modules.diffusers_names import to_comfy
from few_shot_motion.motion_modules.methods import METHODS, check_fits, place
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.motion_modules.released import first_and_memory, load_adapter
from few_shot_motion.motion_modules.sites import Site
from few_shot_motion.motion_modules.writing import write_whole
from safetensors.torch import save_file

SITES = [
    Site("input_blocks.1.0.in_layers.2", 8, is_block=False),
    Site("input_blocks.1.1.transformer_blocks.0", 8, is_block=True),
]


def no_base(*_):
    raise AssertionError("an adapter of our own needs nothing of the base")


@pytest.fixture
def adapter():
    return MotionAdapter(
        "lamp", dict(MotionModule(SITES, rank=2).state_dict()), 2, False, {"base": "a test", "prompts": '["a"]'}
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_round_trip(adapter, tmp_path, dtype):
    again = load_adapter(files.save_adapter(adapter, tmp_path / "new folder" / "a.safetensors", dtype), no_base)
    assert (again.method, again.rank, again.joint_norm) == ("lamp", 2, False)
    assert again.metadata["base"] == "a test" and again.metadata["prompts"] == '["a"]'
    assert again.tensors.keys() == adapter.tensors.keys()
    assert all(torch.equal(again.tensors[name], value.to(dtype)) for name, value in adapter.tensors.items())


def refused(path, match: str):
    with pytest.raises(AdapterError, match=match) as caught:
        load_adapter(path, no_base)
    assert "\n" not in str(caught.value)


def test_truncated_file(adapter, tmp_path):
    file = files.save_adapter(adapter, tmp_path / "a.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    refused(file, "a.safetensors cannot be read as safetensors")


def test_no_safetensors_at_all(tmp_path):
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"GIF89a" * 100)
    refused(file, "a.safetensors cannot be read as safetensors")


def test_pickle_with_code_in_it(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    file = tmp_path / "a.bin"
    torch.save({"x": Evil()}, file)
    refused(file, r"a.bin was refused: it holds more than weights \(io.open\).*use a .safetensors file")
    file.write_bytes(pickle.dumps({"x": Evil()}))
    refused(file, "a.bin was refused")
    assert not (tmp_path / "owned").exists()


def test_other_files_and_folders(adapter, tmp_path):
    save_file({"lora_up.weight": torch.zeros(2)}, tmp_path / "lora.safetensors")
    refused(tmp_path / "lora.safetensors", "lora.safetensors is no motion adapter this pack knows.*lora_up.weight")
    (tmp_path / "unet").mkdir()
    refused(tmp_path / "unet", "folder unet holds no diffusion_pytorch_model.safetensors")
    save_file({"x": torch.zeros(2)}, tmp_path / "new.safetensors", {"few_shot_motion": "99"})
    refused(tmp_path / "new.safetensors", "adapter format '99', this pack reads format 1: update the pack")


def test_adapter_for_another_model(adapter):
    check_fits(adapter, SITES, "SD")
    wider = [Site(site.path, 16, site.is_block) for site in SITES]
    with pytest.raises(AdapterError, match="made for a test, the model is SDXL.*the model has .*16"):
        check_fits(adapter, wider, "SDXL")
    with pytest.raises(AdapterError, match="the model has no such layer there"):
        check_fits(adapter, SITES[:1], "SDXL")


@pytest.mark.parametrize(
    "made_for, model, fits",
    [
        ("Stable Diffusion 1.x", "Stable Diffusion 2.x", False),
        ("Stable Diffusion 1.4", "Stable Diffusion 2.x unCLIP", False),
        ("Stable Diffusion 1.x", "ModelScope T2V", False),
        ("Stable Diffusion 2.x", "ModelScope T2V", False),
        ("Stable Diffusion 1.4", "Stable Diffusion 1.x", True),
        ("Stable Diffusion 2.x", "Stable Diffusion 2.x unCLIP", True),
        ("a UNet of 64 channels", "Stable Diffusion 2.x", True),  # nothing is known of it
        ("Stable Diffusion 1.x", "Miniature", True),
    ],
)
def test_adapter_that_fits_by_its_sizes_only(adapter, made_for, model, fits):
    adapter.metadata["base"] = made_for
    if fits:
        return check_fits(adapter, SITES, model)
    with pytest.raises(
        AdapterError,
        match=f"made for {made_for}, the model is {model}: its layers have the right sizes, but were trained on other",
    ):
        check_fits(adapter, SITES, model)


def test_nothing_half_written_stays(adapter, tmp_path):
    file = tmp_path / "a.safetensors"
    files.save_adapter(adapter, file)
    before = file.read_bytes()

    def full_disk(part):
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(
        AdapterError, match="a.safetensors could not be written.*No space left on device.*free some space"
    ):
        write_whole(file, full_disk)
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


def test_folder_that_is_a_file(adapter, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(AdapterError, match="a.safetensors could not be written"):
        files.save_adapter(adapter, tmp_path / "taken" / "a.safetensors")


def test_diffusers_names_of_a_whole_unet(golden):
    import json

    keymap = json.loads((golden / "lamp/keymap_sd14_official_to_comfy.json").read_text())
    found = {old: new.replace(".conv2d.", ".") for old, new in to_comfy(keymap).items()}
    assert found == {old: new.removeprefix("diffusion_model.") for old, new in keymap.items()}


def test_lamps_released_folder_and_file_are_the_same_adapter(tmp_path):
    torch.manual_seed(0)
    block = "down_blocks.0.attentions.0.transformer_blocks.0"
    release = {"conv_in.conv1d.weight": torch.randn(8, 8, 3), "conv_in.conv2d.weight": torch.randn(8, 4, 3, 3),
               f"{block}.attn_temp.to_q.weight": torch.randn(8, 8), f"{block}.attn1.to_q.weight": torch.randn(8, 8),
               "down_blocks.0.resnets.0.norm1.weight": torch.randn(8)}  # fmt: skip
    (tmp_path / "run" / "unet").mkdir(parents=True)
    torch.save(release, tmp_path / "run" / "unet" / "diffusion_pytorch_model.bin")
    save_file(release, tmp_path / "lamp.safetensors")
    base = torch.randn(8, 8)
    found = [
        load_adapter(tmp_path / name, lambda name, shape: base) for name in ("run", "run/unet", "lamp.safetensors")
    ]
    for adapter in found:
        assert set(adapter.tensors) == {"input_blocks.0.0.conv1d.weight",
                                        "input_blocks.1.1.transformer_blocks.0.attn_temp.to_q.weight",
                                        "input_blocks.1.1.transformer_blocks.0.attn1.to_q.delta.weight"}  # fmt: skip
        delta = adapter.tensors["input_blocks.1.1.transformer_blocks.0.attn1.to_q.delta.weight"]
        assert torch.allclose(base + delta, release[f"{block}.attn1.to_q.weight"], atol=1e-6)


@pytest.mark.parametrize("memory", [False, True])
def test_released_unets_without_a_first_frame(tmp_path, memory):
    """Tune-A-Video's and the recurrent one's: folder and file, `.bin` and safetensors, tuned queries of both attentions
    as changes.
    """
    torch.manual_seed(0)
    block, ours = "mid_block.attentions.0.transformer_blocks.0", "middle_block.1.transformer_blocks.0"
    kept = {f"{block}.attn_temp.to_q.weight": torch.randn(8, 8), f"{block}.norm_temp.weight": torch.randn(8)}
    kept |= {f"{block}.attn1.memory_update_layer.weight": torch.randn(8, 16)} if memory else {}
    queries = {f"{block}.{name}.to_q.weight": torch.randn(8, 8) for name in ("attn1", "attn2")}
    release = {
        **kept,
        **queries,
        f"{block}.attn1.to_k.weight": torch.randn(8, 8),
        "conv_in.weight": torch.randn(8, 4, 3, 3),
    }
    (tmp_path / "run" / "unet").mkdir(parents=True)
    torch.save(release, tmp_path / "run" / "unet" / "diffusion_pytorch_model.bin")
    save_file(release, tmp_path / "unet.safetensors")
    base = torch.randn(8, 8)
    for name in ("run", "unet.safetensors"):
        adapter = load_adapter(tmp_path / name, lambda name, shape: base)
        assert (adapter.method, adapter.recurrence) == (("recurrent", "official") if memory else ("tune-a-video", ""))
        assert adapter.joint_norm and adapter.rank == 0
        expected = {old.replace(block, ours): value for old, value in kept.items()}
        expected |= {
            old.replace(block, ours).replace(".weight", ".delta.weight"): value - base for old, value in queries.items()
        }
        assert adapter.tensors.keys() == expected.keys()
        assert all(torch.allclose(adapter.tensors[key], value, atol=1e-6) for key, value in expected.items())
        other = first_and_memory(adapter)
        assert other.recurrence == ("official, first + memory" if memory else "")


@pytest.mark.parametrize("method", ["lamp", "recurrent"])
@pytest.mark.parametrize("centred", [False, True])
def test_which_frames_a_convolution_looks_at_is_kept_and_built(tmp_path, method, centred):
    form = "fixed" if method == "recurrent" else ""
    module = METHODS[method].build(MotionAdapter(method, {}, recurrence=form), SITES, torch.nn)
    adapter = MotionAdapter(method, dict(module.state_dict()), recurrence=form, centred=centred)
    again = load_adapter(files.save_adapter(adapter, tmp_path / "a.safetensors"), no_base)
    assert again.centred == centred and ("centred convolutions" in again.describe()) == centred
    layers = place(again, SITES, torch.float32).layers
    assert layers[SITES[0].path].around == ((1, 1) if centred else (2, 0))


def test_a_convolution_of_an_unknown_kind(tmp_path):
    save_file({"x": torch.zeros(2)}, tmp_path / "a.safetensors",
              {"few_shot_motion": "1", "method": "lamp", "convolution": "dilated"})  # fmt: skip
    refused(tmp_path / "a.safetensors", "a.safetensors has convolutions of the kind 'dilated', this pack knows causal, "
            "centred: update the pack")  # fmt: skip


def test_a_memory_of_an_unknown_form(tmp_path):
    for method, form in (("recurrent", "newer"), ("recurrent", ""), ("lamp", "fixed")):
        save_file(
            {"x": torch.zeros(2)},
            tmp_path / "a.safetensors",
            {"few_shot_motion": "1", "method": method, "recurrence": form},
        )
        refused(
            tmp_path / "a.safetensors",
            f"a.safetensors has a memory of the form '{form}', this pack knows .* for {method}: update the pack",
        )


def test_an_adapter_with_tensors_missing(adapter):
    whole = adapter.tensors
    cut = {name: value for name, value in whole.items() if "attn_temp" not in name}
    with pytest.raises(
        AdapterError, match="This adapter is incomplete: .*attn_temp.* is missing in it, and .* more. Download it"
    ):
        check_fits(MotionAdapter("lamp", cut, 2), SITES, "SD")
    tensors = dict(MotionModule(SITES[1:], recurrence="fixed", tuned=("attn1", "attn2")).state_dict())
    with pytest.raises(AdapterError, match="no layer for 1 of the model's rows"):
        check_fits(MotionAdapter("recurrent", tensors, recurrence="fixed"), [*SITES[1:], Site("middle", 8, True)], "SD")
    with pytest.raises(AdapterError, match="the model has no such layer there"):
        check_fits(MotionAdapter("tune-a-video", tensors), SITES[1:], "SD")
