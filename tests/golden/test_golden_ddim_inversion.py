"""DDIM inversion against numbers of LAMP's official code, 1e-3 relative."""

import comfy.samplers
import torch
import unets
from einops import rearrange
from few_shot_motion.host.patching import bridge, image_model
from few_shot_motion.host.sampling import inversion
from few_shot_motion.motion_modules import released
from safetensors.torch import load_file


@torch.inference_mode()
def test_lamps_editing(golden):
    """The official four steps: every frame inverted, eps at the level a step leads to, a schedule that starts at abar_0
    instead of 1.
    """
    release = golden / "lamp/tiny_unet.safetensors"
    base = unets.sd_model(unets.TINY, unets.base_weights(load_file(release)))
    model = bridge.apply_adapter(base, released.load_adapter(release, image_model.base_query(base)))
    run = load_file(golden / "lamp/ddim_inversion_tiny_4step.safetensors")
    recorded = [rearrange(run[f"inv0{i}"], "1 c f h w -> f c h w") for i in range(5)]
    schedule = model.get_model_object("model_sampling")
    sigmas = torch.stack(
        [schedule.sigmas[0], *(schedule.sigma(timestep.float()).reshape(()) for timestep in run["timesteps"].flip(0))]
    )
    to_unet = (1 + sigmas**2).rsqrt()  # the release's scale

    guider = comfy.samplers.CFGGuider(model)
    cond = [[run["text_uncond_cond"][1:], {}]]
    guider.set_conds(cond, cond)
    guider.set_cfg(1.0)
    states = []
    start = recorded[0] / to_unet[0] / 0.18215
    end = guider.sample(
        torch.zeros_like(start),
        start,
        inversion.inverter(schedule),
        sigmas,
        callback=lambda i, x0, x, total: states.append(x),
        seed=0,
    )
    found = [*states, end * 0.18215]
    assert len(found) == len(recorded) == 5
    for x, scale, expected in zip(found, to_unet, recorded, strict=True):
        assert (x * scale - expected).abs().max() < 1e-3 * expected.abs().max()
