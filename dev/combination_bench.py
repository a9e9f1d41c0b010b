"""A small MODEL, an adapter of every method for it, and what core's nodes want beside it."""

from dataclasses import dataclass
from pathlib import Path

import folder_paths
import nodes
import torch
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.animatediff import TemporalTransformers
from few_shot_motion.motion_modules.methods import METHODS
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.nodes.sampling import FirstFrameKSampler
from safetensors.torch import save_file

ZERO = "text-to-video-zero"


FRAMES, STEPS = 4, 2


LORA = "few_shot_motion_combination.safetensors"


def generator(seed: int) -> torch.Generator:
    """Of numbers that are the same in every run."""
    return torch.Generator().manual_seed(seed)


@dataclass
class Bench:
    """A small MODEL and all that nodes want beside it."""

    model: object
    clip: object
    vae: object
    width: int  # channels of its text

    def __post_init__(self):
        self.adapters: dict[str, MotionAdapter] = {}
        draw = lambda *shape, seed=0: torch.randn(shape, generator=generator(seed))  # noqa: E731
        self.first = {"samples": 3 * draw(1, 4, 8, 8)}
        self.cond, self.uncond = ([[draw(1, 9, self.width, seed=seed), {}]] for seed in (1, 2))
        self.other = self.model.clone()  # to merge with: half of every weight
        halves = {name: ("diff", (-0.5 * weight,)) for name, weight in self.model.model.state_dict().items()
                  if name.startswith("diffusion_model.")}  # fmt: skip
        self.other.add_patches(halves)
        self.given = {
            "CLIP": self.clip,
            "VAE": self.vae,
            "CONDITIONING": self.uncond,
            "LATENT": self.first,
            "IMAGE": torch.rand(1, 64, 64, 3, generator=generator(3)),
            "LATENT_OPERATION": lambda latent, **_: 0.9 * latent,
            "LORA_MODEL": self.lora(),
        }

    def lora(self) -> dict[str, torch.Tensor]:
        """A small LoRA of the queries, in the names every loader of core knows."""
        made = {}
        for name, weight in self.model.model.diffusion_model.state_dict().items():
            if name.endswith("attn2.to_q.weight"):
                path = f"diffusion_model.{name.removesuffix('.weight')}"
                made[f"{path}.lora_up.weight"] = 0.1 * torch.ones(len(weight), 2)
                made[f"{path}.lora_down.weight"] = 0.1 * torch.ones(2, weight.shape[1])
        return made

    def sample(self, model) -> torch.Tensor:
        """A clip behind the first frame, `f c h w`."""
        with torch.inference_mode():
            made = FirstFrameKSampler.execute(
                model, self.cond, self.uncond, self.first, FRAMES, 7, STEPS, 3.0, "euler", "normal", "none"
            )
        return made.args[0]["samples"]

    def picture(self) -> torch.Tensor:
        """What the model itself makes, `1 c h w`."""
        with torch.inference_mode():
            return nodes.KSampler().sample(
                self.model, 5, STEPS, 3.0, "euler", "normal", self.cond, self.uncond, self.first
            )[0]["samples"]

    def moving(self, model, motion: str):
        """A MODEL with this motion at full strength, every layer of it alive."""
        if motion == ZERO:
            return bridge.attend_to(model, ("first",))
        if motion not in self.adapters:
            self.adapters[motion] = adapter(self.model, motion)
        return bridge.apply_adapter(model, self.adapters[motion])


def adapter(model, method: str) -> MotionAdapter:
    """An adapter of random weights, its group norms as the newest releases have them."""
    sites, recurrence = bridge.sites_of(model, method), "fixed" if method == "recurrent" else ""
    design = MotionAdapter(method, {}, recurrence=recurrence)
    layers = TemporalTransformers(sites) if method == "animatediff" else METHODS[method].build(design, sites, torch.nn)
    assert isinstance(layers, TemporalTransformers | MotionModule)
    tensors = {}
    for seed, (name, value) in enumerate(layers.state_dict().items()):
        drawn = torch.randn(value.shape, generator=generator(seed))
        is_norm = value.ndim == 1 and name.endswith("weight")
        small = 0.1 * (
            1 + 0.1 * drawn if is_norm else drawn / value[0].numel() ** 0.5 if value.ndim > 1 else 0.1 * drawn
        )
        tensors[name] = value if name.endswith(".pe") else small
    return MotionAdapter(method, tensors, joint_norm=method != "animatediff", recurrence=recurrence)


def with_lora(bench: Bench, folder: Path) -> None:
    """Put a LoRA where core's loaders look for one."""
    save_file(bench.lora(), folder / LORA)
    folder_paths.add_model_folder_path("loras", str(folder))
    folder_paths.filename_list_cache.clear()
