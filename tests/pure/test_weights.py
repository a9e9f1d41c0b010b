"""The one reader of weights: what is no file of them, what claims more than it holds, and values that cannot be any."""

import pickle
import zipfile

import pytest
import torch
from few_shot_motion.motion_modules import adapter_file
from few_shot_motion.motion_modules.adapter import AdapterError, MotionAdapter
from few_shot_motion.motion_modules.mask_predictor import CONTEXT, PREDICTOR, MaskContext, MaskPredictor
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.motion_modules.sites import Site
from few_shot_motion.motion_modules.weights import read_weights
from few_shot_motion.motion_modules.writing import tensors_to, write_whole
from safetensors.torch import save_file


def refused(file, match: str, read=read_weights):
    with pytest.raises(AdapterError, match=match) as caught:
        read(file)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(file.name) and "weights_only" not in text and "trust" not in text


@pytest.mark.parametrize("name", ["a.ckpt", "a.safetensors", "a.pth"])
@pytest.mark.parametrize("content, sentence", [
    (b"", "is empty"),
    (b"\r\n  <!DOCTYPE html><html><body>Sign in</body></html>", "is a web page and no weights: download"),
    (b"\xef\xbb\xbf<HTML lang=en>", "is a web page"),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is a web page"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1671350144\n", "is a pointer of Git LFS"),
    (b"\x89PNG\r\n" * 50, "(cannot be read as safetensors|was refused: it is damaged or no file of weights)"),
])  # fmt: skip
def test_what_is_no_file_of_weights(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, sentence)


class Code:
    def __reduce__(self):
        return (print, ("run",))


def test_torchs_advice_is_never_passed_on(tmp_path, capsys):
    file = tmp_path / "a.ckpt"
    torch.save({"state_dict": {"x": torch.zeros(1)}, "callbacks": Code()}, file)
    refused(file, r"was refused: it holds more than weights \(.*print\), and what is more can be code")
    torch.save(torch.nn.Linear(2, 2), file)
    refused(file, r"holds more than weights \(torch.nn.modules.linear.Linear\)")
    file.write_bytes(pickle.dumps({"x": Code()}, protocol=2))
    refused(file, "was refused")
    assert capsys.readouterr().out == ""


def test_sizes_are_checked_before_memory_is_taken(tmp_path):
    file = tmp_path / "a.pth"
    torch.save({"x": torch.zeros(1).expand(10**10)}, file)
    assert file.stat().st_size < 2000
    refused(file, "its x claims 10000000000 values that are not in the file")
    torch.save({"x": torch.zeros(10**6)}, tmp_path / "whole.pth")
    with zipfile.ZipFile(tmp_path / "whole.pth") as whole, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in whole.infolist():
            packed.writestr(entry.filename, whole.read(entry))
    refused(file, r"its \d+ bytes claim to hold 40\d+; download it again")
    torch.save({"x": torch.eye(3).to_sparse()}, file)
    refused(file, "its x claims 9 values that are not in the file")


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: {"state_dict": t}, lambda t: {"module": t, "epoch": 3},
                                  lambda t: {"state_dict": {"module": t}}, lambda t: {"net": t, "optimizer": {0: 1}},
                                  lambda t: {1: "x", **t}])  # fmt: skip
def test_state_dicts_are_unwrapped(tmp_path, wrap):
    torch.save(wrap({"x": torch.ones(2), "say": "hello"}), tmp_path / "a.pt")
    assert list(read_weights(tmp_path / "a.pt").tensors) == ["x"]


