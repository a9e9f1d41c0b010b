"""Nodes for repeat-and-slide (TI2V-Zero): animate a picture, continue a clip, fill the gaps of one, with any model
whose frames see each other.
"""

import comfy.samplers
import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..host.said import say
from ..host.sampling.given_frames import PixelQueue, given_clips, need_vae
from ..host.sampling.presets import PRESETS
from ..host.sampling.slide_samplers import ClipSampler, make
from ..host.sampling.sliding import STEPWISE, Settings, is_video, schedule
from ..host.sockets import CATEGORY
from ..samplers.slides import plan_slides

_ENDS = {"clean": "clean", "smallest": "smallest sigma (official)"}
_BATCH = {"one": "frames of one clip", "each": "first frames of several clips"}
_MODEL = (
    "A model whose frames see each other: with an AnimateDiff module or another adapter of Load Motion Adapter, from "
    "Load ModelScope T2V, or patched by another pack."
)
_WINDOW = "Frames the model sees at once, 2 or more: what it was trained for, 16 for ModelScope and AnimateDiff."
_CONTEXT = (
    "Known frames the model sees before the new ones. 0: all the window but the new frames, 15 of 16 in the paper's "
    "code."
)
_NEW = (
    "Frames taken from each slide. 1 is the paper; each more divides the time, but new frames of one slide agree with "
    "each other first."
)
_RESAMPLE = (
    "How often each step is undone by noise and taken again, which makes new frames agree with known ones. 0 is off, "
    "the paper takes 4."
)
_RESAMPLE_START = "Where in the sampling resampling begins, 0 is the first step."
_RESAMPLE_END = "Where in the sampling resampling ends, 1 is after the last step."
_INVERSION = (
    "Start new frames from their nearest known frame under noise instead of from noise alone. Off only to see what it "
    "is good for."
)
_NO_PICTURES = "There are no pictures without a VAE: connect one to Repeat-and-Slide TI2V Sampler."
_SAMPLER = "Samplers that remember nothing between steps; euler is DDIM, the paper's."
_FRAMES = "One picture to animate, several to continue, or with a mask all frames of a clip; pictures need the VAE."
_LENGTH = "Frames of the clip, the given ones included. Memory of the sampling does not grow with it."
_PRESET = (
    "exact: the paper, 50 calls of the model per new frame. balanced: 20. fast: 5. custom: as set below. Presets set "
    "steps, resample, resample_start, resample_end and new_frames."
)
_SEED = (
    "Seed of all noise; the next clip of a batch takes the next seed. With one new frame per slide and context 0 a "
    "longer clip begins like a shorter one."
)
_CFG = "Classifier-free guidance, 1 is off. The paper takes 9."
_QUEUE = "How new frames become known: as latents (the paper), or decoded and encoded again (its code; needs the VAE)."
_SCHEDULER = (
    "Any of ComfyUI's schedules; ddim_uniform is the paper's. One that starts from pure noise starts later, and says "
    "so."
)
_STEPS = "Sampling steps per slide, for the preset custom."
_END = "Where sampling ends: at no noise, or at the model's smallest noise as the paper's code."
_SEVERAL = (
    "What several frames are: one clip's, oldest first, or the first frames of as many clips, made one after the other."
)
_VAE = "The model's VAE: for pictures in, pictures out, and the pixel queue."
_END_FRAMES = "Frames the clip ends with; what lies between is filled in."
_KNOWN_FRAMES = "One mask per frame of the clip, white where the frame given is known, black where it is to be made."
_LATENT_OUT = "The clip; given frames bit for bit, unless they went through the VAE on their way in."
_IMAGE_OUT = "The clip as pictures, where a VAE is connected; given pictures as they were."
_SAMPLER_OUT = (
    "For SamplerCustomAdvanced, whose latent is the whole clip: its noise mask is black over known frames; without one "
    "the first frame is known."
)


class RepeatAndSlideSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_RepeatAndSlideSampler",
            display_name="Repeat-and-Slide TI2V Sampler",
            category=f"{CATEGORY}/sampling",
            description="Animates a picture without training, continues a clip, or fills its gaps, with a model that "
                        "only knows text to video (TI2V-Zero).",
            search_aliases=["TI2V-Zero", "image to video", "animate image", "i2v", "video prediction", "infilling",
                            "interpolation", "long video", "img2vid", "img2video", "last frame", "first last frame",
                            "extend video", "continue video", "loop", "gif", "animation", "图生视频", "首尾帧", "循环",
                            "续写视频", "长视频", "补帧"],
            inputs=[
                io.Model.Input("model", tooltip=_MODEL),
                io.Conditioning.Input("positive", tooltip="What is to be seen, and how it moves."),
                io.Conditioning.Input("negative", tooltip="What is not to be seen; the paper leaves it empty."),
                io.MultiType.Input("frames", types=[io.Image, io.Latent], tooltip=_FRAMES),
                io.Int.Input("length", default=16, min=1, max=4096, tooltip=_LENGTH),
                io.Combo.Input("preset", options=[*PRESETS, "custom"], default="balanced", tooltip=_PRESET),
                io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=True,
                             tooltip=_SEED),
                io.Float.Input("cfg", default=9.0, min=0.0, max=100.0, step=0.1, round=0.01, tooltip=_CFG),
                io.Int.Input("window", default=16, min=2, max=1024, tooltip=_WINDOW),
                io.Combo.Input("queue", options=["latent", "pixel"], default="latent", tooltip=_QUEUE),
                io.Combo.Input("sampler_name", options=list(STEPWISE), default="euler", advanced=True,
                               tooltip=_SAMPLER),
                io.Combo.Input("scheduler", options=comfy.samplers.KSampler.SCHEDULERS, default="ddim_uniform",
                               advanced=True, tooltip=_SCHEDULER),
                io.Int.Input("steps", default=10, min=1, max=1000, advanced=True, tooltip=_STEPS),
                io.Int.Input("resample", default=4, min=0, max=100, advanced=True,
                             tooltip=_RESAMPLE + " For the preset custom."),
                io.Float.Input("resample_start", default=0.0, min=0.0, max=1.0, step=0.01, advanced=True,
                               tooltip=_RESAMPLE_START + " For the preset custom."),
                io.Float.Input("resample_end", default=1.0, min=0.0, max=1.0, step=0.01, advanced=True,
                               tooltip=_RESAMPLE_END + " For the preset custom."),
                io.Int.Input("new_frames", default=1, min=1, max=1023, advanced=True,
                             tooltip=_NEW + " For the preset custom."),
                io.Int.Input("context", default=0, min=0, max=1023, advanced=True, tooltip=_CONTEXT),
                io.Boolean.Input("inversion", default=True, advanced=True, tooltip=_INVERSION),
                io.Combo.Input("end", options=list(_ENDS.values()), default=_ENDS["clean"], advanced=True,
                               tooltip=_END),
                io.Combo.Input("batch", options=list(_BATCH.values()), default=_BATCH["one"], advanced=True,
                               tooltip=_SEVERAL),
                io.Vae.Input("vae", optional=True, tooltip=_VAE),
                io.MultiType.Input("end_frames", types=[io.Image, io.Latent], optional=True, tooltip=_END_FRAMES),
                io.Mask.Input("known_frames", optional=True, tooltip=_KNOWN_FRAMES),
            ],
            outputs=[io.Latent.Output(tooltip=_LATENT_OUT),
                     io.Image.Output(tooltip=_IMAGE_OUT)],
        )  # fmt: skip

    @classmethod
    def execute(cls, model, positive, negative, frames, length: int, preset: str, seed: int, cfg: float, window: int,
                queue: str, sampler_name: str, scheduler: str, steps: int, resample: int, resample_start: float,
                resample_end: float, new_frames: int, context: int, inversion: bool, end: str, batch: str, vae=None,
                end_frames=None, known_frames=None) -> io.NodeOutput:  # fmt: skip
        if preset != "custom":
            steps, resample, resample_end, new_frames = PRESETS[preset]
            resample_start, new_frames = 0.0, min(new_frames, max(1, window - 1))
        settings = Settings(
            comfy.samplers.sampler_object(sampler_name), resample, resample_start, resample_end, inversion
        )
        if queue == "pixel":
            need_vae(vae, "the queue is of pixels")
        known, clips = given_clips(vae, frames, end_frames, known_frames, length, batch == _BATCH["each"])
        slides = plan_slides(known, window, context or max(1, window - new_frames), new_frames)
        sigmas = schedule(model, scheduler, steps, inversion, end == _ENDS["smallest"])
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(positive, negative)
        guider.set_cfg(cfg)
        calls = make(guider, sigmas, slides, clips, settings, seed, PixelQueue(vae) if queue == "pixel" else None)
        latents = torch.stack([clip.latents for clip in clips])
        latents = latents.movedim(1, 2) if is_video(model) else latents.flatten(0, 1)
        images = ExecutionBlocker(_NO_PICTURES) if vae is None else torch.cat([clip.pictures(vae) for clip in clips])
        per_frame = calls / len(clips) / known.count(False)
        how = f"steps {steps}, resample {resample} until {resample_end:g}, new_frames {new_frames}"
        said = f"{calls} calls of the model, {per_frame:.3g} per new frame; {preset}: {how}"
        return io.NodeOutput({"samples": latents}, images, ui=say(f"{said}; from sigma {float(sigmas[0]):.3g}"))


