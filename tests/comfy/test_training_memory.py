"""The estimate before a training against what a step really keeps: bytes of parameters, gradients, moments, and of
everything the backward pass waits for.
"""

import pytest
import torch
import unets
from comfy.ldm.modules import attention
from few_shot_motion.host.patching.image_model import sites_of
from few_shot_motion.host.training import model as training_host
from few_shot_motion.motion_modules.module import MotionModule, initialise
from few_shot_motion.training.loop import new_run, train
from few_shot_motion.training.loss import lamp_loss
from few_shot_motion.training.memory import estimate

FRAMES, SIDE, WIDTH = 4, 16, unets.SD1_TOPOLOGY["model_channels"]


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("rank", [0, 8])
def test_what_a_step_keeps(rank, checkpointing, monkeypatch):
    """With PyTorch's own attention, as on a GPU: core's for CPUs keeps every softmax."""
    for name in ("optimized_attention", "optimized_attention_masked"):
        monkeypatch.setattr(attention, name, attention.attention_pytorch)
    base = unets.sd_model(unets.SD1_TOPOLOGY).clone(force_deepcopy=True)
    module = initialise(MotionModule(sites_of(base, "lamp"), rank)).train()
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    options = training_host.attach(base, module, True, checkpointing)
    text = {"c_crossattn": torch.randn(1, 77, 64).expand(FRAMES, -1, -1)}
    predict, x0 = training_host.denoiser(base, options, [text], None), torch.randn(1, FRAMES, 4, SIDE, SIDE)
    weights = {value.untyped_storage().data_ptr() for value in [*base.model.parameters(), *module.parameters()]}
    kept: dict[int, torch.Tensor] = {}  # by where it lies: one map may be waited for in several places

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    def loss_at(step, generator):
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            return lamp_loss(predict, x0, torch.randn(x0.shape), torch.ones(1), torch.ones(1))

    run = new_run(trained, 1e-4)
    list(train(run, loss_at, 1, 0))
    needed = estimate(
        0, sum(value.numel() for value in trained.values()), (FRAMES, SIDE, SIDE), WIDTH, 4, checkpointing
    )
    moments = [value for state in run.optimizer.state.values() for value in state.values() if value.ndim]
    gradients = [value.grad for value in trained.values()]
    assert needed.trained == sum(value.nbytes for value in [*trained.values(), *gradients, *moments])
    activations = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    blocks = 2 if checkpointing else 1  # one block's worth on top while that is computed again
    assert needed.activations == pytest.approx(blocks * activations, rel=0.07)
