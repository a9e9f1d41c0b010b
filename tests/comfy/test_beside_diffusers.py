"""Our motion layers in ComfyUI's UNets beside diffusers' video UNets, both run here on the same random weights: 1e-4.

diffusers is fetched by `python3 dev test` into .dev; without it these tests are skipped.
"""

import pytest
import torch
import unets
from few_shot_motion.host.patching import bridge, modelscope_model
from few_shot_motion.motion_modules import animatediff_file
from safetensors.torch import save_file

SIZE = {"block_out_channels": (32, 64), "layers_per_block": 1, "cross_attention_dim": 64}
BLOCKS = {  # class of the whole UNet -> its blocks on the way down and up
    "UNetMotionModel": {"down_block_types": ("CrossAttnDownBlockMotion", "DownBlockMotion"),
                        "up_block_types": ("UpBlockMotion", "CrossAttnUpBlockMotion")},
    "UNet3DConditionModel": {"down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"),
                             "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D")},
}  # fmt: skip


def peer(diffusers, kind: str, **settings):
    """A small UNet of diffusers with random weights."""
    model = getattr(diffusers, kind)(**SIZE, **BLOCKS[kind], **settings).eval()
    weights = unets.random_weights(model, 0)
    kept = {name: value for name, value in model.state_dict().items() if name.endswith(".pe")}
    model.load_state_dict({**weights, **kept})
    return model


def inputs(frames: int) -> tuple[torch.Tensor, ...]:
    """Two clips `b f c h w` with timesteps and texts; frames differ in mean and scale, so that it matters which of them
    a group norm sees.
    """
    generator = torch.Generator().manual_seed(frames)
    x = torch.randn(2, frames, 4, 8, 8, generator=generator)
    scale = torch.linspace(0.5, 2, frames).view(1, frames, 1, 1, 1)
    return x * scale + 1 - scale, torch.tensor([801.0, 33.0]), torch.randn(2, 7, 64, generator=generator)


@torch.inference_mode()
def difference(model, peer, frames: int) -> float:
    x, timesteps, text = inputs(frames)
    unets.load(model)
    ours = unets.eps_of(model, x, timesteps, text)
    if type(peer).__name__ == "UNetMotionModel":  # wants a text per frame
        text = text.repeat_interleave(frames, dim=0)
    theirs = peer(x.movedim(2, 1), timesteps, text).sample.movedim(1, 2)
    assert ours.shape == theirs.shape and theirs.abs().max() > 0.5
    return float((ours - theirs).abs().max())


def animatediff(peer):
    """The same image model with the same motion module, ours."""
    weights = peer.state_dict()
    image = {name: value for name, value in weights.items() if ".motion_modules." not in name}
    return unets.sd_model(unets.TINY, unets.base_weights(image)), animatediff_file.read("motion", weights)


@pytest.mark.parametrize("mid, positions", [(True, 32), (False, 24)])
def test_animatediff(diffusers, mid, positions):
    """With the group norms' scope set to diffusers'; the version's own is another."""
    theirs = peer(diffusers, "UNetMotionModel", use_motion_mid_block=mid, motion_max_seq_length=positions)
    base, adapter = animatediff(theirs)
    model = bridge.apply_adapter(base, animatediff_file.as_diffusers(adapter))
    for frames in (8, 16, 24):
        assert difference(model, theirs, frames) < 1e-4, frames
    assert difference(bridge.apply_adapter(base, adapter), theirs, 8) > 1e-3


def test_modelscope(diffusers, tmp_path):
    theirs = peer(diffusers, "UNet3DConditionModel", attention_head_dim=16)
    save_file(theirs.state_dict(), tmp_path / "unet.safetensors")
    model, said = modelscope_model.load_modelscope(tmp_path / "unet.safetensors")
    assert "diffusers names" in said
    for frames in (8, 16, 24):
        assert difference(model, theirs, frames) < 1e-4, frames