class SamplerRepeatAndSlide(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_SamplerRepeatAndSlide",
            display_name="Sampler (Repeat-and-Slide)",
            category=f"{CATEGORY}/sampling",
            description="Repeat-and-slide as a SAMPLER for SamplerCustomAdvanced: any guider, any sigmas, any noise; "
                        "the queue is of latents.",
            search_aliases=["TI2V-Zero", "image to video", "video prediction", "infilling", "long video",
                            "last frame", "extend video", "loop", "图生视频", "首尾帧", "循环"],
            inputs=[
                io.Int.Input("window", default=16, min=2, max=1024, tooltip=_WINDOW),
                io.Int.Input("context", default=0, min=0, max=1023, tooltip=_CONTEXT),
                io.Int.Input("new_frames", default=1, min=1, max=1023, tooltip=_NEW),
                io.Int.Input("resample", default=4, min=0, max=100, tooltip=_RESAMPLE),
                io.Float.Input("resample_start", default=0.0, min=0.0, max=1.0, step=0.01, advanced=True,
                               tooltip=_RESAMPLE_START),
                io.Float.Input("resample_end", default=1.0, min=0.0, max=1.0, step=0.01, advanced=True,
                               tooltip=_RESAMPLE_END),
                io.Boolean.Input("inversion", default=True, advanced=True, tooltip=_INVERSION),
                io.Combo.Input("sampler_name", options=list(STEPWISE), default="euler", tooltip=_SAMPLER),
            ],
            outputs=[io.Sampler.Output(tooltip=_SAMPLER_OUT)],
        )  # fmt: skip

    @classmethod
    def execute(cls, window: int, context: int, new_frames: int, resample: int, resample_start: float,
                resample_end: float, inversion: bool, sampler_name: str) -> io.NodeOutput:  # fmt: skip
        settings = Settings(
            comfy.samplers.sampler_object(sampler_name), resample, resample_start, resample_end, inversion
        )
        return io.NodeOutput(ClipSampler(window, context or max(1, window - new_frames), new_frames, settings))


NODES = [RepeatAndSlideSampler, SamplerRepeatAndSlide]
