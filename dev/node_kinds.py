"""The node types our workflows use, as ComfyUI knows them: sockets, widgets in the node's order, their values."""

from dataclasses import dataclass
from typing import Any

from .model_files import BIREFNET, CANNY, CLIP, DOMAIN, I3D, RAFT, SD15

SIZE = {"width": 512, "height": 320}  # the LAMP paper's
ALIKE = "COMFY_MATCHTYPE_V3"  # a socket whose type is what is connected to another one of its node
SDXL_SIZE = {"width": 1280, "height": 800}  # the same shape at about the number of pixels SDXL was trained on


@dataclass(frozen=True)
class Kind:
    """A node type. Sockets are words `name:TYPE`, `?` after an optional one; widgets and their values stand in the
    node's own order.

    tests/comfy/test_workflows_on_server.py holds this against /object_info.
    """

    inputs: str
    widgets: dict[str, Any]
    outputs: str
    pack: str = "comfy-core"

    @property
    def sockets(self) -> dict[str, str]:
        """Name -> type of what goes in; several types with a comma between."""
        return dict(word.rstrip("?").split(":") for word in self.inputs.split())

    @property
    def results(self) -> dict[str, str]:
        """Name -> type of what comes out."""
        return dict(word.split(":") for word in self.outputs.split())

    def is_optional(self, socket: str) -> bool:
        """Whether the node runs with nothing connected there."""
        return any(word.endswith("?") and word.startswith(f"{socket}:") for word in self.inputs.split())


def _ours(inputs: str, widgets: dict[str, Any], outputs: str) -> Kind:
    return Kind(inputs, widgets, outputs, "few-shot-motion")


_HOW = {"sampler_name": "euler", "scheduler": "normal"}
_TRAINING = {"method": "LAMP", "frames": 0, "steps": 0, "learning_rate": 0.0, "rank": -1, "seed": 0,
             "name": "motion", **SIZE,
             "batch_size": 1, "query_rate": 0.1, "frame_step": 1, "flip": False, "group_norm": "joint",
             "precision": "auto",
             "gradient_checkpointing": True, "save_every": 0, "resume": False, "weighting": "balanced",
             "mask_input": "x0", "mask_weight": 1.0,
             "mask_weighting": "noise level", "mask_targets": "hard", "split": False, "split_weight": 0.1,
             "lr_schedule": "constant",
             "recurrence": "fixed", "motion_convolutions": False,
             "recipe": "fast", "fps": 8.0, "sample_every": 250}  # fmt: skip
_SLIDING = {"length": 16, "preset": "balanced", "seed": 0, "cfg": 9.0, "window": 16, "queue": "latent",
            "sampler_name": "euler",
            "scheduler": "ddim_uniform", "steps": 10, "resample": 4, "resample_start": 0.0, "resample_end": 1.0,
            "new_frames": 1, "context": 0,
            "inversion": True, "end": "clean", "batch": "frames of one clip"}  # fmt: skip
