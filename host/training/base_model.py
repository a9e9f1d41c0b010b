"""The image model of a training: a copy of its own, without what others do to it while sampling."""

import copy
from dataclasses import replace

import torch

from ...motion_modules.adapter import AdapterError
from ...motion_modules.call import KEY
from ..patching.image_model import family, image_unet
from ..patching.motion_stack import set_stack
from ..said import say

_OURS = __name__.partition(".host.")[0]
_CALLS = ("model_function_wrapper",)  # in model_options: what is put around a call of the UNet


def check_trainable(model) -> None:
    """Raises AdapterError, one sentence, where motion cannot be learnt on a MODEL."""
    unet, channels = image_unet(model), model.model.latent_format.latent_channels
    if unet.in_channels != channels:
        raise AdapterError(
            f"Motion is learnt on a UNet that takes {channels} channels, this {family(model)} takes "
            f"{unet.in_channels}, as inpainting checkpoints do: load the plain checkpoint of the same family."
        )


def trainable_model(model, lines: list[str] | None = None):
    """A MODEL of its own to train on: loaded anew from its file, with what cannot learn taken off; what its user should
    know is added to `lines`.

    Call it outside inference mode. Raises ValueError where the model's loader cannot load it twice.
    """
    if model.cached_patcher_init is None:
        raise ValueError(
            "This model cannot be loaded a second time for training: load it with one of ComfyUI's own loaders, Load "
            "Checkpoint say."
        )
    base = model.clone(force_deepcopy=True)
    _own_adapters(base)
    if taken := take_off(base):
        line = f"Taken off for the training, for they act on pictures being sampled: {', '.join(taken)}."
        say(line, warning=True)
        if lines is not None:
            lines.append(line)
    return base


def _own_adapters(base) -> None:
    """Adapters already in the model, copied so that gradients may pass through them; they stay as they are."""
    if (stack := base.get_attachment(KEY)) is None:
        return
    made = {id(patcher.model): patcher.cached_patcher_init for patcher in base.additional_models.pop(KEY, [])}
    adapters = []
    for active in stack.adapters:
        make, arguments = made.get(id(active.module), (None, ()))
        with torch.inference_mode():  # as the loader made its tensors
            made_anew = make(*arguments, disable_dynamic=True).model if make else active.module
        module = copy.deepcopy(made_anew)
        if isinstance(module, torch.nn.Module):
            module = module.requires_grad_(False).eval().to(base.load_device)
        context = active.context and copy.deepcopy(active.context).to(base.load_device)
        mask = None if active.mask is None else active.mask.clone()
        adapters.append(replace(active, module=module, mask=mask, context=context))
    set_stack(base, tuple(adapters))


def take_off(base) -> list[str]:
    """Take what other nodes do to a call of the UNet off a copied model, and name it: weights, the noise schedule and
    our own stay.
    """
    names: set[str] = set()
    options = base.model_options
    names |= {_maker(options.pop(key)) for key in _CALLS if key in options}
    calls = options["transformer_options"]
    for kind, patches in list(calls.get("patches", {}).items()):
        calls["patches"][kind] = _kept(patches, names)
        if not calls["patches"][kind]:
            del calls["patches"][kind]
    for blocks in calls.pop("patches_replace", {}).values():
        names |= {_maker(function) for function in blocks.values()}
    if override := calls.pop("optimized_attention_override", None):
        names.add(_maker(override))
    for groups in base.wrappers.values():
        for key, functions in list(groups.items()):
            groups[key] = _kept(functions, names)
    names |= {key for key, injections in base.injections.items() if injections}
    base.injections.clear()
    for path in [path for path in base.object_patches if path.startswith("diffusion_model")]:
        names.add(_maker(base.object_patches.pop(path)))
    return sorted(names)


def _kept(functions: list, names: set[str]) -> list:
    """Ours of these patches; the others' makers are added to `names`."""
    mine = [f for f in functions if _module(f).startswith(_OURS)]
    names |= {_maker(f) for f in functions if not _module(f).startswith(_OURS)}
    return mine


def _function(patch):
    return patch[1] if isinstance(patch, tuple) else patch  # (class of layer, handler)


def _module(patch) -> str:
    return getattr(_function(patch), "__module__", "") or ""


def _maker(patch) -> str:
    """Whoever made a patch, as its node is called in the code: `FreeU_V2`."""
    function = _function(patch)
    return getattr(function, "__qualname__", type(function).__name__).partition(".")[0]
