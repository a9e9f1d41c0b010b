"""What a training is said to take, against a count of what its step keeps for the backward pass."""

import pytest
import torch
import unets
from comfy.ldm.modules.attention import attention_pytorch
from few_shot_motion.host.patching.image_model import sites_of
from few_shot_motion.host.training import model as training_host
from few_shot_motion.host.training.base_model import trainable_model
from few_shot_motion.motion_modules.call import Call
from few_shot_motion.motion_modules.module import MotionModule, initialise
from few_shot_motion.training.loss import lamp_loss
from few_shot_motion.training.memory import estimate

FRAMES, WIDTH = 4, 32
TOPOLOGY = {**unets.SD1_TOPOLOGY, "model_channels": WIDTH, "num_head_channels": 8}
SETTINGS = [((16, 16), False, 0), ((16, 16), False, 32), ((16, 16), True, 0),
            ((24, 32), False, 32), ((24, 32), True, 0), ((24, 32), True, 32)]  # fmt: skip


class Count:
    """Bytes kept for a backward pass beside the model's and the layers' own, and by which block the most of them."""

    def __init__(self, own):
        self.own = {tensor.untyped_storage().data_ptr() for tensor in own}
        self.kept: dict[int, torch.UntypedStorage] = {}
        self.largest = 0

    @property
    def bytes(self) -> int:
        return sum(storage.nbytes() for storage in self.kept.values())

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.own:
            self.kept[storage.data_ptr()] = storage  # held, so that no other tensor takes its place
        return tensor


def counted(
    monkeypatch, size, checkpointing: bool, rank: int, base: torch.dtype, autocast
) -> tuple[int, int, int, int]:
    """Frozen bytes, trained numbers, bytes kept after a forward pass, and those of the largest block."""
    with torch.inference_mode(False), torch.enable_grad():
        own = trainable_model(unets.sd_model(TOPOLOGY, dtype=base))
        module = initialise(MotionModule(sites_of(own), rank)).train()
        options = training_host.attach(own, module, True, checkpointing, autocast)
        options["optimized_attention_override"] = lambda _, *tensors, **words: attention_pytorch(
            *tensors, **{key: value for key, value in words.items() if key != "transformer_options"}
        )
        count, run = Count([*own.model.parameters(), *module.parameters()]), Call.run

        def watched(call, block, *inputs):
            before = count.bytes
            out = run(call, block, *inputs)
            count.largest = max(count.largest, count.bytes - before)
            return out

        monkeypatch.setattr(Call, "run", watched)
        predict = training_host.denoiser(own, options, [{"c_crossattn": torch.randn(FRAMES, 9, 64)}], autocast)
        x0 = torch.randn(1, FRAMES, 4, *size)
        with torch.autograd.graph.saved_tensors_hooks(count.pack, lambda tensor: tensor):
            lamp_loss(predict, x0, torch.randn_like(x0), torch.tensor([2.0]), torch.tensor([5**-0.5]))
        frozen = sum(value.numel() * value.element_size() for value in own.model.parameters())
        trained = sum(value.numel() for value in module.parameters() if value.requires_grad)
        monkeypatch.setattr(Call, "run", run)
        return frozen, trained, count.bytes, count.largest


@pytest.mark.parametrize("size, checkpointing, rank", SETTINGS)
@pytest.mark.parametrize("base, autocast", [(torch.float32, None), (torch.float16, torch.bfloat16)])
def test_what_is_said_is_what_is_kept(monkeypatch, base, autocast, size, checkpointing, rank):
    frozen, trained, kept, _ = counted(monkeypatch, size, checkpointing, rank, base, autocast)
    if checkpointing:  # and while it goes backward, one block after the other as without it
        kept += counted(monkeypatch, size, False, rank, base, autocast)[3]
    itemsize = 4 if autocast is None else 2
    cast = itemsize * frozen // base.itemsize if base != (autocast or torch.float32) else 0
    said = estimate(frozen, trained, (FRAMES, *size), WIDTH, itemsize, checkpointing, cast)
    peak = frozen + 16 * trained + kept
    print(f"{size} {checkpointing} {rank} {base}: said {said.total / 2**20:.1f}, counted {peak / 2**20:.1f} MiB; "
          f"kept {said.activations / 2**20:.1f}, {kept / 2**20:.1f}")  # fmt: skip
    assert said.total == pytest.approx(peak, rel=0.15)
