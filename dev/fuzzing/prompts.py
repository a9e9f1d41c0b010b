"""A small prompt for each of our nodes, made from what the server says of it: what goes in, the node, and what looks at
what comes out.
"""

import json
from collections.abc import Iterator
from typing import Any

from ..client import Prompt

SUBJECT, LOOK = "subject", "look"
OURS = "FSM_"
SMALL: dict[str, dict[str, Any]] = {  # widgets in place of their defaults
    "FSM_LoadMotionAdapter": {"adapter": "miniature_moves_right.safetensors"},
    "FSM_LoadModelScope": {"unet": "no_unet.safetensors"},
    "FSM_FirstFrameConditioning": {"length": 4},
    "FSM_FirstFrameKSampler": {"length": 4, "steps": 2, "cfg": 2.0},
    "FSM_DDIMInversion": {"steps": 2},
    "FSM_RepeatAndSlideSampler": {"length": 4, "preset": "custom", "steps": 2, "resample": 1, "window": 4, "cfg": 2.0},
    "FSM_SamplerRepeatAndSlide": {"window": 4, "resample": 1},
    "FSM_TextToVideoZero": {"t0": 300, "t1": 400},
    "FSM_LoadClips": {"folder": "clips"},
    "FSM_TrainMotionLoRA": {"frames": 4, "steps": 1, "rank": 2, "gradient_checkpointing": False, "sample_every": 0,
                            "recipe": "custom", "precision": "fp32", "name": "fuzz"},
    "FSM_SamplerFrameNoise": {"alpha": 0.5},
    "FSM_ClipVideoMetrics": {"clip_file": "miniature_clip.safetensors"},
    "FSM_FrechetVideoDistance": {"i3d": "fuzz_i3d.pt", "frames": 9, "resamples": 2},
    "FSM_SaveMotionAdapter": {"filename_prefix": "fuzz"},
}  # fmt: skip
CONNECTED = {"FSM_FrechetVideoDistance": ["reference"], "FSM_RepeatAndSlideSampler": ["vae"],
             "FSM_ClipVideoMetrics": ["prompts"], "FSM_TrainMotionLoRA": ["masks"]}  # fmt: skip
_STILL = ("FSM_LoadMotionAdapter", "FSM_ApplyMotionAdapter", "FSM_TextToVideoZero", "FSM_TrainMotionLoRA")
_BASES = {"frames": ["picture"], "first_frame": ["first latent"], "clips": ["clip", "other clip"],
          "videos": ["clip", "other clip"], "reference": ["other clip", "clip"], "prompts": ["words", "other words"],
          "captions": ["words", "other words"], "video_groups": ["words", "words"],
          "reference_groups": ["words", "words"], "known_frames": ["masks"], "mask": ["one mask"],
          "end_frames": ["picture"], "FSM_TrainMotionLoRA.masks": ["masks", "masks"],
          "sample_image": ["picture"]}  # fmt: skip
_OF_TYPE = {"IMAGE": ["clip"], "LATENT": ["latents"], "MASK": ["masks"], "STRING": ["words"]}
_LINKS = {"CLIP": ["checkpoint", 1], "VAE": ["checkpoint", 2], "CONDITIONING": ["positive", 0],
          "SAMPLER": ["ancestral", 0], "NOISE": ["noise", 0], "FSM_MOTION_ADAPTER": ["learnt", 1],
          "FSM_MASK_PREDICTOR": ["learnt", 1], "FSM_TRAINING_SETTINGS": ["settings", 0]}  # fmt: skip


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """A node of a prompt in its API form."""
    return {"class_type": kind, "inputs": inputs}


def bend(how: dict[str, Any], **value: Any) -> dict[str, Any]:
    """The helper's node that emits or bends a value."""
    return node("FSMFuzzBend", how=json.dumps(how), **value)


_CHECKPOINT = {"ckpt_name": "miniature.safetensors"}
_AROUND = {
    "checkpoint": node("CheckpointLoaderSimple", **_CHECKPOINT),
    "positive": node("CLIPTextEncode", clip=["checkpoint", 1], text="a red ball on grass"),
    "negative": node("CLIPTextEncode", clip=["checkpoint", 1], text=""),
    "ancestral": node("KSamplerSelect", sampler_name="euler_ancestral"),
    "euler": node("KSamplerSelect", sampler_name="euler"),
    "noise": node("RandomNoise", noise_seed=1),
    "moving": node("FSM_LoadMotionAdapter", model=["checkpoint", 0], adapter="miniature_motion.safetensors",
                   strength=1.0),
    "learnt": node("FSM_LoadMotionAdapter", model=["checkpoint", 0], adapter="fuzz_masks.safetensors", strength=1.0),
    "clip 4": bend({"base": ["latents"]}),
}  # fmt: skip


def surroundings() -> Prompt:
    """The nodes that ours are connected to, fresh to be changed."""
    return {key: {**value, "inputs": dict(value["inputs"])} for key, value in _AROUND.items()}


