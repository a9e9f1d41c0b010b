"""Nodes that load, apply and save motion adapters."""

import torch
from comfy_api.latest import io

from ..host.files import folders
from ..host.files.weights_file import stamp
from ..host.patching.bridge import apply_adapter
from ..host.patching.image_model import base_query, family, image_unet
from ..host.patching.motion_masks import over_frames
from ..host.said import say
from ..host.sampling.advice import of_adapter
from ..host.sockets import CATEGORY, TOLD_BY_THE_RUN, Adapter, options
from ..motion_modules.adapter_file import content
from ..motion_modules.animatediff_file import as_diffusers, on_the_models_schedule
from ..motion_modules.recurrent import FIRST_AND_MEMORY
from ..motion_modules.released import first_and_memory, load_adapter
from ..motion_modules.writing import write_numbered

_AS_TRAINED = "as trained"
_STRENGTH = "How much of the motion: 0 is the image model itself, 1 the adapter as trained, above 1 exaggerates."

_MASK = (
    "Where the subject is, one mask or one per frame. Only for adapters trained with masks: split ones do without and "
    "may be overruled, conditioned ones want the first frame's."
)
_WHERE = (
    "Where and when this motion acts: white as learnt, black not at all, grey in between. One mask, or one per frame; "
    "several adapters take one each."
)
_OVER_TIME = (
    "How much of the strength each frame gets, 0 to 2, one number per frame: 1, 1, 0.5, 0. Empty: all of it in every "
    "frame."
)
_MODEL = "The image model to move: SD 1.x, SD 2.x or SDXL, of the family the adapter was trained on."
_ADAPTER = (
    "A file or folder in models/motion_adapters, output/motion_adapters or AnimateDiff's own folders. Press R to "
    "refresh the list."
)
_GROUP_NORM = (
    "AnimateDiff only: which frames the group norms see. As trained is what the version's own code does; diffusers "
    "norms the motion module over all frames, whatever the version."
)
_NOISE_SCHEDULE = (
    "AnimateDiff only: as trained sets the noise schedule of the motion module's version on the model; the model's "
    "leaves it as it is."
)
_RECURRENCE = (
    "The recurrent system's released UNets only, which do not tell how they were trained: as the released code trains "
    "them, or with the first frame and the memory alone, as the paper has it."
)
_START_PERCENT = "Where in the sampling the motion begins to act, 0 is the first step."
_END_PERCENT = (
    "Where in the sampling the motion stops acting, 1 is after the last step. The adapter's small change of the "
    "spatial queries stays for the whole run."
)
_FILENAME_PREFIX = "Name of the file, numbered; subfolders with /."
_PRECISION = "Number format of the file. fp16 halves the size and is exact enough for every use."
_FILENAME_OUT = "The name under which Load Motion Adapter lists it."


class LoadMotionAdapter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_LoadMotionAdapter",
            display_name="Load Motion Adapter",
            category=f"{CATEGORY}/loaders",
            description="Loads a motion trained with this pack, a released UNet of LAMP, Tune-A-Video or recurrent "
                        "attention, or an AnimateDiff motion module or motion LoRA, and applies it to a model.",
            search_aliases=["LAMP", "Tune-A-Video", "AnimateDiff", "motion module", "motion lora", "video",
                            "animate", "load motion", "few-shot", "motion adapter", "加载动作", "运动模块"],
            inputs=[
                io.Model.Input("model", tooltip=_MODEL),
                io.Combo.Input("adapter", options=options(folders.adapter_names(), "one into models/motion_adapters"),
                               tooltip=_ADAPTER),
                io.Float.Input("strength", default=1.0, min=0.0, max=2.0, step=0.05, tooltip=_STRENGTH),
                io.Combo.Input("group_norm", options=[_AS_TRAINED, "diffusers"], default=_AS_TRAINED, optional=True,
                               advanced=True, tooltip=_GROUP_NORM),
                io.Combo.Input("noise_schedule", options=[_AS_TRAINED, "the model's"], default=_AS_TRAINED,
                               optional=True, advanced=True, tooltip=_NOISE_SCHEDULE),
                io.Mask.Input("mask", optional=True, tooltip=_MASK),
                io.Combo.Input("recurrence", options=[_AS_TRAINED, FIRST_AND_MEMORY], default=_AS_TRAINED,
                               optional=True, advanced=True, tooltip=_RECURRENCE),
            ],
            outputs=[io.Model.Output(tooltip="The model with its motion layers."),
                     Adapter.Output(display_name="adapter", tooltip="The adapter itself, to apply again or save.")],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, adapter: str = "") -> bool:
        return TOLD_BY_THE_RUN

    @classmethod
    def fingerprint_inputs(cls, adapter: str, **_) -> str:
        return stamp(folders.adapter_path(adapter))

    @classmethod
    def execute(
        cls, model, adapter: str, strength: float, group_norm: str = _AS_TRAINED, noise_schedule: str = _AS_TRAINED,
        mask=None, recurrence: str = _AS_TRAINED
    ) -> io.NodeOutput:  # fmt: skip
        image_unet(model)
        loaded = load_adapter(folders.adapter_path(adapter), base_query(model))
        loaded = loaded if group_norm == _AS_TRAINED else as_diffusers(loaded)
        loaded = loaded if noise_schedule == _AS_TRAINED else on_the_models_schedule(loaded)
        loaded = loaded if recurrence == _AS_TRAINED else first_and_memory(loaded)
        patched = apply_adapter(model, loaded, strength, mask=mask)
        return io.NodeOutput(patched, loaded, ui=say(f"{loaded.describe()}, for {family(model)}"))


