"""What a training is said to take, beside a count of what its step keeps: SD 1.5 and SDXL in their own widths.

Nothing is computed: the forward pass runs on tensors without values, and hooks see what it keeps for the backward pass.
`python3 dev study training_memory` writes docs/training_memory.md.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from unittest.mock import patch

import comfy.model_base
import comfy.model_patcher
import comfy.supported_models
import torch
from few_shot_motion.host.patching.image_model import image_unet, sites_of
from few_shot_motion.host.training import model as training_host
from few_shot_motion.host.training.parts import parts_of
from few_shot_motion.motion_modules.call import Call
from few_shot_motion.motion_modules.module import MotionModule
from few_shot_motion.training.memory import Estimate, estimate
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from .. import markdown
from ..interpreter import ROOT

FILE = ROOT / "docs" / "training_memory.md"
FRAMES, TOKENS = 16, 77
_COMMON = {"image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320,
           "use_spatial_transformer": True, "legacy": False, "use_temporal_attention": False}  # fmt: skip
FAMILIES = {
    "SD 1.5": (comfy.supported_models.SD15, comfy.model_base.BaseModel,
               {"channel_mult": [1, 2, 4, 4], "num_res_blocks": [2, 2, 2, 2], "num_heads": 8, "context_dim": 768,
                "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_middle": 1, "adm_in_channels": None,
                "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
                "use_linear_in_transformer": False}),
    "SDXL": (comfy.supported_models.SDXL, comfy.model_base.SDXL,
             {"channel_mult": [1, 2, 4], "num_res_blocks": [2, 2, 2], "num_head_channels": 64, "context_dim": 2048,
              "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_middle": 10, "adm_in_channels": 2816,
              "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "num_classes": "sequential",
              "use_linear_in_transformer": True}),
}  # fmt: skip
SIZES = {"SD 1.5": ((320, 512), (512, 512)), "SDXL": ((320, 512), (576, 1024))}  # px, height and width


@dataclass(frozen=True)
class Setting:
    """A training: of which family, at which size (px, height and width), in which numbers."""

    family: str
    size: tuple[int, int]
    checkpointing: bool
    rank: int
    base: torch.dtype  # what the checkpoint is held in
    autocast: torch.dtype | None

    def compare(self) -> tuple[Estimate, int]:
        """What is said, and how many bytes are counted."""
        said, kept, _ = self._pass()
        if self.checkpointing:  # and while it goes backward, one block after the other as without it
            kept += replace(self, checkpointing=False)._pass()[2]
        return said, said.frozen + said.trained + kept

    @cache  # noqa: B019 - a few settings, once each
    def _pass(self) -> tuple[Estimate, int, int]:
        """What is said; the bytes kept after a forward pass; those of the largest block."""
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
            for name in ("item", "__float__"):  # ComfyUI asks for the noise level, which has no value here
                stack.enter_context(patch.object(torch.Tensor, name, _level_or(getattr(torch.Tensor, name))))
            model = self._model()
            module = MotionModule(sites_of(model), self.rank).train()
            with patch.object(training_host, "load", lambda base: base.pre_run()):
                options = training_host.attach(model, module, True, self.checkpointing, self.autocast)
            options["optimized_attention_override"] = _attention
            count = Count([*model.model.parameters(), *module.parameters()])
            stack.enter_context(patch.object(Call, "run", count.watching(Call.run)))
            height, width = (side // 8 for side in self.size)
            predict = training_host.denoiser(model, options, [self._condition(model)], self.autocast)
            with torch.autograd.graph.saved_tensors_hooks(count.pack, lambda tensor: tensor):
                predict(torch.randn(1, FRAMES, 4, height, width), torch.full((1,), 2.0))
            return self._said(model, module, (FRAMES, height, width)), count.bytes, count.largest

    def _model(self):
        family, kind, unet = FAMILIES[self.family]
        config = family({**_COMMON, **unet})
        config.set_inference_dtype(self.base, None)
        cpu = torch.device("cpu")
        return comfy.model_patcher.ModelPatcher(kind(config, comfy.model_base.ModelType.EPS, device=cpu), cpu, cpu)

    def _condition(self, model) -> dict[str, torch.Tensor]:
        unet = FAMILIES[self.family][2]
        text = {"c_crossattn": torch.randn(FRAMES, TOKENS, unet["context_dim"])}
        return text | ({"y": torch.randn(FRAMES, unet["adm_in_channels"])} if unet["adm_in_channels"] else {})

    def _said(self, model, module, latents: tuple[int, int, int]) -> Estimate:
        numbers = sum(value.numel() for value in model.model.diffusion_model.parameters())
        itemsize = 4 if self.autocast is None else 2
        cast = itemsize * numbers if self.base != (self.autocast or torch.float32) else 0
        trained = sum(value.numel() for value in module.parameters() if value.requires_grad)
        frozen = numbers * self.base.itemsize
        return estimate(frozen, trained, latents, parts_of(image_unet(model)), itemsize, self.checkpointing, cast)


class Count:
    """Bytes kept for a backward pass beside the model's and the layers' own, and by which block the most of them."""

    def __init__(self, own):
        self.held = list(own)  # so that no other tensor takes the place of one
        self.own = {tensor.untyped_storage()._cdata for tensor in self.held}
        self.kept: dict[int, int] = {}
        self.largest = 0

    @property
    def bytes(self) -> int:
        """All of them by now."""
        return sum(self.kept.values())

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        """The hook for what autograd keeps."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self.own:
            self.kept[storage._cdata] = storage.nbytes()
            self.held.append(tensor)
        return tensor

    def watching(self, run):
        """Call.run that notes what each block keeps."""

        def watched(call, block, *inputs):
            before = self.bytes
            out = run(call, block, *inputs)
            self.largest = max(self.largest, self.bytes - before)
            return out

        return watched


