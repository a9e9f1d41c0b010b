"""What a workflow says differently where the miniature runs it: by node type, and by title for each workflow.

Files in the input folder are those of dev/samples.py.
"""

from typing import Any

from ..samples import BACKGROUND, EDITED, LAST, MASKED

_SIZE = {"width": 128, "height": 128}
_MOVES, _RECURRENT, _PRIOR, _WORDS, _TO_AN_END, _LOOP = (
    f"miniature_{name}.safetensors"
    for name in ("moves_right", "recurrent", "motion", "words", "moves_right_to_an_end", "orbits")
)
_CAPTION, _NEW_CAPTION = "a red ball on grass moves right", "a blue ball on grass moves right"
_LEARN = {**_SIZE, "steps": 40, "learning_rate": 1e-3, "gradient_checkpointing": False}
EVERYWHERE: dict[str, dict[str, Any]] = {
    "CheckpointLoaderSimple": {"ckpt_name": "miniature.safetensors"},
    "FSM_LoadMotionAdapter": {"adapter": _MOVES},
    "EmptyLatentImage": _SIZE,
    "ImageScale": _SIZE,
    "KSampler": {"steps": 10, "cfg": 2.0},
    "FSM_FirstFrameKSampler": {"steps": 10, "cfg": 2.0},
    "FSM_TrainMotionLoRA": _LEARN,
    "FSM_ClipVideoMetrics": {"clip_file": "miniature_clip.safetensors"},
    "Prompt": {"text": _CAPTION},
    "First-frame prompt": {"text": "a red ball on grass"},
    "Words": {"value": _CAPTION},
}  # fmt: skip
_TI2V = {"Motion's LoRA": {"lora_name": _WORDS}, "Motion adapter": {"adapter": _PRIOR},
         "Sampler": {"preset": "fast", "cfg": 3.0, "window": 8, "length": 12}}  # fmt: skip
_NO_LCM = {"lora_name": _WORDS, "strength_model": 0.0, "strength_clip": 0.0}  # the miniature's four steps are its own
_EDIT = {"Caption": {"text": _CAPTION}, "Prompt": {"text": _NEW_CAPTION}, "Frames": {"length": 8},
         "Train": {**_LEARN, "frames": 8}, "Inversion": {"steps": 20}}  # fmt: skip
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "text_to_video_zero": {
        "Prompt": {"text": "a blue box on sand"},
        "Motion": {"move_x": 8.0},
        "Size": {**_SIZE, "batch_size": 8},
        "Sampler": {"seed": 3, "steps": 10, "cfg": 3.0, "sampler_name": "dpmpp_2m", "scheduler": "karras"},
    },
    "image_to_video_ti2v_zero": _TI2V,
    "long_video_ti2v_zero": {**_TI2V, "Sampler": {**_TI2V["Sampler"], "length": 16}},
    "predict_video_ti2v_zero": {
        **_TI2V,
        "Known frames": {"batch_index": -7, "length": 7},
        "Sampler": {**_TI2V["Sampler"], "length": 13},
    },
    "infill_video_ti2v_zero": {**_TI2V, "Last picture": {"image": LAST}},
    "text_to_video_recurrent": {"Motion adapter": {"adapter": _RECURRENT}, "Steps": {"steps": 10},
                                "Guidance": {"cfg": 2.0}},
    "edit_video_lamp": {**_EDIT, "First frame": {"image": EDITED},
                        "Sampler": {"length": 8, "steps": 20, "cfg": 2.0}},
    "edit_video_tune_a_video": {**_EDIT, "Sampler": {"steps": 20, "cfg": 3.0}},
    "animate_over_background": {"Background": {"image": BACKGROUND}},
    "train_motion_masks": {"Train": {**_LEARN, "steps": 20}},
    "masks_from_background_removal": {"Train": {**_LEARN, "steps": 20}},
    "measure_fvd": {"Distance": {"i3d": "i3d_kinetics_400.safetensors", "frames": 9, "resamples": 10}},
    "animate_part_lamp": {"First frame": {"image": MASKED}},
    "animate_then_refine_lamp": {
        **{name: {"width": 192, "height": 192} for name in ("Scale clip", "Scale first frame")}, "Refine": {"steps": 5}
    },
    "animate_image_few_steps_lamp": {"LCM LoRA": _NO_LCM, "Sampler": {"steps": 4, "cfg": 1.0}},
    "image_to_video_few_steps_ti2v_zero": {
        "LCM LoRA": {"lora_name": _WORDS}, "Motion adapter": {"adapter": _PRIOR},
        "Sampler": {"cfg": 3.0, "window": 8, "length": 12}
    },
    "text_to_video_as_released_recurrent": {"Motion adapter": {"adapter": _RECURRENT}, "Guidance": {"cfg": 2.0}},
    "text_to_video_zero_as_released": {  # its timesteps are for 512 px, where 3 px of 128 are its 12
        "Prompt": {"text": "a blue box on sand"},
        "Motion": {"move_x": -3.0, "move_y": -3.0, "by_size": True},
        "Size": {**_SIZE, "batch_size": 8},
        "Sampler": {"seed": 3, "steps": 10, "cfg": 3.0},
    },
    "animate_between_pictures_lamp": {"Motion adapter": {"adapter": _TO_AN_END}, "Last picture": {"image": LAST},
                                      "Noise": {"seed": 2}},
    "loop_image_lamp": {"Motion adapter": {"adapter": _LOOP}, "Prompt": {"text": "a red ball on grass orbits"},
                        "Noise": {"seed": 3}},
    "compare_adapters": {"Other motion adapter": {"adapter": _PRIOR}},
}  # fmt: skip


def settings_of(name: str) -> dict[str, dict[str, Any]]:
    """Values by node type and by title for one workflow."""
    return {**EVERYWHERE, **SETTINGS.get(name, {})}
