"""How the blocks of ComfyUI's UNet run with motion layers.

Nothing in the UNet is replaced or written to: these functions run a block's own sublayers and add the motion layers
between them. What one call of the UNet needs to know is a `Call`.
"""

from typing import Any

from torch import Tensor, nn

from .call import Call
from .frame_attention import with_frames


def res_block(layer: Any, x: Tensor, emb: Tensor, call: Call) -> Tensor:
    """A ResBlock of SD 1.x, 2.x or SDXL (no scale-shift norm, no resampling inside); x `(b f) c h w`, emb `(b f) c`."""
    path = call.name(layer)

    def run(x: Tensor, emb: Tensor) -> Tensor:
        h = call.norm_and_silu(layer.in_layers, x)
        h = call.conv(f"{path}.in_layers.2", layer.in_layers[2:](h))
        h = h + call.embedded(layer.emb_layers, emb).type(h.dtype)[..., None, None]
        h = call.norm_and_silu(layer.out_layers, h)
        h = call.conv(f"{path}.out_layers.3", layer.out_layers[2:](h))
        h = call.conv(path, call.conv(f"{path}.skip_connection", layer.skip_connection(x)) + h)
        return call.row_end(layer, h)

    return call.run(run, x, emb)


def spatial_transformer(layer: Any, x: Tensor, context: Tensor | None, options: dict, call: Call) -> Tensor:
    """A SpatialTransformer with temporal attention at the end of each of its blocks; x `(b f) c h w`."""
    path = call.name(layer)

    def run(x: Tensor, context: Tensor | None) -> Tensor:
        height, width = x.shape[-2:]
        options["activations_shape"] = list(x.shape)
        tokens = layer.norm(x)
        if not layer.use_linear:
            tokens = layer.proj_in(tokens)
        tokens = tokens.movedim(1, 3).flatten(1, 2).contiguous()
        if layer.use_linear:
            tokens = layer.proj_in(tokens)
        for i, block in enumerate(layer.transformer_blocks):
            options["block_index"] = i
            tokens = transformer_block(block, f"{path}.transformer_blocks.{i}", tokens, context, options, call)
        if layer.use_linear:
            tokens = layer.proj_out(tokens)
        tokens = tokens.unflatten(1, (height, width)).movedim(3, 1).contiguous()
        if not layer.use_linear:
            tokens = layer.proj_out(tokens)
        return call.row_end(layer, tokens + x)

    return call.run(run, x, context)


def transformer_block(
    block: Any, path: str, tokens: Tensor, context: Tensor | None, options: dict, call: Call
) -> Tensor:
    """A block, then its temporal attention; tokens `(b f) l c`."""
    options = with_frames(options, block, path, tokens, call)
    out = block(tokens, context=context, transformer_options=options)
    return call.attend(path, out, block.n_heads, options["activations_shape"])


def plain_layer(layer: nn.Module, suffix: str, y: Tensor, call: Call) -> Tensor:
    """Behind a layer that is one convolution: conv_in, a downsampler (`.op`), an upsampler (`.conv`); y is that layer's
    output, `(b f) c h w`.
    """
    return call.conv(f"{call.name(layer)}{suffix}", y)


def conv_out(out: Any, y: Tensor, call: Call) -> Tensor:
    """The UNet's last layers; they are no block that could be handled, so they are run again on what went into them.

    y: the UNet's output without motion, reused where its group norm is not over frames, `(b f) c h w`.
    """
    if call.joint_norm:
        assert call.last is not None
        y = out[2:](call.norm_and_silu(out, call.last.type(y.dtype)))
    return call.conv("out.2", y)
