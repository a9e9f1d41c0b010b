"""AnimateDiff's noise schedule on the clip's model and on no other, and its files through the loader."""

import folder_paths
import pytest
import torch
import unets
from animatediff_models import FRAMES, animatediff_for, far, lora_for, output, sampled, sigma_max
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete
from few_shot_motion.host.files import folders
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.training import model as training_host
from few_shot_motion.host.training.base_model import trainable_model
from few_shot_motion.motion_modules import animatediff
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.animatediff import TemporalTransformers
from few_shot_motion.nodes.motion import LoadMotionAdapter
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


def test_schedule_is_set_and_gone_afterwards(base):
    image, levels = sampled(base)
    original = base.model.model_sampling
    clip, moved = sampled(bridge.apply_adapter(base, animatediff_for(base)))
    assert torch.isfinite(clip).all()
    assert levels[0] == pytest.approx(14.615, abs=1e-3) and moved[0] == pytest.approx(25.146, abs=1e-3)
    again, levels_again = sampled(base)
    assert torch.equal(again, image) and levels_again == levels and base.model.model_sampling is original


@pytest.mark.parametrize(
    "sampling, zsnr", [("eps", False), ("v_prediction", False), ("v_prediction", True), ("lcm", False)]
)
def test_the_way_of_predicting_is_kept(base, sampling, zsnr):
    (other,) = ModelSamplingDiscrete().patch(base, sampling, zsnr)
    found = bridge.apply_adapter(other, animatediff_for(base)).get_model_object("model_sampling")
    assert type(found) is type(other.get_model_object("model_sampling"))
    assert found.zsnr == zsnr and len(found.sigmas) == (50 if sampling == "lcm" else 1000)
    assert zsnr or float(found.sigma_max) == pytest.approx(25.146, abs=1e-3)
    later = ModelSamplingDiscrete().patch(bridge.apply_adapter(base, animatediff_for(base)), "eps", False)[0]
    assert sigma_max(later) == pytest.approx(14.615, abs=1e-3)  # a schedule chosen behind the motion is the user's


def test_percents_are_of_the_schedule_in_use(base):
    late = bridge.apply_adapter(base, animatediff_for(base, fresh=False), 1.0, start_percent=0.5)
    _, model_levels = sampled(late)
    still = bridge.apply_adapter(base, animatediff_for(base, fresh=True))
    assert model_levels[0] == pytest.approx(25.146, abs=1e-3)
    assert torch.equal(output(late, timestep=900.0), output(still, timestep=900.0))
    assert far(output(late, timestep=100.0), output(still, timestep=100.0)) > 0.01


def test_core_context_windows_carry_longer_clips(base):
    model = bridge.apply_adapter(base, animatediff_for(base, "v1"))
    windows = ContextWindowsManualNode.execute(
        model, 16, 4, "standard_uniform", 1, False, "pyramid", 0, False, causal_window_fix=False
    ).args[0]
    clip, _ = sampled(windows, frames=40)
    assert clip.shape[0] == 40 and torch.isfinite(clip).all()


@pytest.fixture
def files(base, tmp_path, monkeypatch):
    """A module in our folder, one in AnimateDiff's, and a LoRA in that one's."""
    adapter = animatediff_for(base, "v1")
    for name in ("motion_adapters", "animatediff_models", "animatediff_motion_lora"):
        (tmp_path / name).mkdir()
        monkeypatch.setitem(
            folder_paths.folder_names_and_paths, name, ([str(tmp_path / name)], {".safetensors", ".ckpt"})
        )
    save_adapter(adapter, tmp_path / "motion_adapters" / "ours.safetensors", torch.float32)
    rows = {"input_blocks.1": "down_blocks.0.motion_modules.0", "input_blocks.3": "down_blocks.1.motion_modules.0"}
    rows |= {f"output_blocks.{i}": f"up_blocks.{i // 2}.motion_modules.{i % 2}" for i in range(4)}

    def officially(name: str) -> str:
        row = animatediff.row_of(name)
        return rows[row] + name.removeprefix(row)

    torch.save(
        {"state_dict": {officially(name): value for name, value in adapter.tensors.items()}},
        tmp_path / "animatediff_models" / "mm.ckpt",
    )
    lora = {
        officially(name).replace(".to_", ".processor.to_"): value for name, value in lora_for(adapter).tensors.items()
    }
    lora = {name.replace(".0.up.", ".up.").replace(".0.down.", ".down."): value for name, value in lora.items()}
    lora = {name.replace(".up.", "_lora.up.").replace(".down.", "_lora.down."): value for name, value in lora.items()}
    save_file(lora, tmp_path / "animatediff_motion_lora" / "zoom.safetensors")
    folder_paths.filename_list_cache.clear()
    return tmp_path


def test_files_of_every_folder_are_listed_and_load(base, files):
    assert folders.adapter_names() == ["mm.ckpt", "ours.safetensors", "zoom.safetensors"]
    official = LoadMotionAdapter.execute(base, "mm.ckpt", 1.0)
    ours = LoadMotionAdapter.execute(base, "ours.safetensors", 1.0)
    assert torch.equal(output(official.args[0]), output(ours.args[0]))
    assert "AnimateDiff v1 motion module (original names)" in official.ui.as_dict()["text"][0]
    zoomed = LoadMotionAdapter.execute(official.args[0], "zoom.safetensors", 1.0)
    assert "AnimateDiff motion LoRA, rank 2" in zoomed.ui.as_dict()["text"][0]
    assert far(output(zoomed.args[0]), output(official.args[0])) > 1e-3
    assert LoadMotionAdapter.fingerprint_inputs("mm.ckpt", strength=1.0).split()[0].endswith("mm.ckpt")


def test_settings_of_the_loader(base, files):
    trained = LoadMotionAdapter.execute(base, "mm.ckpt", 1.0)
    diffusers = LoadMotionAdapter.execute(base, "mm.ckpt", 1.0, group_norm="diffusers", noise_schedule="the model's")
    assert (diffusers.args[1].joint_norm, diffusers.args[1].joint_own_norm) == (False, True)
    assert sigma_max(trained.args[0]) == pytest.approx(25.146, abs=1e-3) and sigma_max(diffusers.args[0]) == sigma_max(
        base
    )
    assert far(output(diffusers.args[0]), output(trained.args[0])) > 1e-3


def test_a_fresh_module_can_be_trained(base):
    """The same mechanism serves training: a gradient reaches every layer behind the zero output projection, and the
    base gets none.
    """
    with torch.inference_mode(False), torch.enable_grad():
        own = trainable_model(base)
        module = TemporalTransformers(bridge.sites_of(own, "animatediff"))
        module.load_state_dict({name: value.clone() for name, value in animatediff_for(own, "v2").tensors.items()})
        options = training_host.attach(own, module, joint_norm=False, checkpointing=True)
        predict = training_host.denoiser(own, options, [{"c_crossattn": torch.randn(FRAMES, 9, 64)}], autocast=None)
        predict(torch.randn(1, FRAMES, 4, 8, 8), torch.tensor([2.0])).square().mean().backward()
    assert all(
        value.grad is not None and value.grad.any() for name, value in module.named_parameters() if ".to_k." not in name
    )
    assert all(value.grad is None for value in own.model.parameters())
