"""Nodes that sample clips with a first frame, and with statistics matched to it."""

import comfy.samplers
import torch
from comfy_api.latest import io

from ..host.inputs.models import noise_of
from ..host.patching.image_model import image_unet
from ..host.said import say
from ..host.sampling.advice import of_first_frame_sampler, of_last_frame, of_length, of_refining, of_seed
from ..host.sampling.beginnings import beginnings, looping, only_beginning, seeded
from ..host.sampling.clip_sampling import condition_model, matching_sampler, stepwise_sampler
from ..host.sampling.frame_noise import ClipNoise, following
from ..host.sampling.long_clips import of_plan, plan, sample_pieces
from ..host.sockets import CATEGORY
from ..samplers.statistics import match_histograms, match_statistics

_LENGTH = "Frames of the clip, the first frame included. Adapters do best at the number they were trained with."
_LONG = (
    "Frames of the clip, the first frame included. More than the adapter was trained with are made in pieces, each of "
    "which goes on from the one before."
)
_FIRST = "Latent of one picture, encoded with this model's VAE: it becomes frame 0, bit for bit."
_FIRSTS = _FIRST + " Several pictures make as many clips, one after the other, each with the next seed."
_MOVES = (
    "Where and when things move: white as learnt, black stays the first frame bit for bit, grey in between. One mask, "
    "or one per frame."
)
_REFINED = (
    "A clip to sample once more, say one made smaller and scaled up: with denoise below 1 its motion stays. Its own "
    "number of frames counts, not length."
)
_DENOISE = "How much of the clip is made anew, 1 is all. Only with a clip to refine."
_LAST = "Latent of a picture the clip ends in: its last frame, bit for bit. One for all clips, or one for each."
_LOOP = "The clip comes back to its first frame: played again and again it goes on without a seam."
_STATISTICS = {"none": "none", "end": "match at the end", "every step": "match at every step (LAMP)"}
_MODEL = "A model with a motion adapter; without one every frame is a picture of its own."
_POSITIVE = "What is to be seen, and how it moves; one prompt, or one per frame."
_SEED = "Seed of the noise, unless a noise is connected, and of samplers that draw more of it."
_CFG = "Classifier-free guidance, 1 is off. LAMP uses 12.5."
_SAMPLER_NAME = "Any of ComfyUI's samplers."
_SCHEDULER = "Any of ComfyUI's schedules."
_MATCHING = (
    "Give the frames the first frame's mean and spread per latent channel, against drifting colours: never, once at "
    "the end, or after every step as LAMP's code does (samplers without memory only)."
)
_NOISE = "From Shared/Autoregressive Noise; without it, each frame has its own."
_MADE = "The clip's latents, one per frame; frame 0 is the given one. Clips of several first frames follow each other."
_CLIP = (
    "A clip as latent or as image batch; its first frame is returned as it is. Or a sampler, which then does it to the "
    "latent after every step (samplers without memory only)."
)
_CLIP_OUT = "The clip with the first frame's statistics, or the sampler that gives it them."
_FROM_FRAME = "The first frame that is changed; those before stay. The recurrent system's release has 9, in a sampler."


