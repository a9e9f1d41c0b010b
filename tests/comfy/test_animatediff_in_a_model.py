"""AnimateDiff inside ComfyUI's MODEL: exact at strength 0, stackable, its noise schedule set on the clip's model and on
no other.
"""

import comfy.model_base
import comfy.samplers
import folder_paths
import pytest
import torch
import unets
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete
from few_shot_motion.host.files import folders
from few_shot_motion.host.patching import bridge
from few_shot_motion.host.training import model as training_host
from few_shot_motion.host.training.base_model import trainable_model
from few_shot_motion.motion_modules import animatediff, animatediff_file
from few_shot_motion.motion_modules.adapter import AdapterError, MotionAdapter
from few_shot_motion.motion_modules.adapter_file import save_adapter
from few_shot_motion.motion_modules.animatediff import TemporalTransformers
from few_shot_motion.motion_modules.methods import MOTION_LORA
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.nodes.motion import LoadMotionAdapter
from safetensors.torch import save_file

FRAMES = 8


@pytest.fixture(scope="module")
def base():
    return unets.sd_model(unets.TINY)


def animatediff_for(model, version: str = "v3", seed: int = 1, fresh: bool = False) -> MotionAdapter:
    """A motion module with every layer alive, or with none."""
    sites = [site for site in bridge.sites_of(model, "animatediff") if version == "v2" or site.path != "middle_block"]
    module = TemporalTransformers(sites, 24 if version == "v1" else 32)
    positions = {name: value for name, value in module.state_dict().items() if name.endswith(".pe")}
    tensors = {**unets.random_weights(module, seed), **positions}
    if fresh:
        tensors = {name: torch.zeros_like(value) if ".proj_out." in name else value for name, value in tensors.items()}
    return MotionAdapter("animatediff", tensors, joint_norm=version == "v1", schedule=animatediff_file.SD_SCHEDULE,
                         metadata={"base": "Stable Diffusion 1.x"})  # fmt: skip


def lora_for(adapter: MotionAdapter, seed: int = 4) -> MotionAdapter:
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, weight in adapter.tensors.items():
        if ".attention_blocks." in name and ".to_" in name and weight.ndim == 2:
            for part, shape in (("up", (len(weight), 2)), ("down", (2, len(weight)))):
                tensors[name.replace(".weight", f".{part}.weight")] = 0.2 * torch.randn(shape, generator=generator)
    return MotionAdapter(MOTION_LORA, tensors, 2)


def lamp_for(model) -> MotionAdapter:
    tensors = unets.random_weights(MotionModule(bridge.sites_of(model)), 7)
    return MotionAdapter("lamp", {name: 0.3 * value for name, value in tensors.items()})


@torch.inference_mode()
def output(model, frames: int = FRAMES, timestep: float = 500.0, order=None) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    latents, text = torch.randn(1, frames, 4, 8, 6, generator=generator), torch.randn(1, 9, 64, generator=generator)
    unets.load(model)
    return unets.eps_of(model, latents if order is None else latents[:, order], torch.tensor([timestep]), text)[0]


def far(found: torch.Tensor, other: torch.Tensor) -> float:
    return (found - other).abs().max().item()


def sigma_max(model) -> float:
    return float(model.get_model_object("model_sampling").sigma_max)


@pytest.fixture(scope="module")
def plain(base):
    return output(base)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_strength_zero_is_the_model_itself(base, plain, version):
    nothing = bridge.apply_adapter(base, animatediff_for(base, version), 0.0)
    assert torch.equal(output(nothing), plain) and sigma_max(nothing) == sigma_max(base)


def test_a_fresh_module_adds_exactly_nothing(base, plain):
    adapter = animatediff_file.on_the_models_schedule(animatediff_for(base, fresh=True))
    assert torch.equal(output(bridge.apply_adapter(base, adapter)), plain)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_it_moves_the_model_and_leaves_nothing_behind(base, plain, version):
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    assert far(output(bridge.apply_adapter(base, animatediff_for(base, version))), plain) > 0.05
    assert torch.equal(output(base), plain)
    after = base.model.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], value) for name, value in before.items())