class ApplyMotionAdapter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_ApplyMotionAdapter",
            display_name="Apply Motion Adapter",
            category=f"{CATEGORY}/loaders",
            description="Applies a motion adapter to a model; several may be stacked, each with its own strength and "
                        "range of steps.",
            search_aliases=["LAMP", "motion strength", "stack motion", "few-shot", "动作强度"],
            inputs=[
                io.Model.Input("model", tooltip="The image model to move, with or without other adapters."),
                Adapter.Input("adapter", tooltip="From Load Motion Adapter or Train Motion LoRA."),
                io.Float.Input("strength", default=1.0, min=0.0, max=2.0, step=0.05, tooltip=_STRENGTH),
                io.Float.Input("start_percent", default=0.0, min=0.0, max=1.0, step=0.01, advanced=True,
                               tooltip=_START_PERCENT),
                io.Float.Input("end_percent", default=1.0, min=0.0, max=1.0, step=0.01, advanced=True,
                               tooltip=_END_PERCENT),
                io.Mask.Input("mask", optional=True, tooltip=_MASK),
                io.Mask.Input("motion_mask", optional=True, tooltip=_WHERE),
                io.String.Input("over_time", default="", optional=True, advanced=True, tooltip=_OVER_TIME),
            ],
            outputs=[io.Model.Output(tooltip="The model with one motion more.")],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, adapter, strength: float, start_percent: float, end_percent: float, mask=None, motion_mask=None,
        over_time: str = ""
    ) -> io.NodeOutput:  # fmt: skip
        image_unet(model)
        adapter = adapter.relative_to(base_query(model))
        strength, where = over_frames(strength, over_time, motion_mask)
        for remark in of_adapter(strength, where):
            say(remark, warning=True)
        return io.NodeOutput(apply_adapter(model, adapter, strength, start_percent, end_percent, mask, where))


class SaveMotionAdapter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_SaveMotionAdapter",
            display_name="Save Motion Adapter",
            category=f"{CATEGORY}/loaders",
            description="Saves a motion adapter to output/motion_adapters, from where Load Motion Adapter lists it.",
            search_aliases=["save motion", "export motion", "保存动作"],
            inputs=[
                Adapter.Input("adapter", tooltip="From Train Motion LoRA or Load Motion Adapter."),
                io.String.Input("filename_prefix", default="motion", tooltip=_FILENAME_PREFIX),
                io.Combo.Input("precision", options=["fp16", "bf16", "fp32"], default="fp16", advanced=True,
                               tooltip=_PRECISION),
            ],
            outputs=[io.String.Output(display_name="filename", tooltip=_FILENAME_OUT)],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def execute(cls, adapter, filename_prefix: str, precision: str) -> io.NodeOutput:
        dtype = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[precision]
        file = write_numbered(folders.new_files(filename_prefix), content(adapter, dtype))
        name = file.relative_to(folders.saved_folder()).as_posix()
        return io.NodeOutput(name, ui=say(f"{adapter.describe()}, saved as {name}"))


NODES = [LoadMotionAdapter, ApplyMotionAdapter, SaveMotionAdapter]