class FirstFrameConditioning(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_FirstFrameConditioning",
            display_name="First-Frame Conditioning",
            category=f"{CATEGORY}/sampling",
            description="Keeps the first frame clean through any sampler: for SamplerCustomAdvanced, ControlNet, "
                        "context windows.",
            search_aliases=["image to video", "first frame", "LAMP", "i2v", "img2vid", "图生视频", "首帧"],
            inputs=[
                io.Model.Input("model", tooltip=_MODEL),
                io.Latent.Input("first_frame", tooltip=_FIRST),
                io.Int.Input("length", default=16, min=1, max=4096, tooltip=_LENGTH),
                io.Mask.Input("motion_mask", optional=True, tooltip=_MOVES),
            ],
            outputs=[io.Model.Output(tooltip="The model that feeds frame 0 clean and returns it bit for bit."),
                     io.Latent.Output(tooltip="The clip to sample: the first frame, then empty ones.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, model, first_frame: dict, length: int, motion_mask=None) -> io.NodeOutput:
        image_unet(model)
        for remark in (*of_first_frame_sampler(model), *of_length(model, length)):
            say(remark, warning=True)
        return io.NodeOutput(condition_model(model), only_beginning(first_frame, length, motion_mask).latent())


class FirstFrameKSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FSM_FirstFrameKSampler",
            display_name="First-Frame-Conditioned KSampler",
            category=f"{CATEGORY}/sampling",
            description="Animates a picture: samples a clip whose frame 0 is the given one, with a model that has "
                        "learnt a motion.",
            search_aliases=["image to video", "animate image", "LAMP", "i2v", "video sampler", "img2vid",
                            "img2video", "few-shot", "gif", "animation", "图生视频", "图片动起来"],
            inputs=[
                io.Model.Input("model", tooltip=_MODEL),
                io.Conditioning.Input("positive", tooltip=_POSITIVE),
                io.Conditioning.Input("negative", tooltip="What is not to be seen."),
                io.Latent.Input("first_frame", tooltip=_FIRSTS),
                io.Int.Input("length", default=16, min=1, max=4096, tooltip=_LONG),
                io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=True,
                             tooltip=_SEED),
                io.Int.Input("steps", default=20, min=1, max=10000, tooltip="Sampling steps; LAMP uses 50."),
                io.Float.Input("cfg", default=7.5, min=0.0, max=100.0, step=0.1, round=0.01, tooltip=_CFG),
                io.Combo.Input("sampler_name", options=comfy.samplers.KSampler.SAMPLERS, default="euler",
                               tooltip=_SAMPLER_NAME),
                io.Combo.Input("scheduler", options=comfy.samplers.KSampler.SCHEDULERS, default="normal",
                               tooltip=_SCHEDULER),
                io.Combo.Input("statistics", options=list(_STATISTICS.values()), default=_STATISTICS["end"],
                               advanced=True, tooltip=_MATCHING),
                io.Noise.Input("noise", optional=True, tooltip=_NOISE),
                io.Mask.Input("motion_mask", optional=True, tooltip=_MOVES),
                io.Latent.Input("clip", optional=True, tooltip=_REFINED),
                io.Float.Input("denoise", default=1.0, min=0.01, max=1.0, step=0.01, optional=True, tooltip=_DENOISE),
                io.Latent.Input("last_frame", optional=True, tooltip=_LAST),
                io.Boolean.Input("loop", default=False, optional=True, tooltip=_LOOP),
            ],
            outputs=[io.Latent.Output(tooltip=_MADE)],
        )  # fmt: skip

    @classmethod
    def execute(cls, model, positive, negative, first_frame: dict, length: int, seed: int, steps: int, cfg: float,
                sampler_name: str, scheduler: str, statistics: str, noise=None, motion_mask=None, clip=None,
                denoise: float = 1.0, last_frame=None, loop: bool = False) -> io.NodeOutput:  # fmt: skip
        image_unet(model)
        for remark in (*of_first_frame_sampler(model), *of_last_frame(model, last_frame, loop)):
            say(remark, warning=True)
        for remark in of_seed(noise, sampler_name, seed):
            say(remark)
        for remark in of_refining(clip, first_frame, length, denoise):
            say(remark)
        if loop:
            length, clip = looping(first_frame, length, clip, last_frame)
            last_frame = first_frame
        every_step, made = statistics == _STATISTICS["every step"], []
        finish = match_statistics if statistics == _STATISTICS["end"] else (lambda latents: latents)
        for i, begins in enumerate(beginnings(first_frame, length, clip, motion_mask, last_frame)):
            own = following(seed, i)
            sampler = (
                stepwise_sampler(sampler_name, own, steps)
                if every_step
                else comfy.samplers.sampler_object(sampler_name)
            )
            eps = noise_of(seeded(noise or ClipNoise(seed), i), begins.latents)
            how = plan(model, len(eps), begins.ends, loop)
            for remark in of_plan(how, steps):
                say(remark)
            latents = sample_pieces(model, positive, negative, begins, eps, how, finish, own, steps, cfg, sampler,
                                    scheduler, denoise)  # fmt: skip
            made.append(latents[: len(latents) - loop])
        return io.NodeOutput({"samples": torch.cat(made)})


class MatchFirstFrame(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        clip = io.MatchType.Template("clip", [io.Latent, io.Image, io.Sampler])
        return io.Schema(
            node_id="FSM_MatchFirstFrame",
            display_name="Match First Frame",
            category=f"{CATEGORY}/sampling",
            description="Gives every frame the colours of the first: mean and spread of a latent's channels (AdaIN), "
                        "or histograms of pictures.",
            search_aliases=["AdaIN", "histogram matching", "colour drift", "color match", "flicker", "偏色", "闪烁"],
            inputs=[
                io.MatchType.Input("clip", template=clip, tooltip=_CLIP),
                io.Int.Input("from_frame", default=1, min=1, max=4096, optional=True, tooltip=_FROM_FRAME),
            ],
            outputs=[io.MatchType.Output(template=clip, display_name="clip", tooltip=_CLIP_OUT)],
        )  # fmt: skip

    @classmethod
    def execute(cls, clip, from_frame: int = 1) -> io.NodeOutput:
        if isinstance(clip, comfy.samplers.Sampler):
            return io.NodeOutput(matching_sampler(clip, from_frame))
        if isinstance(clip, dict):
            return io.NodeOutput({**clip, "samples": match_statistics(clip["samples"], from_frame)})
        return io.NodeOutput(match_histograms(clip, from_frame))


NODES = [FirstFrameConditioning, FirstFrameKSampler, MatchFirstFrame]
