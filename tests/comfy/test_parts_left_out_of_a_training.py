"""LAMP's figure 5 as settings of a training: no convolutions over the frames, or a first frame learnt like others."""

from dataclasses import replace

import folder_paths
import nodes
import pytest
import torch
import unets
from classroom import CAPTIONS, CLIPS, MeanVae, Vae, frames, run, same
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.training import lesson
from few_shot_motion.motion_modules.adapter import AdapterError
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.merging import merge
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.nodes.sampling import FirstFrameConditioning
from few_shot_motion.nodes.training import TrainMotionLoRA
from few_shot_motion.nodes.training_settings import MotionTrainingSettings
from moving import COND, FIRST, FRAMES, UNCOND, clip

MASKS = [torch.ones(5, 64, 48)] * 2
DTYPES = [torch.float32, torch.float16]
SAYS = "learnt without a first frame"


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "motion_adapters"


def model(dtype: torch.dtype = torch.float32):
    """Half precision is computed in fp32 on a CPU."""
    found = unets.sd_model(unets.NANO, dtype=dtype)
    found.set_model_compute_dtype(torch.float32)
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ["LAMP", "Recurrent", "Tune-A-Video"])
@pytest.mark.parametrize("rank", [0, 3])
def test_without_convolutions_attention_learns_alone(dtype, method, rank, tmp_path):
    adapter, losses = run(model(dtype), method=method, rank=rank, convolution="none")
    assert len(losses["loss"]) == 6 and all(0 < loss < 20 for loss in losses["loss"])
    assert adapter.tensors and all(".transformer_blocks." in name for name in adapter.tensors)
    assert ("without convolutions" in adapter.describe()) == (method == "LAMP") and not adapter.centred
    again = load_adapter(save_adapter(adapter, tmp_path / "a.safetensors", torch.float32), None)
    base = model(dtype)
    still, moved, too = (
        clip(bridge.apply_adapter(base, each, strength)) for each, strength in ((adapter, 0), (adapter, 1), (again, 1))
    )
    assert torch.equal(moved, too) and not torch.equal(moved, still) and torch.isfinite(moved).all()


def test_layers_that_are_left_out_leave_the_others_as_they_were():
    """The first loss is that of a fresh adapter, which adds nothing, whatever layers it has."""
    whole, without = run(model())[1]["loss"], run(model(), convolution="none")[1]["loss"]
    assert without[0] == whole[0] and without[1:] != whole[1:]


@pytest.mark.parametrize("method", ["Recurrent", "Tune-A-Video"])
def test_methods_without_convolutions_have_none_to_leave_out(method):
    assert same(run(model(), method=method, convolution="none")[0].tensors, run(model(), method=method)[0].tensors)


@pytest.mark.parametrize("name, value", [("convolution", "none"), ("first_frame", "learnt")])
def test_a_kept_run_goes_on_bit_for_bit_and_with_nothing_else(name, value):
    given = {"precision": "fp16", name: value}
    whole, losses = run(model(), name="whole", **given)
    run(model(), name="cut", steps=3, save_every=3, **given)
    resumed, again = run(model(), name="cut", resume=True, **given)
    assert again == losses and same(resumed.tensors, whole.tensors)
    with pytest.raises(ValueError, match=f"{name} {value}, now None"):
        run(model(), name="cut", resume=True, precision="fp16")


def test_a_run_kept_before_there_were_these_settings_goes_on():
    plain = run(model(), name="old", steps=3, save_every=3)[0]
    assert '"first_frame"' not in plain.metadata["training"] and '"convolution"' not in plain.metadata["training"]
    given = {"convolution": "causal", "first_frame": "given"}
    assert same(run(model(), name="old", resume=True, **given)[0].tensors, run(model(), name="new")[0].tensors)


@pytest.mark.parametrize(
    "sentence, changes",
    [
        ("With both_ends a motion .*, and convolution is none: turn", {"convolution": "none", "both_ends": True}),
        ("motion_convolutions is on, and convolution is none: turn",
         {"convolution": "none", "method": "Recurrent", "motion_convolutions": True}),
        ("Split layers are convolutions, and convolution is none: turn",
         {"convolution": "none", "split": True, "masks": MASKS}),
        ("both_ends gives .*, and first_frame is learnt: turn", {"first_frame": "learnt", "both_ends": True}),
        ("The mask_input conditioned .*, and first_frame is learnt: choose",
         {"first_frame": "learnt", "mask_input": "conditioned", "masks": MASKS}),
    ],
)  # fmt: skip
def test_what_needs_the_part_left_out_is_refused(sentence, changes, output_folder):
    with pytest.raises(ValueError, match=sentence):
        run(model(), **changes)
    assert not list(output_folder.rglob("*.safetensors"))


@pytest.mark.parametrize("changes", [{"convolution": "none", "mask_input": "conditioned"}, {"convolution": "none"},
                                     {"first_frame": "learnt", "split": True}, {"first_frame": "learnt"}])  # fmt: skip
def test_other_masks_are_learnt_from_all_the_same(changes):
    adapter, losses = run(model(), masks=MASKS, steps=2, **changes)
    assert adapter.mask_tensors and adapter.split == changes.get("split", False) and len(losses["loss"]) == 2