KINDS = {
    "CheckpointLoaderSimple": Kind("", {"ckpt_name": SD15}, "MODEL:MODEL CLIP:CLIP VAE:VAE"),
    "LoraLoader": Kind("model:MODEL clip:CLIP", {"lora_name": DOMAIN, "strength_model": 1.0, "strength_clip": 1.0},
                       "MODEL:MODEL CLIP:CLIP"),
    "LoadVideo": Kind("", {"file": "example.mp4"}, "VIDEO:VIDEO"),
    "GetVideoComponents": Kind("video:VIDEO", {}, "images:IMAGE audio:AUDIO fps:FLOAT bit_depth:INT"),
    "ImageFromBatch": Kind("image:IMAGE", {"batch_index": 0, "length": 1}, "IMAGE:IMAGE"),
    "ImageToMask": Kind("image:IMAGE", {"channel": "red"}, "MASK:MASK"),
    "MaskToImage": Kind("mask:MASK", {}, "IMAGE:IMAGE"),
    "LoadBackgroundRemovalModel": Kind("", {"bg_removal_name": BIREFNET}, "bg_model:BACKGROUND_REMOVAL"),
    "RemoveBackground": Kind("bg_removal_model:BACKGROUND_REMOVAL image:IMAGE", {}, "mask:MASK"),
    "ThresholdMask": Kind("mask:MASK", {"value": 0.5}, "MASK:MASK"),
    "RepeatImageBatch": Kind("image:IMAGE", {"amount": 16}, "IMAGE:IMAGE"),
    "ImageCompositeMasked": Kind("destination:IMAGE source:IMAGE mask:MASK?", {"x": 0, "y": 0, "resize_source": False},
                                 "IMAGE:IMAGE"),
    "Canny": Kind("image:IMAGE", {"low_threshold": 0.4, "high_threshold": 0.8}, "IMAGE:IMAGE"),
    "ControlNetLoader": Kind("", {"control_net_name": CANNY}, "CONTROL_NET:CONTROL_NET"),
    "ControlNetApplyAdvanced": Kind("positive:CONDITIONING negative:CONDITIONING control_net:CONTROL_NET image:IMAGE "
                                    "vae:VAE?",
                                    {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0},
                                    "positive:CONDITIONING negative:CONDITIONING"),
    "OpticalFlowLoader": Kind("", {"model_name": RAFT}, "OPTICAL_FLOW:OPTICAL_FLOW"),
    "PrimitiveStringMultiline": Kind("", {"value": ""}, "STRING:STRING"),
    "PreviewImage": Kind("images:IMAGE", {}, "images:IMAGE"),
    "PreviewAny": Kind("source:*", {}, "STRING:STRING"),
    "LoadImage": Kind("", {"image": "example.png"}, "IMAGE:IMAGE MASK:MASK"),
    "CLIPTextEncode": Kind("clip:CLIP", {"text": ""}, "CONDITIONING:CONDITIONING"),
    "EmptyLatentImage": Kind("", {**SIZE, "batch_size": 1}, "LATENT:LATENT"),
    "ImageScale": Kind("image:IMAGE", {"upscale_method": "lanczos", **SIZE, "crop": "center"}, "IMAGE:IMAGE"),
    "VAEEncode": Kind("pixels:IMAGE vae:VAE", {}, "LATENT:LATENT"),
    "VAEDecode": Kind("samples:LATENT vae:VAE", {}, "IMAGE:IMAGE"),
    "KSampler": Kind("model:MODEL positive:CONDITIONING negative:CONDITIONING latent_image:LATENT",
                     {"seed": 0, "steps": 30, "cfg": 7.5, **_HOW, "denoise": 1.0}, "LATENT:LATENT"),
    "KSamplerAdvanced": Kind("model:MODEL positive:CONDITIONING negative:CONDITIONING latent_image:LATENT",
                             {"add_noise": "enable", "noise_seed": 0, "steps": 30, "cfg": 7.5, **_HOW,
                              "start_at_step": 0, "end_at_step": 10000,
                              "return_with_leftover_noise": "disable"}, "LATENT:LATENT"),
    "CFGGuider": Kind("model:MODEL positive:CONDITIONING negative:CONDITIONING", {"cfg": 7.5}, "GUIDER:GUIDER"),
    "KSamplerSelect": Kind("", {"sampler_name": "euler"}, "SAMPLER:SAMPLER"),
    "BasicScheduler": Kind("model:MODEL", {"scheduler": "normal", "steps": 30, "denoise": 1.0}, "SIGMAS:SIGMAS"),
    "SamplerCustomAdvanced": Kind("noise:NOISE guider:GUIDER sampler:SAMPLER sigmas:SIGMAS latent_image:LATENT", {},
                                  "output:LATENT denoised_output:LATENT"),
    "CreateVideo": Kind("images:IMAGE audio:AUDIO?", {"fps": 8.0, "bit_depth": 8}, "VIDEO:VIDEO"),
    "SaveVideo": Kind("video:VIDEO", {"filename_prefix": "video/motion", "format": "auto", "codec": "auto"},
                      "video:VIDEO"),
    "LossGraphNode": Kind("loss:LOSS_MAP", {"filename_prefix": "loss_graph"}, ""),
    "FSM_LoadClips": _ours("", {"folder": "my_clips", "caption": ""}, "clips:VIDEO captions:STRING"),
    "FSM_LoadMotionAdapter": _ours("model:MODEL mask:MASK?",
                                   {"adapter": "motion_00001_.safetensors", "strength": 1.0, "group_norm": "as trained",
                                                   "noise_schedule": "as trained", "recurrence": "as trained"},
                                   "MODEL:MODEL adapter:FSM_MOTION_ADAPTER"),
    "FSM_SaveMotionAdapter": _ours("adapter:FSM_MOTION_ADAPTER", {"filename_prefix": "motion", "precision": "fp16"},
                                   "filename:STRING"),
    "FSM_FrameNoise": _ours("",
                            {"seed": 0, "strategy": "shared", "alpha": 0.2, "keep_unit_variance": False, "move_x": 0.0,
                             "move_y": 0.0},
                            "NOISE:NOISE"),
    "FSM_FirstFrameKSampler": _ours("model:MODEL positive:CONDITIONING negative:CONDITIONING first_frame:LATENT "
                                    "noise:NOISE? motion_mask:MASK? clip:LATENT? last_frame:LATENT?",
                                    {"length": 16, "seed": 0, "steps": 30, "cfg": 9.0, **_HOW,
                                     "statistics": "match at the end", "denoise": 1.0, "loop": False},
                                    "LATENT:LATENT"),
    "FSM_MatchFirstFrame": _ours(f"clip:{ALIKE}", {"from_frame": 1}, f"clip:{ALIKE}"),
    "FSM_RepeatAndSlideSampler": _ours("model:MODEL positive:CONDITIONING negative:CONDITIONING frames:IMAGE,LATENT "
                                       "vae:VAE? "
                                       "end_frames:IMAGE,LATENT? known_frames:MASK?", _SLIDING,
                                       "LATENT:LATENT IMAGE:IMAGE"),
    "FSM_TextToVideoZero": _ours("model:MODEL masks:MASK?",
                                 {"move_x": 12.0, "move_y": 0.0, "t0": 881, "t1": 941, "background_smoothing": 0.6,
                                  "by_size": True},
                                 "MODEL:MODEL"),
    "FSM_TrainMotionLoRA": _ours("model:MODEL vae:VAE clips:VIDEO,IMAGE positive:CONDITIONING captions:STRING? "
                                 "masks:MASK? settings:FSM_TRAINING_SETTINGS?",
                                 _TRAINING, "adapter:FSM_MOTION_ADAPTER loss_map:LOSS_MAP "
                                            "mask_predictor:FSM_MASK_PREDICTOR"),
    "FSM_PredictMask": _ours("mask_predictor:FSM_MASK_PREDICTOR,FSM_MOTION_ADAPTER latent:LATENT", {"size": "picture"},
                             "MASK:MASK"),
    "FSM_ApplyMotionAdapter": _ours("model:MODEL adapter:FSM_MOTION_ADAPTER mask:MASK? motion_mask:MASK?",
                                    {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "over_time": ""},
                                    "MODEL:MODEL"),
    "FSM_DDIMInversion": _ours("model:MODEL positive:CONDITIONING latent_image:LATENT negative:CONDITIONING?",
                               {"steps": 50, "scheduler": "ddim_uniform", "first_frame": "inverted", "cfg": 1.0},
                               "LATENT:LATENT NOISE:NOISE"),
    "FSM_ClipVideoMetrics": _ours("videos:VIDEO,IMAGE prompts:STRING? clip:CLIP? clip_vision:CLIP_VISION?",
                                  {"clip_file": CLIP, "activation": "auto",
                                   "table": ""},
                                  "alignment:FLOAT clip_temp:FLOAT consistency:FLOAT diversity:FLOAT report:STRING "
                                  "curves:IMAGE"),
    "FSM_WarpingError": _ours("videos:VIDEO,IMAGE optical_flow:OPTICAL_FLOW?", {"variant": "Lai et al.", "table": ""},
                              "error:FLOAT motion:FLOAT visible:FLOAT report:STRING picture:IMAGE curves:IMAGE"),
    "FSM_FirstFrameJump": _ours("videos:VIDEO,IMAGE", {"table": ""}, "luminance_jump:FLOAT colour_jump:FLOAT "
                                                                     "report:STRING curves:IMAGE"),
    "FSM_FrechetVideoDistance": _ours("videos:VIDEO,IMAGE reference:VIDEO,IMAGE? video_groups:STRING? "
                                      "reference_groups:STRING?",
                                      {"i3d": I3D, "frames": 16, "kept_reference": "none",
                                       "keep_reference_as": "",
                                       "resamples": 100, "table": "", "resize": "original (TF1)",
                                       "frame_choice": "the first", "crop": "whole picture"},
                                      "fvd:FLOAT group_mean:FLOAT group_spread:FLOAT report:STRING picture:IMAGE"),
}  # fmt: skip
SEEDS = {"seed", "noise_seed"}  # behind a seed's value the browser keeps what is done with it after a run
UPLOADS = {"LoadImage", "LoadVideo"}  # behind their file's name the browser keeps one value more, "image"
