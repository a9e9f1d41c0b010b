"""What tests of motion inside ComfyUI share: a MODEL, an adapter of every method with every layer alive, a clip."""

import asyncio
from pathlib import Path

import nodes
import torch
import unets
from few_shot_motion.host.patching import bridge
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.animatediff import TemporalTransformers
from few_shot_motion.motion_modules.methods import METHODS
from few_shot_motion.motion_modules.modelscope import ModelScopeLayers
from few_shot_motion.nodes.sampling import FirstFrameKSampler

MINIATURE = Path(__file__).parents[1] / "miniature"
FRAMES, SIDE, WIDTH = 4, 8, 64
ADAPTERS = [method for method in METHODS if method != "modelscope"]  # that is Load ModelScope T2V's, for one model only
ZERO = "text-to-video-zero"  # a rule for self-attention and no layers
EVERY = [*METHODS, ZERO]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal noise, the same for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


FIRST = {"samples": 3 * drawn(1, 4, SIDE, SIDE)}
COND, UNCOND = ([[drawn(1, 9, WIDTH, seed=seed), {}]] for seed in (1, 2))


def miniature():
    """The miniature's MODEL, of core's own loader."""
    asyncio.run(nodes.load_custom_node(str(MINIATURE)))
    return nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")[0]


def picture(model) -> torch.Tensor:
    """A plain picture in two steps, `1 c h w`."""
    with torch.inference_mode():
        return nodes.KSampler().sample(model, 5, 2, 3.0, "euler", "normal", COND, UNCOND, FIRST)[0]["samples"]


def adapter_for(model, method: str, seed: int = 3) -> MotionAdapter:
    """An adapter of this method with every layer alive."""
    sites = bridge.sites_of(model, method)
    settings = {"recurrence": "fixed"} if method == "recurrent" else {}
    if method == "animatediff":
        module = TemporalTransformers(sites)
    elif method == "modelscope":
        module, settings = ModelScopeLayers(sites, 8), {"joint_norm": False, "joint_own_norm": True}
    else:
        module = METHODS[method].build(MotionAdapter(method, {}, **settings), sites, torch.nn)
    tensors = {
        name: value if name.endswith(".pe") else 0.1 * value
        for name, value in unets.random_weights(module, seed).items()
    }
    return MotionAdapter(method, tensors, **settings)


def moving(model, method: str, strength: float = 1.0, **settings):
    """A MODEL with one motion in it, an adapter's or Text2Video-Zero's."""
    if method == ZERO:
        return bridge.attend_to(model, ("first",), **settings)
    return bridge.apply_adapter(model, adapter_for(model, method), strength, **settings)


def clip(model, positive=COND, cfg: float = 3.0, steps: int = 2) -> torch.Tensor:
    """A clip behind a first frame, `f c h w`, inside inference mode as the executor runs nodes."""
    with torch.inference_mode():
        node = FirstFrameKSampler.execute(
            model, positive, UNCOND, FIRST, FRAMES, 7, steps, cfg, "euler", "normal", "none"
        )
    return node.args[0]["samples"]
