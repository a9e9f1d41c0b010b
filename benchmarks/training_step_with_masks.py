"""What masks cost a training step: time and memory with a mask predictor, and with split layers, against none.

    .venv/bin/python benchmarks/training_step_with_masks.py COMFYUI [steps]

The three take turns on the miniature, step by step on one thread, so that whatever else the machine does falls on all
alike; the minimum and the median count. Memory is what a step holds for its backward pass, and parameters, gradients
and AdamW's moments beside the frozen model.
"""

import asyncio
import importlib.util
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FRAMES = 16


def main(comfyui: str, steps: int = 10) -> None:
    sys.path[:1] = [comfyui]  # in place of this folder
    import comfy.cli_args
    import torch

    torch.set_num_threads(1)
    comfy.cli_args.args.cpu = True
    import nodes

    asyncio.run(nodes.load_custom_node(str(ROOT / "miniature")))
    spec: Any = importlib.util.spec_from_file_location(
        "few_shot_motion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    sys.modules["few_shot_motion"] = importlib.util.module_from_spec(spec)
    model, clip, _ = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
    caption = clip.encode_from_tokens_scheduled(clip.tokenize("a red ball on grass"))
    variants = {"without masks": Step(model, caption, None), "mask predictor": Step(model, caption, {}),
                "predictor and split layers": Step(model, caption, {"split": True})}  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for step in range(steps + 1):
        for name, variant in variants.items():
            start = time.process_time()
            variant.run(step)
            seconds[name].append(time.process_time() - start)
    plain, megabytes = seconds["without masks"][1:], variants["without masks"].held / 2**20
    for name, variant in variants.items():
        taken, held = seconds[name][1:], variant.held / 2**20  # the first step warms up
        print(f"{name:28} min {min(taken):6.2f} s ({min(taken) / min(plain):.3f}x)  median "
              f"{statistics.median(taken):6.2f} s "
              f"({statistics.median(taken) / statistics.median(plain):.3f}x)  held {held:7.1f} MiB "
              f"({held / megabytes:.3f}x)")  # fmt: skip


class Step:
    """One variant's model, layers and optimizer; `held`: bytes that its last step kept."""

    def __init__(self, model, caption, learning: dict | None):
        import torch
        from few_shot_motion.host.patching import bridge
        from few_shot_motion.host.training import masks as training_masks
        from few_shot_motion.host.training import model as training_host
        from few_shot_motion.host.training.base_model import trainable_model  # pyright: ignore
        from few_shot_motion.host.training.conditions import model_conditions  # pyright: ignore
        from few_shot_motion.motion_modules.module import MotionModule, initialise  # pyright: ignore
        from few_shot_motion.training.loop import new_run  # pyright: ignore
        from few_shot_motion.training.mask_loss import MaskSettings  # pyright: ignore

        settings = MaskSettings(**(learning or {}))
        self.base = trainable_model(model)
        self.module = initialise(MotionModule(bridge.sites_of(self.base), 0, split=settings.split)).train()
        trained = {name: value for name, value in self.module.named_parameters() if value.requires_grad}
        self.masks = None if learning is None else training_masks.learner(self.base, settings, 100)
        trained |= dict(self.masks.named_parameters()) if self.masks else {}
        self.run_state = new_run(trained, 1e-4)
        self.options = training_host.attach(self.base, self.module, True, False)
        self.x0, self.subject = torch.randn(1, FRAMES, 4, 16, 16), torch.rand(1, FRAMES, 16, 16)
        self.conditions = model_conditions(self.base, [caption], self.x0[0])

    def run(self, step: int) -> None:
        import torch
        from few_shot_motion.host.training import model as training_host
        from few_shot_motion.motion_modules.call import GATES  # pyright: ignore
        from few_shot_motion.training.loop import train  # pyright: ignore
        from few_shot_motion.training.loss import lamp_loss  # pyright: ignore

        saved: dict[int, int] = {}

        def keep(tensor):
            storage = tensor.untyped_storage()
            saved[storage.data_ptr()] = storage.nbytes()
            return tensor

        def loss_at(step, generator):
            gates: list = []
            sigma, scale = torch.tensor([2.0]), torch.tensor([5**-0.5])
            predict = training_host.denoiser(self.base, {**self.options, GATES: gates}, self.conditions, None)
            watched = self.masks.watch(predict, self.subject, scale) if self.masks else predict
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                loss = lamp_loss(watched, self.x0, torch.randn(self.x0.shape, generator=generator), sigma, scale)
                return loss + watched.loss(gates, step) if self.masks else loss

        next(iter(train(self.run_state, loss_at, step + 1, 0)))
        trained = sum(value.numel() * 16 for value in self.run_state.parameters.values())
        self.held = sum(saved.values()) + trained


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
