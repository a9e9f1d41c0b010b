"""The shipped workflows at the width of real models, small otherwise: a step or two, few frames, pictures of 64 px; and
some of them on SDXL. Every result is looked at by a node of witness.py.
"""

from typing import Any, NamedTuple

from . import model_files, prompt, samples, workflows
from .client import Prompt
from .i3d_weights import FILE as I3D
from .small_runs import SMALL

FRAMES = 4
MODULE_SDXL = "mm_sdxl_v10_beta.ckpt"
ADAPTERS = {"LAMP": "motion_00001_.safetensors", "LAMP with masks": "masks.safetensors",
            "Recurrent": "recurrent.safetensors", "LAMP, SDXL": "lamp_sdxl.safetensors"}  # fmt: skip
# name -> folder in models; width_files.py makes them
FOLDERS = {**{name: folder for name, (folder, _) in model_files.FILES.items() if name != model_files.I3D},
           **dict.fromkeys((*ADAPTERS.values(), MODULE_SDXL), "motion_adapters")}  # fmt: skip
LOOKED_AT = {"IMAGE", "LATENT", "MASK", "CONDITIONING", "LOSS_MAP", "FSM_MOTION_ADAPTER"}
IN_BF16 = ("--bf16-unet", "--bf16-vae", "--bf16-text-enc")  # ComfyUI's options: SDXL takes twice as much in fp32
_EVERYWHERE: dict[str, dict[str, Any]] = {
    **SMALL,
    "FSM_TrainMotionLoRA": {**SMALL["FSM_TrainMotionLoRA"], "steps": 2, "rank": 32, "save_every": 0},
}
_LONG_CLIPS = {"folder": "real_clips"}
_ON_SDXL = {"Checkpoint": {"ckpt_name": model_files.SDXL}}


class Wide(NamedTuple):
    """A workflow at real width: values by title, what it is beside the template's name, words for ComfyUI's command
    line.
    """

    workflow: str
    values: dict[str, dict[str, Any]] = {}
    variant: str = ""
    flags: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """As it stands in the table."""
        return workflows.template(self.workflow) + (f", {self.variant}" if self.variant else "")


_VALUES: dict[str, dict[str, dict[str, Any]]] = {
    "text_to_video_zero": {"Size": {"batch_size": FRAMES}},
    "long_video_ti2v_zero": {"Sampler": {"length": FRAMES + 2}},
    "predict_video_ti2v_zero": {"Known frames": {"batch_index": 1 - FRAMES, "length": FRAMES - 1}},
    "infill_video_ti2v_zero": {"Last picture": {"image": samples.LAST}},
    "text_to_video_recurrent": {"Motion adapter": {"adapter": ADAPTERS["Recurrent"]},
                                "Length and size": {"batch_size": FRAMES}},
    "text_to_video_as_released_recurrent": {"Motion adapter": {"adapter": ADAPTERS["Recurrent"]},
                                            "Length and size": {"batch_size": FRAMES}},
    # in two steps ddim_uniform begins in the middle of the noise
    "text_to_video_zero_as_released": {"Size": {"batch_size": FRAMES}, "Sampler": {"scheduler": "normal"}},
    "animate_between_pictures_lamp": {"Last picture": {"image": samples.LAST}},
    "animate_part_lamp": {"First frame": {"image": samples.MASKED}},
    "edit_video_lamp": {"First frame": {"length": 1}},
    "animate_over_background": {"Motion adapter": {"adapter": ADAPTERS["LAMP with masks"]}},
    "measure_fvd": {"Generated": _LONG_CLIPS, "Real": _LONG_CLIPS,
                    "Distance": {"i3d": I3D.name, "frames": 9, "resamples": 10}},
    "compare_adapters": {"Other motion adapter": {"adapter": model_files.MODULE}},
}  # fmt: skip
RUNS = (
    *(Wide(name, _VALUES.get(name, {}), flags=IN_BF16 if name.startswith("sdxl") else ())
      for name in workflows.names()),
    Wide("animate_image_lamp", {**_ON_SDXL, "Motion adapter": {"adapter": ADAPTERS["LAMP, SDXL"]}},
         "on SDXL", IN_BF16),
    Wide("text_to_video_recurrent", {**_VALUES["text_to_video_recurrent"], **_ON_SDXL,
                                     "Motion adapter": {"adapter": MODULE_SDXL}},
         "AnimateDiff on SDXL", IN_BF16),
)  # fmt: skip


def prompt_of(wide: Wide) -> Prompt:
    """What the API takes: the published form with small sizes, and a witness at every result that holds numbers."""
    graph = workflows.graph(wide.workflow)
    made = graph.api_form()
    for node in made.values():
        values = _EVERYWHERE.get(node["class_type"], {})
        node["inputs"].update({key: value for key, value in values.items() if key in node["inputs"]})
    for title, values in wide.values.items():
        prompt.set_inputs(made, title, **values)
    for node in graph.nodes:
        for number, kind in enumerate(node.kind.results.values()):
            if kind in LOOKED_AT:
                made[f"witness {node.id} {number}"] = {"class_type": "Witness",
                                                       "inputs": {"value": [str(node.id), number]}}  # fmt: skip
    return made


def files_of(made: Prompt) -> list[str]:
    """Paths under models/ of the files that a prompt names."""
    named = {value for node in made.values() for value in node["inputs"].values() if isinstance(value, str)}
    return sorted(f"{FOLDERS[name]}/{name}" for name in named & FOLDERS.keys())