def test_strength_scales_what_is_added(base):
    adapter = animatediff_for(base)
    halved = {name: value / 2 if ".proj_out." in name else value for name, value in adapter.tensors.items()}
    expected = output(
        bridge.apply_adapter(base, MotionAdapter("animatediff", halved, joint_norm=False, schedule=adapter.schedule))
    )
    assert far(output(bridge.apply_adapter(base, adapter, 0.5)), expected) < 1e-5


def test_the_middle_block_is_version_2s_alone(base):
    """Between the middle transformer and the second ResBlock: without that layer version 2 is version 3."""
    v2 = animatediff_for(base, "v2")
    v3 = {name: value for name, value in v2.tensors.items() if not name.startswith("middle_block.")}
    quiet = {name: torch.zeros_like(value) if name.startswith("middle_block.") and ".proj_out." in name else value
             for name, value in v2.tensors.items()}  # fmt: skip
    outs = [
        output(bridge.apply_adapter(base, MotionAdapter("animatediff", tensors, joint_norm=False)))
        for tensors in (v2.tensors, quiet, v3)
    ]
    assert torch.equal(outs[1], outs[2]) and far(outs[0], outs[1]) > 0.01


@pytest.mark.parametrize("frames", [8, 16, 24])
def test_frame_counts(base, frames):
    model = bridge.apply_adapter(base, animatediff_for(base, "v1"))
    order = list(range(1, frames)) + [0]
    assert far(output(model, frames, order=order), output(model, frames)[order]) > 0.01  # the order of frames matters
    assert far(output(base, frames, order=order), output(base, frames)[order]) < 1e-5


@pytest.mark.parametrize("version, most", [("v1", 24), ("v3", 32)])
def test_too_many_frames_are_refused(base, version, most):
    model = bridge.apply_adapter(base, animatediff_for(base, version))
    with pytest.raises(
        ValueError, match=f"A clip of {most + 1} frames is longer than the {most} that this motion module tells apart"
    ) as caught:
        output(model, most + 1)
    assert "\n" not in str(caught.value)


def test_cond_and_uncond_together_are_cond_and_uncond_apart(base):
    model = bridge.apply_adapter(base, animatediff_for(base, "v1"))
    unets.load(model)
    x, text = torch.randn(2, FRAMES, 4, 8, 8), torch.randn(2, 9, 64)
    with torch.inference_mode():
        both = unets.eps_of(model, x, torch.tensor([300.0, 300.0]), text)
        apart = [unets.eps_of(model, x[i : i + 1], torch.tensor([300.0]), text[i : i + 1])[0] for i in range(2)]
    assert torch.allclose(both, torch.stack(apart), atol=1e-5)


# ------------------------------------------------------------------------------------------------ several adapters


def test_two_modules_add_up(base):
    one, two = animatediff_for(base), animatediff_for(base, seed=2)
    both = output(bridge.apply_adapter(bridge.apply_adapter(base, one, 0.5), two, 0.3))
    assert far(both, output(bridge.apply_adapter(bridge.apply_adapter(base, two, 0.3), one, 0.5))) < 1e-5
    assert far(both, output(bridge.apply_adapter(base, one, 0.5))) > 0.01
    assert torch.equal(
        output(bridge.apply_adapter(bridge.apply_adapter(base, one), two, 0.0)), output(bridge.apply_adapter(base, one))
    )


def test_stacking_with_lamp(base):
    """In either order the same; a module that adds nothing leaves LAMP as it is, first frame, norms and all."""
    moving = animatediff_file.on_the_models_schedule(animatediff_for(base))
    still = animatediff_file.on_the_models_schedule(animatediff_for(base, fresh=True))
    lamp = bridge.apply_adapter(base, lamp_for(base))
    both = output(bridge.apply_adapter(lamp, moving))
    assert far(both, output(bridge.apply_adapter(bridge.apply_adapter(base, moving), lamp_for(base)))) < 1e-5
    assert min(far(both, output(lamp)), far(both, output(bridge.apply_adapter(base, moving)))) > 0.01
    assert torch.equal(output(bridge.apply_adapter(lamp, still)), output(lamp))


