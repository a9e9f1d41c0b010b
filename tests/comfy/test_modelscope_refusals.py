"""Files that Load ModelScope T2V refuses, in one sentence, whatever is wrong with them."""

import modelscope_files
import pytest
import torch
from few_shot_motion.host.patching import modelscope_model
from few_shot_motion.motion_modules import modelscope_file
from modelscope_files import load
from safetensors.torch import save_file

EVERY = 60  # of the file's tensors, is left out in turn


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with modelscope_files.models_folder(tmp_path_factory.mktemp("models")) as place:
        yield place


def without(part: str):
    return lambda tensors: {name: value for name, value in tensors.items() if part not in name}


@pytest.mark.parametrize(
    "change, message",
    [
        (without("temopral_conv"), r"bad.safetensors is no ModelScope UNet, it holds \d+ tensors such as .+: choose "
                                   r"ModelScope's or ZeroScope's UNet"),
        (lambda tensors: {"lora_up.weight": torch.zeros(1)}, "is no ModelScope UNet, it holds 1 tensors such as "
                                                             "lora_up.weight"),
        (without("middle_block.3.temopral_conv.conv4.3.bias"),
         "no whole ModelScope UNet, 1 tensors are missing, foreign or of another shape, "
         "middle_block.2.temporal_conv.3.conv.bias for one"),
        (lambda tensors: {**tensors, "init_attn.0.norm.weight": torch.zeros(3)}, "no whole ModelScope UNet, 1 tensors "
                                                                                 ".+ init_attn.0.norm.weight"),
        (lambda tensors: {**tensors, "out.2.bias": torch.zeros(7)}, "no whole ModelScope UNet, 1 tensors .+ out.2.bias "
                                                                    "for one"),
        (without("input_blocks.0.1."), "no whole ModelScope UNet, its tensors do not tell its size"),
        (without("input_blocks.0.0."), "no whole ModelScope UNet, its tensors do not tell its size"),
    ],
)  # fmt: skip
def test_another_network_is_refused(folder, change, message):
    save_file(change(modelscope_files.original_file()), folder / "bad.safetensors")
    refused("bad.safetensors", message)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_truncated_file_is_refused(folder, suffix):
    file = folder / f"cut{suffix}"
    tensors = modelscope_files.original_file()
    save_file(tensors, file) if suffix == ".safetensors" else torch.save(tensors, file)
    file.write_bytes(file.read_bytes()[:-1000])
    refused(file.name, rf"^cut{suffix} (was refused|cannot be read as safetensors).*: it is damaged or .* it again")


def test_code_in_a_file_is_refused(folder):
    torch.save({"weight": Exploding()}, folder / "code.pth")
    refused("code.pth", r"code.pth was refused: it holds more than weights \(.*exec\)")


class Exploding:
    def __reduce__(self):
        return (exec, ("raise SystemExit('run')",))


def refused(file: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        load(file)
    assert "\n" not in str(raised.value)


def test_any_missing_tensor_is_noticed():
    """Whatever its place, and whether the network's size is read from it or not."""
    tensors = modelscope_files.original_file()
    for missing in sorted(tensors)[::EVERY]:
        content = modelscope_file.read("cut", {name: value for name, value in tensors.items() if name != missing})
        with pytest.raises(ValueError, match="cut is no whole ModelScope UNet"):
            modelscope_model.config_of(content, "cut")


def test_a_file_that_is_no_vae_is_refused(folder):
    save_file({"some.weight": torch.zeros(2)}, folder / "novae.safetensors")
    with pytest.raises(
        ValueError,
        match="novae.safetensors is no VAE that ComfyUI knows, it holds 1 tensors such as some.weight: choose "
        "ModelScope's VQGAN",
    ):
        load("unet.safetensors", "novae.safetensors")