@pytest.mark.parametrize("content", [[1, 2], {}, {1: torch.zeros(1)}, "text", {"a": {"b": {"c": torch.zeros(1)}}}])
def test_no_state_dict(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    refused(tmp_path / "a.pt", "holds no state dict of tensors")


# ------------------------------------------------------------------------------------------------ adapters

SITE = Site("input_blocks.1.0.in_layers.2", 8, is_block=False)


def an_adapter(**changes) -> MotionAdapter:
    return MotionAdapter("lamp", {**MotionModule([SITE]).state_dict(), **changes})


def load(file):
    return load_adapter(file, None)


NAME = "input_blocks.1.0.in_layers.2.conv1d.weight"


@pytest.mark.parametrize("value, sentence", [
    (torch.full((8, 8, 3), torch.nan), f"holds values that are no numbers .* in {NAME} for one"),
    (torch.full((8, 8, 3), torch.inf), "holds values that are no numbers"),
    (torch.zeros(8, 8, 3, dtype=torch.int8), f"keeps {NAME} as int8, which are no weights"),
    (torch.zeros(8, 8, 3, dtype=torch.bool), f"keeps {NAME} as bool, which are no weights"),
])  # fmt: skip
@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_values_that_cannot_be_weights(tmp_path, value, sentence, ending):
    file = tmp_path / f"a.{ending}"
    adapter = an_adapter(**{NAME: value})
    said = {"few_shot_motion": "1", "method": "lamp"}
    if ending == "pt":  # the same in a release, which nobody checked
        block = "mid_block.attentions.0.transformer_blocks.0.attn_temp.to_q.weight"
        torch.save({block: value, "conv_in.conv1d.weight": torch.zeros(2)}, file)
        return refused(file, sentence.split(" .* in")[0].replace(NAME, "middle_block.*"), load)
    write_whole(file, tensors_to(adapter.tensors, said))
    refused(file, sentence, load)


@pytest.mark.parametrize("said, sentence", [
    ({"rank": "abc"}, "its rank is 'abc'"), ({"rank": ""}, "its rank is ''"), ({"rank": "4.0"}, "its rank is '4.0'"),
    ({"rank": "-1"}, "its rank is '-1'"), ({"rank": "9" * 400}, "its rank is"), ({"rank": "\u0664"}, "its rank is"),
    ({"noise_schedule": "{"}, "has a noise schedule that is none"),
    ({"noise_schedule": "[]x"}, "has a noise schedule that is none"),
    ({"noise_schedule": "[" * 5000}, "has a noise schedule that is none"),
    ({"noise_schedule": '{"beta_schedule": "sqrt_linear"}'}, "has a noise schedule that is none"),
    ({"noise_schedule": '{"beta_schedule": "x", "linear_start": 0.1, "linear_end": 0.2}'}, "a noise schedule"),
    ({"noise_schedule": '{"beta_schedule": "linear", "linear_start": 0.1, "linear_end": 2.0}'}, "a noise schedule"),
    ({"group_norm": "all"}, "says 'all' of its group_norm"), ({"mask_input": "x0"}, "the whole of what it learnt"),
    ({"mask_input": "x"}, "mask_input is 'x'"), ({"mask_input": "conditioned"}, "the whole of what it learnt"),
])  # fmt: skip
def test_metadata_that_cannot_be(tmp_path, said, sentence):
    write_whole(tmp_path / "a.safetensors", tensors_to(an_adapter().tensors, {"few_shot_motion": "1", "method": "lamp",
                                                                             **said}))  # fmt: skip
    refused(tmp_path / "a.safetensors", sentence, load)


def test_an_adapter_without_a_tensor(tmp_path):
    for method in ("lamp", "animatediff", "modelscope", "recurrent", "tune-a-video", "animatediff_lora"):
        said = {"few_shot_motion": "1", "method": method, "recurrence": "fixed" if method == "recurrent" else ""}
        write_whole(tmp_path / "a.safetensors", tensors_to({}, said))
        refused(tmp_path / "a.safetensors", "is a motion adapter without a tensor", load)


@pytest.mark.parametrize("prefix, kind, network", [(PREDICTOR, "x0", MaskPredictor()), (PREDICTOR, "noise",
                         MaskPredictor()), (CONTEXT, "conditioned", MaskContext())])  # fmt: skip
def test_half_of_what_learnt_from_masks(tmp_path, prefix, kind, network):
    whole = {f"{prefix}{name}": value.detach() for name, value in network.state_dict().items()}
    said = {"few_shot_motion": "1", "method": "lamp", "mask_input": kind}
    for lost in whole:
        rest = {name: value for name, value in whole.items() if name != lost}
        save_file({**an_adapter().tensors, **rest}, tmp_path / "a.safetensors", said)
        refused(tmp_path / "a.safetensors", "does not hold the whole of what it learnt from masks", load)
    save_file({**an_adapter().tensors, **whole}, tmp_path / "a.safetensors", said)
    assert set(load(tmp_path / "a.safetensors").mask_tensors) == set(whole)


def test_a_release_is_kept_whole(tmp_path):
    """Saved relative to nothing: its queries stand in the file as its authors trained them, exactly."""
    queries = {"middle_block.1.transformer_blocks.0.attn1.to_q.weight": torch.randn(8, 8)}
    release = MotionAdapter("lamp", an_adapter().tensors, queries=queries)
    on_ones = release.relative_to(lambda name, shape: torch.ones(shape))
    delta = "middle_block.1.transformer_blocks.0.attn1.to_q.delta.weight"
    assert delta in on_ones.tensors and delta not in release.tensors
    file = adapter_file.save_adapter(on_ones, tmp_path / "a.safetensors")
    assert delta not in read_weights(file).tensors
    again = load_adapter(file, lambda name, shape: torch.zeros(shape))
    assert torch.equal(again.tensors[delta], next(iter(queries.values()))) and not again.of_an_unknown_base
