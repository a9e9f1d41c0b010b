"""TI2V-Zero's sampling against its release, every random draw given: 1e-4 relative, through pixels and back, to the
final frames.

The loop alone takes the UNet's outputs from the record, for every recorded setting; through the nodes the UNet is the
file's and runs live.
"""

import json

import comfy.model_sampling
import comfy.samplers
import comfy.sd
import folder_paths
import pytest
import torch
from comfy.k_diffusion.sampling import sample_euler
from few_shot_motion.host.sampling import slide_samplers
from few_shot_motion.host.sampling.given_frames import PixelQueue
from few_shot_motion.host.sampling.sliding import noising_of
from few_shot_motion.nodes.modelscope import LoadModelScope
from few_shot_motion.nodes.repeat_and_slide import RepeatAndSlideSampler
from few_shot_motion.samplers.repeat_and_slide import calls_per_slide, repeat_and_slide, repeats_at, sample_slide
from few_shot_motion.samplers.slides import plan_slides
from safetensors import safe_open
from safetensors.torch import load_file

SCALE = 0.18215
ROLES = {"start": "inv", "context": "cond_t", "held": "cond_next", "again": "renoise"}


class Discrete(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    pass


@pytest.fixture(scope="module")
def schedule():
    return Discrete()


@pytest.fixture(scope="module")
def vae(golden):
    file = golden / "ti2v/vae_tiny.safetensors"
    with safe_open(file, "pt") as opened:
        config = json.loads(opened.metadata()["config"])
    weights = {name: value.float() for name, value in load_file(file).items()}
    return comfy.sd.VAE(
        sd=weights, config={"params": {"embed_dim": config["z_channels"], "ddconfig": config}}, dtype=torch.float32
    )


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest error, relative to the largest number."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


def frames_first(clip: torch.Tensor) -> torch.Tensor:
    return clip[0].movedim(1, 0)


def official_sigmas(schedule, steps: int) -> torch.Tensor:
    """The release's DDIM steps; its last one ends at table index 0, not at nothing."""
    sigmas = comfy.samplers.calculate_sigmas(schedule, "ddim_uniform", steps)
    sigmas[-1] = schedule.sigmas[0]
    return sigmas


def test_schedule(golden, schedule):
    official = load_file(golden / "ti2v/schedule.safetensors")["alphas_cumprod"]
    sigmas = ((1 - official) / official).sqrt()
    assert off(schedule.sigmas.double(), sigmas) < 1e-6
    for steps, timesteps in ((4, [751, 501, 251, 1, 0]), (10, [901, 801, 701, 601, 501, 401, 301, 201, 101, 1, 0])):
        assert off(official_sigmas(schedule, steps).double(), sigmas[timesteps]) < 1e-6


class Replay:
    """One slide of a recorded run: its random draws by what they are for, and its model calls, both in their order."""

    def __init__(self, run: dict, slide: int, schedule, inversion: bool):
        self.schedule, self.run, self.prefix = schedule, run, f"slide{slide}."
        names = sorted(name for name in run if name.startswith(f"{self.prefix}noise."))
        self.draws = {
            role: iter([run[name] for name in names if name.endswith(recorded)]) for role, recorded in ROLES.items()
        }
        self.inversion, self.calls, self.worst = inversion, 0, 0.0

    def noise(self, role: str, like: torch.Tensor) -> torch.Tensor:
        if role == "start":
            return (
                torch.cat(list(self.draws[role]))
                if self.inversion
                else frames_first(self.run[f"{self.prefix}noise.000.init_full"])
            )
        return frames_first(next(self.draws[role])).to(like)

    def model(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """ComfyUI's way from x to the UNet and from the UNet's output to the denoised frames."""
        call = f"{self.prefix}call{self.calls:03d}."
        self.calls += 1
        timestep, x_in, x0 = (self.run[call + name] for name in ("t", "x_in", "x0_pred"))
        assert self.schedule.timestep(sigma[:1]).round() == timestep
        seen = self.schedule.calculate_input(sigma, x)
        self.worst = max(self.worst, off(seen, frames_first(x_in)))
        level = self.schedule.sigmas[int(timestep)]
        eps = (frames_first(x_in) * (1 + level**2).sqrt() - frames_first(x0)) / level
        return self.schedule.calculate_denoised(sigma, eps, x)


@pytest.mark.parametrize("case", ["r0", "r2", "r2_noinv", "predict_r1_s5", "stride2_r1"])
@torch.inference_mode()
def test_loop(golden, schedule, vae, case):
    file = golden / f"ti2v/loop_{case}.safetensors"
    if not file.exists():
        pytest.skip(f"{file.name} is not distributed")
    run = load_file(file)
    with safe_open(file, "pt") as opened:
        config = json.loads(opened.metadata()["config"])
    window, context, steps = config["K"], config["num_cond"], config["ddim_steps"]
    noising, sigmas = noising_of(schedule), official_sigmas(schedule, steps)
    repeats = repeats_at(sigmas, config["resample_iter"])
    count = int(run["video_uint8"].shape[0]) - 1
    slides = plan_slides([True] * context + [False] * count, window, context, window - context)
    replays = iter([Replay(run, i, schedule, config["ddpm_inversion"]) for i in range(len(slides))])
    pixels, worst = frames_first(run["all_pixels"]), {"input": 0.0, "output": 0.0, "context": 0.0}

    def solve(q, slide):
        replay = next(replays)
        shown = replay.run[f"{replay.prefix}cond_latents"]
        worst["context"] = max(worst["context"], off(q[:context], frames_first(shown)))
        x = sample_slide(lambda model, x, sigmas: sample_euler(model, x, sigmas, disable=True), replay.model, q,
                         slide.known, sigmas, repeats,
                         noising, replay.noise, config["ddpm_inversion"])  # fmt: skip
        assert replay.calls == calls_per_slide(repeats) and all(next(left, None) is None for role,
                                                                left in replay.draws.items()
                                                                if role in ("context", "again"))  # fmt: skip
        out = noising.settle(x, sigmas[-1])
        worst["input"] = max(worst["input"], replay.worst)
        worst["output"] = max(worst["output"], off(out, frames_first(run[f"{replay.prefix}final_xt"])))
        return out

    queue = PixelQueue(vae)  # pixels `f h w c`, black 0 and white 1
    images = run["images_uint8"].float() / 255
    given = dict(enumerate(queue.encode(images) * SCALE))
    made = list(
        repeat_and_slide(slides, given, solve, lambda z: queue.decode(z / SCALE), lambda p: queue.encode(p) * SCALE)
    )
    video = torch.cat([pixels[context - 1 : context], *(frames.pixels.movedim(-1, 1) * 2 - 1 for frames in made)])
    assert off(video, pixels[context - 1 :]) < 1e-4
    assert worst["input"] < 1e-4 and worst["output"] < 1e-4 and worst["context"] < 1e-4
    final = ((video.clamp(-1, 1) + 1) / 2 * 255).to(torch.uint8).movedim(1, -1)
    assert (
        final.int() - run["video_uint8"].int()
    ).abs().max() <= 1  # the release truncates, so a rounding may step over


@pytest.mark.parametrize("case", ["r0", "r2"])
@torch.inference_mode()
def test_through_the_node(golden, schedule, vae, case, monkeypatch):
    """From UNet file and picture to the last frame, live, with the nodes' own settings: only the random draws are the
    recorded ones.
    """
    file = golden / f"ti2v/loop_{case}.safetensors"
    run = load_file(file)
    with safe_open(file, "pt") as opened:
        config = json.loads(opened.metadata()["config"])
    replays = [Replay(run, i, schedule, True) for i in range(config["new_frames"])]
    slide = iter(replays)
    current = [None]

    def recorded_noise(_seed):
        def noise(role, like):
            if role == "start":  # the first draw of every slide
                current[0] = next(slide)
            return current[0].noise(role, like)

        return noise

    monkeypatch.setattr(slide_samplers, "seeded_noise", recorded_noise)
    monkeypatch.setitem(
        folder_paths.folder_names_and_paths, "diffusion_models", ([str(golden / "ti2v")], {".safetensors"})
    )
    model = LoadModelScope.execute("unet_tiny.safetensors").args[0]
    positive, negative = ([[run[name], {}]] for name in ("text_emb", "text_emb_zero"))
    picture = run["images_uint8"][-1:].float() / 255
    out = RepeatAndSlideSampler.execute(
        model, positive, negative, picture, length=4, preset="custom", seed=0, cfg=config["guide_scale"], window=4,
        queue="pixel", sampler_name="euler", scheduler="ddim_uniform", steps=4, resample=config["resample_iter"],
        resample_start=0.0, resample_end=1.0, new_frames=1, context=0, inversion=True,
        end="smallest sigma (official)", batch="frames of one clip", vae=vae,
    )  # fmt: skip
    latents, pictures = out.args[0]["samples"], out.args[1]
    assert next(slide, None) is None and all(next(replay.draws["again"], None) is None for replay in replays)
    finals = torch.cat([frames_first(run[f"slide{i}.final_xt"])[-1:] for i in range(3)])
    assert off(latents[1:] * SCALE, finals) < 1e-4
    expected = (frames_first(run["all_pixels"])[2:].clamp(-1, 1) + 1) / 2
    assert off(pictures.movedim(-1, 1), expected) < 1e-4