def source(node_id: str, name: str, kinds: list[str]) -> Any:
    """What to connect to an input before anything is bent: a link, or a node of its own; None for neither."""
    if base := _BASES.get(f"{node_id}.{name}") or _BASES.get(name) or _OF_TYPE.get(kinds[0]):
        return bend({"base": base})
    if kinds[0] == "MODEL":
        return ["checkpoint" if node_id in _STILL else "moving", 0]
    if kinds[0] == "COMFY_MATCHTYPE_V3":
        return bend({"base": ["clip"]})
    return _LINKS.get(kinds[0])


def inputs_of(info: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """A node's inputs as /object_info tells them: name, type, options, and whether it is optional."""
    for group in ("required", "optional"):
        for name, (kind, *options) in info["input"].get(group, {}).items():
            yield name, kind, options[0] if options else {}, group == "optional"


def is_widget(kind: str, options: dict[str, Any]) -> bool:
    """Whether an input has a widget; what is forced to be a socket has none."""
    return kind in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO") and not options.get("forceInput")


def first_value(kind: str, options: dict[str, Any]) -> Any:
    """What a widget shows at first."""
    if "default" in options and options["default"] is not None:
        return options["default"]
    return (options["options"] or [""])[0] if kind == "COMBO" else {"INT": 0, "FLOAT": 0.0}.get(kind, "")


def prompt(node_id: str, info: dict[str, Any]) -> Prompt:
    """The node with everything it needs around it."""
    inputs: dict[str, Any] = {}
    made = surroundings()
    for name, kind, options, optional in inputs_of(info):
        if is_widget(kind, options):
            if not optional:
                inputs[name] = first_value(kind, options)
        elif not optional or name in CONNECTED.get(node_id, []):
            connect(made, inputs, node_id, name, kind)
    inputs |= SMALL.get(node_id, {})
    made[SUBJECT] = node(node_id, **inputs)
    _followed(made, info["output"])
    return _needed(made)


def connect(made: Prompt, inputs: dict[str, Any], node_id: str, name: str, kind: str) -> None:
    """Link an input to its source."""
    given = source(node_id, name, kind.split(","))
    if isinstance(given, dict):
        made[f"{name} of its own"] = given
        given = [f"{name} of its own", 0]
    if given is not None:
        inputs[name] = given


def _followed(made: Prompt, outputs: list[str]) -> None:
    """What comes out is sampled with where it is no pictures yet, and looked at."""
    seen: dict[str, Any] = {}
    for i in range(min(6, len(outputs))):
        seen[f"value{i}"] = [SUBJECT, i]
    if "MODEL" in outputs and made[SUBJECT]["class_type"] != "FSM_LoadModelScope":
        latent = [SUBJECT, outputs.index("LATENT")] if "LATENT" in outputs else ["clip 4", 0]
        made["sampled"] = node("KSampler", model=[SUBJECT, outputs.index("MODEL")], positive=["positive", 0],
                               negative=["negative", 0], latent_image=latent, seed=1, steps=3, cfg=2.0,
                               sampler_name="euler", scheduler="normal", denoise=1.0)  # fmt: skip
        seen["value7"] = ["sampled", 0]
    elif "SAMPLER" in outputs or outputs == ["NOISE"]:
        made["sigmas"] = node("BasicScheduler", model=["moving", 0], scheduler="normal", steps=2, denoise=1.0)
        made["guider"] = node(
            "CFGGuider", model=["moving", 0], positive=["positive", 0], negative=["negative", 0], cfg=2.0
        )
        made["sampled"] = node("SamplerCustomAdvanced", guider=["guider", 0], sigmas=["sigmas", 0],
                               noise=[SUBJECT, 0] if outputs == ["NOISE"] else ["noise", 0],
                               sampler=[SUBJECT, 0] if "SAMPLER" in outputs else ["euler", 0],
                               latent_image=["clip 4", 0])  # fmt: skip
        seen["value7"] = ["sampled", 0]
    elif "FSM_TRAINING_SETTINGS" in outputs:
        train = {
            **SMALL["FSM_TrainMotionLoRA"],
            "method": "LAMP",
            "learning_rate": 1e-3,
            "seed": 0,
            "width": 0,
            "height": 0,
        }
        hidden = {"batch_size": 1, "query_rate": 0.1, "frame_step": 1, "flip": False, "group_norm": "joint",
                  "save_every": 0}  # fmt: skip
        made["clips"] = bend({"base": ["clip", "other clip"]})
        made["learns"] = node("FSM_TrainMotionLoRA", model=["checkpoint", 0], vae=["checkpoint", 2], clips=["clips", 0],
                              positive=["positive", 0], settings=[SUBJECT, 0], **train, **hidden)  # fmt: skip
        seen["value7"] = ["learns", 1]
    made[LOOK] = node("FSMFuzzLook", **seen)


def _needed(made: Prompt) -> Prompt:
    """What the looking node needs, and nothing else."""
    waiting, found = [LOOK], {}
    while waiting:
        key = waiting.pop()
        if key not in found:
            found[key] = made[key]
            waiting += [value[0] for value in made[key]["inputs"].values() if isinstance(value, list)]
    return found
