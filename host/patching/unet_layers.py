"""What ComfyUI calls in place of every layer of an acting UNet: the layer with its motion, or what others made of
it.
"""

from collections.abc import Callable, Sequence

from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, ResBlock, Upsample, forward_timestep_embed
from torch import Tensor, nn

from ...motion_modules import unet
from ...motion_modules.call import KEY, Call

PATCHES = "forward_timestep_embed_patch"  # ComfyUI's name of the seam: (class of a layer, what to call instead)


def acting(options: dict, call: Call, check: Callable | None = None) -> dict:
    """The options of a call of the UNet whose layers run with this motion; `check` raises where they cannot, and is
    asked by layers that no call of the model as a whole has led to.
    """
    patches = options.get("patches", {})
    return {**options, KEY: call, "patches": {**patches, PATCHES: [(nn.Module, Layers(_of_others(patches), check))]}}


def idle(options: dict) -> dict:
    """The options of a call without motion, whatever an outer one has put there."""
    if KEY not in options:
        return options
    patches = {**options["patches"], PATCHES: _of_others(options["patches"])}
    return {**{name: value for name, value in options.items() if name != KEY}, "patches": patches}


def _of_others(patches: dict) -> list:
    found = []
    for kind, handler in patches.get(PATCHES, ()):
        found += handler.others if isinstance(handler, Layers) else [(kind, handler)]
    return found


class Layers:
    """Runs any layer of a UNet: ResBlocks and transformers by their own sublayers with motion between them, every other
    one as ComfyUI and other nodes' handlers (`others`) would, and adds what stands behind it.
    """

    def __init__(self, others: Sequence[tuple[type, object]], check: Callable | None = None):
        self.others, self.check = list(others), check

    def __call__(self, layer, x, emb, context, options, *rest) -> Tensor:
        """A handler of `forward_timestep_embed_patch`: a layer's output, `(b f) c h w`.

        Raises ValueError where another node runs the layers that motion sits in, or the UNet itself.
        """
        call: Call = options[KEY]
        if not call.whole and call.ends_outside_blocks:
            raise ValueError(
                "Another node runs this model's blocks itself, as DeepCache does, and leaves out the motion's last "
                "layers: take that node out, or use a motion that has none there (AnimateDiff v2 or v3)."
            )
        if not call.whole and self.check:
            self.check()
        ours = id(layer) in call.places.names
        if ours and isinstance(layer, ResBlock) and _is_plain(layer):
            self._check_ours(layer)
            y = unet.res_block(layer, x, emb, call)
        elif ours and isinstance(layer, SpatialTransformer):
            self._check_ours(layer)
            y = unet.spatial_transformer(layer, x, context, options, call)
            if "transformer_index" in options:
                options["transformer_index"] += 1
        else:
            y = self._as_others_do(layer, x, emb, context, options, *rest)
            suffix = _SUFFIXES.get(type(layer), "" if isinstance(layer, nn.Conv2d) else None)
            if ours and suffix is not None:
                y = unet.plain_layer(layer, suffix, y, call)
        call.last = y
        return y

    def _as_others_do(self, layer, x, emb, context, options, *rest) -> Tensor:
        theirs = {**options, "patches": {**options["patches"], PATCHES: self.others}}
        y = forward_timestep_embed([layer], x, emb, context, theirs, *rest)
        options.update({name: theirs[name] for name in ("transformer_index",) if name in theirs})
        return y

    def _check_ours(self, layer) -> None:
        if any(isinstance(layer, kind) for kind, _ in self.others):
            raise ValueError(
                f"Another node runs this model's {type(layer).__name__} layers its own way, and motion sits inside "
                "them: use that node or the motion, not both in one model."
            )


_SUFFIXES = {Downsample: ".op", Upsample: ".conv"}


def _is_plain(layer: ResBlock) -> bool:
    """Is this the ResBlock of SD 1.x, 2.x and SDXL?"""
    return not (layer.updown or layer.use_scale_shift_norm or layer.exchange_temb_dims or layer.skip_t_emb)