@pytest.fixture
def objectives(monkeypatch):
    """Which loss each step of a training takes."""
    taken = []
    for name in ("lamp_loss", "video_loss"):
        inner = getattr(lesson, name)
        monkeypatch.setattr(lesson, name, lambda *a, _n=name, _f=inner, **k: taken.append(_n) or _f(*a, **k))
    return taken


@pytest.mark.parametrize("masks", [[], MASKS])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_learnt_first_frame_is_noised_and_counts(objectives, dtype, masks):
    run(model(dtype), first_frame="learnt", masks=masks, steps=3)
    assert objectives == ["video_loss"] * 3
    del objectives[:]
    run(model(dtype), masks=masks, steps=3)
    assert objectives == ["lamp_loss"] * 3


def test_the_file_says_that_it_was_learnt(tmp_path, caplog):
    learnt, plain = run(model(), first_frame="learnt", rank=2)[0], run(model(), rank=2)[0]
    again = load_adapter(save_adapter(learnt, tmp_path / "a.safetensors"), None)
    assert again.metadata["first_frame"] == "learnt" and '"first_frame": "learnt"' in again.metadata["training"]
    assert SAYS in again.describe() and not again.from_first_frame and again.clip_frames == 0
    assert "first_frame" not in plain.metadata and SAYS not in plain.describe() and plain.from_first_frame
    assert "first_frame" not in run(model(), method="Recurrent", first_frame="learnt")[0].metadata
    for adapter, told in ((again, True), (plain, False)):
        caplog.clear()
        moving = bridge.apply_adapter(model(), adapter)
        clip(moving)
        assert (SAYS in caplog.text) == told
        caplog.clear()
        FirstFrameConditioning.execute(moving, FIRST, FRAMES)
        assert (SAYS in caplog.text) == told
        caplog.clear()
        with torch.inference_mode():
            empty = {"samples": torch.zeros(FRAMES, 4, 8, 8)}
            nodes.KSampler().sample(moving, 5, 2, 3.0, "euler", "normal", COND, UNCOND, empty)
        assert ("gives it none" in caplog.text) != told


@pytest.mark.parametrize("changes, kinds", [({"convolution": "none"}, "convolution causal and none"),
                                            ({"first_frame": "learnt"}, "first frame given and learnt")])  # fmt: skip
def test_with_another_kind_it_has_no_mean(changes, kinds):
    other, plain = run(model(), steps=1, **changes)[0], run(model(), steps=1)[0]
    with pytest.raises(AdapterError, match=kinds):
        merge([plain, other], [1, 1], 0)
    mean = merge([other, replace(other)], [1, 1], 0)[0]
    assert mean.describe() == other.describe() and mean.metadata.get("first_frame") == changes.get("first_frame")


def test_samples_of_a_learnt_first_frame_are_from_words_alone(output_folder, caplog):
    first = Vae().decode(Vae().encode(CLIPS[0][:1]))[0]
    learnt = {"vae": Vae(), "first_frame": "learnt"}
    plain, losses = run(model(torch.float16), **learnt)
    watched, again = run(model(torch.float16), name="learnt", sample_every=6, **learnt)
    assert same(plain.tensors, watched.tensors) and losses == again
    assert "sample_image is not used" not in caplog.text
    picture = {"sample_image": torch.ones(1, 64, 48, 3)}
    run(model(torch.float16), name="other", sample_every=6, **learnt, **picture)
    assert "sample_image is not used" in caplog.text
    caplog.clear()
    run(model(torch.float16), name="given", sample_every=6, vae=Vae())
    run(model(torch.float16), name="shown", steps=1, **picture)
    assert "sample_image is not used" not in caplog.text
    given, learnt, other = (frames(output_folder / name / "step_000006.webp") for name in ("given", "learnt", "other"))
    assert (given[0] - first).abs().mean() < 0.05 < (learnt[0] - first).abs().mean()
    assert torch.equal(learnt, other)  # no picture begins it


def test_both_stand_on_the_node_and_in_its_settings():
    schema = MotionTrainingSettings.define_schema().inputs
    defaults = {item.id: item.default if item.default is not None else getattr(item, "options", [None])[0]
                for item in schema if hasattr(item, "default")}  # fmt: skip
    chosen = {"convolution": "none", "first_frame": "learnt"}
    settings = MotionTrainingSettings.execute(**{**defaults, **chosen, "precision": "fp32"}).args[0]
    assert {key: settings[key] for key in chosen} == chosen
    given = {"method": "LAMP", "frames": 4, "steps": 2, "learning_rate": 0.0, "rank": 2, "seed": 1, "name": "run",
             "width": 0, "height": 0, "resume": False, "fps": 0.0, "sample_every": 0}  # fmt: skip
    for recipe, by_hand in (("fast", "set by hand: convolution none, first_frame learnt"), ("custom", "mirrored")):
        with torch.inference_mode():
            output = TrainMotionLoRA.execute(
                [model()], [MeanVae()], CLIPS, CAPTIONS, ["a", "b"], settings=[settings],
                **{key: [value] for key, value in {**given, "recipe": recipe}.items()},
            )  # fmt: skip
        shown = "\n".join(output.ui["text"])
        assert ", convolution none, first frame learnt" in shown and (by_hand in shown) == (recipe == "fast")
        assert "without convolutions, learnt without a first frame" in shown
