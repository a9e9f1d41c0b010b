"""Text2Video-Zero beside diffusers' TextToVideoZeroPipeline, both run here on the same random weights; skipped where
diffusers is not in .dev.
"""

import comfy.samplers
import pytest
import torch
import unets
from few_shot_motion.host.sampling import text_to_video_zero
from few_shot_motion.nodes.text_to_video_zero import TextToVideoZero
from few_shot_motion.samplers.warp import deltas, warp_all

FRAMES, STEPS, GUIDANCE, SEED = 4, 10, 7.5, 8
HEIGHT, WIDTH = 64, 96  # px
DELTA = (60.0, -90.0)  # large, for so small a picture to move at all
SIZE = {"block_out_channels": (32, 64), "layers_per_block": 1, "cross_attention_dim": 64,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")}  # fmt: skip


@pytest.fixture(scope="module")
def peer(diffusers):
    """Their pipeline, all but its texts and its VAE: (pipeline, text embeddings uncond and cond)."""
    texts = torch.randn(2, 7, 64, generator=torch.Generator().manual_seed(0)).split(1)

    class WithoutText(diffusers.TextToVideoZeroPipeline):
        def encode_prompt(self, *_, **__):
            return texts[1], texts[0]

    unet = diffusers.UNet2DConditionModel(**SIZE).eval()
    unet.load_state_dict(unets.random_weights(unet, 0))
    scheduler = diffusers.DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                                        steps_offset=1, clip_sample=False,
                                        set_alpha_to_one=False)  # fmt: skip
    pipeline = WithoutText(None, None, None, unet, scheduler, None, None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, texts


def ours(pipeline, texts, start: torch.Tensor, eps: torch.Tensor, t0: int, t1: int) -> torch.Tensor:
    """The node, core's guider and core's euler on ddim_uniform's steps; final latents in the UNet's scale."""
    model = unets.sd_model(unets.TINY, unets.base_weights(pipeline.unet.state_dict()))
    schedule = model.get_model_object("model_sampling")
    moving = TextToVideoZero.execute(
        model, -DELTA[0] * WIDTH / 512, -DELTA[1] * HEIGHT / 512, t0, t1, 0.6, by_size=False
    ).args[0]
    sigmas = comfy.samplers.calculate_sigmas(schedule, "ddim_uniform", STEPS)
    assert [round(float(schedule.timestep(sigma))) for sigma in sigmas[:-1]] == pipeline.scheduler.timesteps.tolist()
    sigmas[-1] = schedule.sigmas[0]  # theirs ends at the first entry of the table
    uncond, cond = ([[text, {}]] for text in texts)
    guider = comfy.samplers.CFGGuider(moving)
    guider.set_conds(cond, uncond)
    guider.set_cfg(GUIDANCE)
    noise = torch.cat([start * (1 + 1 / sigmas[0] ** 2).sqrt(), eps])
    with torch.inference_mode():
        out = guider.sample(
            noise, torch.zeros_like(noise), comfy.samplers.sampler_object("euler"), sigmas, disable_pbar=True, seed=0
        )
    return out * 0.18215 / (1 + sigmas[-1] ** 2).sqrt()


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest error, relative to the largest number."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


def test_the_whole_pipeline(peer, monkeypatch):
    """1e-4 for all frames once the noise is added between diffusers' levels, one timestep below those of its latents;
    without, 2e-3.
    """
    pipeline, texts = peer
    generator = torch.Generator().manual_seed(SEED)
    start = torch.randn(1, 4, HEIGHT // 8, WIDTH // 8, generator=generator)
    eps = torch.randn(FRAMES - 1, *start.shape[1:], generator=torch.Generator().manual_seed(SEED + 1))
    expected = pipeline("", FRAMES, HEIGHT, WIDTH, STEPS, GUIDANCE, latents=start,
                        generator=torch.Generator().manual_seed(SEED + 1),
                        motion_field_strength_x=DELTA[0], motion_field_strength_y=DELTA[1], output_type="latent", t0=6,
                        t1=8).images  # fmt: skip
    assert pipeline.scheduler.timesteps[[-9, -7]].tolist() == [801, 601]
    alphas, branch = pipeline.scheduler.alphas_cumprod, text_to_video_zero.branch

    exact = ours(pipeline, texts, start, eps, 601, 801)
    assert off(exact[:1], expected[:1]) < 1e-4 and off(exact, expected) < 2e-3

    def between_their_levels(x_t1, x_t0, eps, by, t0, t1, noising):
        low, high = (((1 - alphas[t]) / alphas[t]).sqrt() for t in (600, 800))
        frames = branch(x_t1, x_t0 * ((1 + low**2) / (1 + t0**2)).sqrt(), eps, by, low, high, noising)
        return torch.cat([x_t1, frames[1:] * ((1 + t1**2) / (1 + high**2)).sqrt()])

    monkeypatch.setattr(text_to_video_zero, "branch", between_their_levels)
    found = ours(pipeline, texts, start, eps, 601, 801)
    assert off(found, expected) < 1e-4
    assert off(expected[1:], expected[:1].expand(FRAMES - 1, -1, -1, -1)) > 0.1, "the frames differ"


@pytest.mark.parametrize("delta", [(12.0, 12.0), (-7.0, 5.0), (33.0, -130.0)])
@pytest.mark.parametrize("height, width", [(64, 64), (40, 64), (13, 27)])
def test_warps(diffusers, delta, height, width):
    from diffusers.pipelines.deprecated.text_to_video_synthesis import pipeline_text_to_video_zero as theirs

    x = torch.randn(1, 4, height, width, generator=torch.Generator().manual_seed(0))
    frames = theirs.create_motion_field_and_warp_latents(*delta, [1, 2, 5], x.expand(3, -1, -1, -1))
    assert torch.equal(warp_all(x, [(k * delta[0], k * delta[1]) for k in (1, 2, 5)]), frames)
    assert deltas((-delta[0], -delta[1]), 3, (512, 512))[1] == delta
