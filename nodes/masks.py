"""The node that tells the subject from the background in a finished clip."""

import copy

import comfy.model_management
import torch
from comfy_api.latest import io

from ..host.inputs.frames import check_channels
from ..host.patching.image_model import CELL
from ..host.sockets import CATEGORY, Adapter, Predictor
from ..motion_modules.adapter import MotionAdapter
from ..motion_modules.mask_predictor import resize_masks

_SIZES = ("picture", "latent")
_MASK_PREDICTOR = "From Train Motion LoRA, or a motion adapter that was trained with masks."
_SIZE = "picture: masks as large as the decoded frames. latent: one value per position of the latent."
_MASK_OUT = (
    "How surely each pixel is the subject, 0 to 1, one mask per frame; Threshold Mask makes them black and white."
)


class PredictMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_PredictMask",
            display_name="Mask Predictor",
            category=f"{CATEGORY}/sampling",
            description="Says where the subject is in a generated clip, with what a motion adapter learnt from masks.",
            search_aliases=["predict mask", "subject mask", "foreground", "segment", "matting", "遮罩", "抠像"],
            inputs=[
                io.MultiType.Input("mask_predictor", [Predictor, Adapter], tooltip=_MASK_PREDICTOR),
                io.Latent.Input("latent", tooltip="A finished clip, of the model that the adapter was trained on."),
                io.Combo.Input("size", options=list(_SIZES), default=_SIZES[0], tooltip=_SIZE),
            ],
            outputs=[io.Mask.Output(tooltip=_MASK_OUT)],
        )  # fmt: skip

    @classmethod
    def execute(cls, mask_predictor, latent: dict, size: str) -> io.NodeOutput:
        predictor = mask_predictor.mask_predictor if isinstance(mask_predictor, MotionAdapter) else mask_predictor
        if predictor is None:
            raise ValueError(
                "There is no mask predictor in what is connected: train the adapter with masks and mask_input x0."
            )
        samples = latent["samples"]
        check_channels(samples, len(predictor.scale), "What comes in at latent", "mask predictor")
        clip = samples.movedim(2, 1).flatten(0, 1) if samples.ndim == 5 else samples
        device = comfy.model_management.get_torch_device()
        masks = copy.deepcopy(predictor).to(device).probabilities(clip.to(device, torch.float32)).cpu()
        if size == "picture":
            masks = resize_masks(masks, masks.shape[1] * CELL, masks.shape[2] * CELL)
        return io.NodeOutput(masks)


NODES = [PredictMask]