def _level_or(read):
    return lambda tensor: 2.0 if isinstance(tensor, FakeTensor) else read(tensor)


def _attention(_, *tensors, **words):
    """torch's own attention, which keeps no weights of it."""
    from comfy.ldm.modules.attention import attention_pytorch

    return attention_pytorch(*tensors, **{key: value for key, value in words.items() if key != "transformer_options"})


def main() -> None:
    rows, bf16 = [], torch.bfloat16
    for family, sizes in SIZES.items():
        for size in sizes:
            for base, autocast in ((torch.float32, None), (torch.float16, bf16)):
                for rank in (0, 32):
                    for checkpointing in (False, True):
                        setting = Setting(family, size, checkpointing, rank, base, autocast)
                        rows.append(_row(setting))
                        print(rows[-1], flush=True)
    head = ["", "size", "computes in", "rank", "checkpointing", "said, GiB", "counted, GiB", "said / counted"]
    FILE.write_text(_HEAD + markdown.table(head, rows), encoding="utf-8")
    print(f"written: {FILE.relative_to(ROOT)}")


def _row(setting: Setting) -> list[str]:
    said, counted = setting.compare()
    height, width = setting.size
    names = {torch.float32: "fp32", torch.float16: "fp16"}
    computes = "fp32" if setting.autocast is None else f"bf16, held in {names[setting.base]}"
    return [setting.family, f"{width} x {height}", computes, str(setting.rank),
            "on" if setting.checkpointing else "off", f"{said.total / 2**30:.2f}", f"{counted / 2**30:.2f}",
            f"{said.total / counted:.2f}"]  # fmt: skip


_HEAD = f"""# What a training takes of memory, said and counted

Made by `python3 dev study training_memory`: LAMP, {FRAMES} frames, UNets of SD 1.5's and SDXL's own shapes. *Said* is
what Train Motion LoRA says before the first step: frozen weights, trained layers with their gradients and AdamW's
moments, and what the forward pass keeps for the backward pass. *Counted* is the same with the last part counted by
saved-tensor hooks, and with the largest block once more where checkpointing computes it anew. No card was measured:
what PyTorch's allocator leaves unused between tensors, the VAE and the text encoder come on top.

"""
