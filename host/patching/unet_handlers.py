"""What ComfyUI calls in place of a layer of the UNet: the layer itself, or with a `Call` in the options the layer with
its motion.
"""

import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, ResBlock, Upsample

from ...motion_modules import unet
from ...motion_modules.unet import KEY


def _on_res_block(layer, x, emb, context, options, *_):
    call = options.get(KEY)
    plain = layer.updown or layer.use_scale_shift_norm or layer.exchange_temb_dims or layer.skip_t_emb
    return layer(x, emb) if call is None or plain else unet.res_block(layer, x, emb, call)


def _on_transformer(layer, x, emb, context, options, *_):
    call = options.get(KEY)
    if call is not None:
        return unet.spatial_transformer(layer, x, context, options, call)
    out = layer(x, context, options)
    options["transformer_index"] += 1
    return out


def _on_conv(layer, x, emb, context, options, *_):
    call = options.get(KEY)
    return layer(x) if call is None else unet.plain_layer(layer, "", layer(x), call)


def _on_downsample(layer, x, emb, context, options, *_):
    call = options.get(KEY)
    return layer(x) if call is None else unet.plain_layer(layer, ".op", layer(x), call)


def _on_upsample(layer, x, emb, context, options, output_shape, *_):
    call = options.get(KEY)
    y = layer(x, output_shape=output_shape)
    return y if call is None else unet.plain_layer(layer, ".conv", y, call)


HANDLERS = ((ResBlock, _on_res_block), (SpatialTransformer, _on_transformer), (Downsample, _on_downsample),
            (Upsample, _on_upsample),
             (torch.nn.Conv2d, _on_conv))  # fmt: skip