def test_lora_changes_the_module_and_only_there(base):
    adapter = animatediff_for(base, "v2")
    lora, model = lora_for(adapter), bridge.apply_adapter(base, adapter)
    merged = dict(adapter.tensors)
    for name, up in lora.tensors.items():
        if name.endswith(".up.weight"):
            merged[name.replace(".up.", ".")] = (
                merged[name.replace(".up.", ".")] + 0.7 * up @ lora.tensors[name.replace(".up.", ".down.")]
            )
    expected = output(
        bridge.apply_adapter(base, MotionAdapter("animatediff", merged, joint_norm=False, schedule=adapter.schedule))
    )
    without = output(model)
    with_lora = bridge.apply_adapter(model, lora, 0.7)
    assert far(output(with_lora), expected) < 1e-5 and far(without, expected) > 1e-3
    assert torch.equal(output(model), without) and torch.equal(output(bridge.apply_adapter(model, lora, 0.0)), without)
    assert far(output(with_lora), expected) < 1e-5


def test_lora_without_its_module(base):
    adapter = animatediff_for(base)
    lora = lora_for(adapter)
    for model in (base, bridge.apply_adapter(base, lamp_for(base))):
        with pytest.raises(
            AdapterError,
            match="changes an AnimateDiff motion module, and this model has none: load the motion module first",
        ):
            bridge.apply_adapter(model, lora)
    with pytest.raises(AdapterError, match="acts as long as its motion module does"):
        bridge.apply_adapter(bridge.apply_adapter(base, adapter), lora, start_percent=0.5)


def test_a_module_for_another_base_is_refused(base):
    deeper = unets.sd_model({**unets.TINY, "channel_mult": [1, 2, 2], "num_res_blocks": [1, 1, 1],
                             "transformer_depth": [1, 0, 0],
                             "transformer_depth_output": [1, 1, 0, 0, 0, 0]})  # fmt: skip
    wider = unets.sd_model({**unets.TINY, "model_channels": 64})
    adapter = animatediff_for(base)
    part = MotionAdapter(
        "animatediff", {name: value for name, value in adapter.tensors.items() if not name.startswith("input_")}
    )
    for module, model, reason in (
        (
            adapter,
            wider,
            r"Stable Diffusion 1.x, the model is Stable Diffusion 1.x: its input_blocks.1.* is \(32,\), the model has "
            r"\(64,\) there",
        ),
        (
            adapter,
            deeper,
            r"its output_blocks.2.* is \(32,\), the model has \(64,\) there. Load the checkpoint family it was trained "
            r"on",
        ),
        (animatediff_for(deeper), base, "the model has no such layer there"),
        (part, base, "it has no layer for 2 of the model's rows, input_blocks.1 for one. Load the checkpoint family"),
    ):
        with pytest.raises(AdapterError, match=f"This adapter was made for .*{reason}") as caught:
            bridge.apply_adapter(model, module)
        assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ the noise schedule


def sampled(model, steps: int = 2, frames: int = FRAMES) -> tuple[torch.Tensor, list[float]]:
    """A clip by ComfyUI's own sampler, with guidance; and the noise levels the UNet was asked at."""
    generator, seen = torch.Generator().manual_seed(3), []
    watched = model.clone()
    watched.set_model_unet_function_wrapper(
        lambda apply, call: (
            seen.append(float(call["timestep"].max())) or apply(call["input"], call["timestep"], **call["c"])
        )
    )
    noise, conds = (
        torch.randn(frames, 4, 8, 8, generator=generator),
        [[[torch.randn(1, 9, 64, generator=generator), {}]] for _ in range(2)],
    )
    with torch.inference_mode():
        sampler = comfy.samplers.KSampler(
            watched, steps, "cpu", "euler", "normal", 1.0, model_options=watched.model_options
        )
        clip = sampler.sample(
            noise,
            *conds,
            cfg=4.0,
            latent_image=torch.zeros_like(noise),
            force_full_denoise=True,
            disable_pbar=True,
            seed=3,
        )
    return clip, seen


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


# ------------------------------------------------------------------------------------------------ nodes


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
