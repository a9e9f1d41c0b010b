"""Editing one video: its motion is learnt from it alone, its noise found by DDIM inversion with an empty prompt
(docs/tune_a_video.md).
"""

from ..node_kinds import SIZE
from ..workflow_graph import Graph, Link
from .parts import PROMPT, decode, picture

_HOW = {"steps": 50, "scheduler": "ddim_uniform"}  # of inversion and sampling alike
_FRAMES = 16
_VIDEO = "**Video**: the clip to edit, and in **Caption** what is seen in it; the first 16 of its frames are taken."
_EXPECT = "A training of 500 steps, then 50 steps to find the clip's noise and 50 to draw it anew."


class _Clip:
    """What both methods begin with: the model, the clip's frames and what is to be seen; then the motion learnt from
    them, and their noise.
    """

    def __init__(self, g: Graph, method: str, first_frame: str):
        g.group("Model and clip", below=True)
        checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint")
        self.model, self.vae = checkpoint["MODEL"], checkpoint["VAE"]
        video = g.add("LoadVideo", "Video")
        g.group("Prompts")
        caption, self.prompt, self.empty = (
            g.add("CLIPTextEncode", title, clip=checkpoint["CLIP"], text=text)["CONDITIONING"]
            for title, text in (("Caption", PROMPT), ("Prompt", "a zebra runs on the beach"), ("Empty prompt", ""))
        )
        g.group("Frames", below=True)
        parts = g.add("GetVideoComponents", "Parts", video=video["VIDEO"])
        scaled = g.add("ImageScale", "Scale", image=parts["images"])
        self.frames = g.add("ImageFromBatch", "Frames", image=scaled["IMAGE"], length=_FRAMES)["IMAGE"]
        self.rate = parts["fps"]
        g.group("Learn the clip")
        train = g.add("FSM_TrainMotionLoRA", "Train", model=self.model, vae=self.vae, clips=self.frames,
                      positive=caption, method=method, steps=500, name="edit")  # fmt: skip
        g.group("Find its noise")
        self.moving = g.add("FSM_ApplyMotionAdapter", "Motion", model=self.model, adapter=train["adapter"])["MODEL"]
        latent = g.add("VAEEncode", "Encode", pixels=self.frames, vae=self.vae)
        self.noise = g.add("FSM_DDIMInversion", "Inversion", model=self.moving, positive=self.empty,
                           latent_image=latent["LATENT"], first_frame=first_frame, **_HOW)  # fmt: skip


def edit_video_lamp(g: Graph) -> Graph:
    """A clip's motion and noise under an edited first frame."""
    g.note(_VIDEO,
           "**Prompt**: what is to be seen instead, as in **First frame**: the miniature has no ControlNet, the "
           "published form paints that picture here." if g.miniature else
           "**Prompt**: what is to be seen instead. The first frame is painted anew along the clip's edges "
           "(**Edges**), the others follow it.",
           "**Checkpoint**: an image model." if g.miniature else
           "**Checkpoint**, **ControlNet**: an image model and a canny ControlNet of the same family.",
           expect=_EXPECT)  # fmt: skip
    clip = _Clip(g, "LAMP", "clean")
    first = _painted(g, clip) if not g.miniature else _given(g, clip)
    g.group("Draw it anew")
    sampler = g.add("FSM_FirstFrameKSampler", "Sampler", model=clip.moving, positive=clip.prompt, negative=clip.empty,
                    first_frame=first, noise=clip.noise["NOISE"], length=_FRAMES, **_HOW)  # fmt: skip
    decode(g, sampler["LATENT"], clip.vae, clip.rate)
    return g


def _painted(g: Graph, clip: _Clip) -> Link:
    """The edited first frame, painted along the edges of the clip's own."""
    g.group("Edges of the first frame")
    first = g.add("ImageFromBatch", "First frame", image=clip.frames)
    edges = g.add("Canny", "Edges", image=first["IMAGE"])
    network = g.add("ControlNetLoader", "ControlNet")
    guided = g.add("ControlNetApplyAdvanced", "Follow the edges", positive=clip.prompt, negative=clip.empty,
                   control_net=network["CONTROL_NET"], image=edges["IMAGE"])  # fmt: skip
    g.group("Edited first frame")
    size = g.add("EmptyLatentImage", "Size", **SIZE)
    return g.add("KSampler", "First frame sampler", "randomize", model=clip.model, positive=guided["positive"],
                 negative=guided["negative"], latent_image=size["LATENT"])["LATENT"]  # fmt: skip


def _given(g: Graph, clip: _Clip) -> Link:
    """The edited first frame from a file."""
    g.group("Edited first frame")
    return g.add("VAEEncode", "As latent", pixels=picture(g, "First frame", "Scale first frame"), vae=clip.vae)[
        "LATENT"
    ]


def edit_video_tune_a_video(g: Graph) -> Graph:
    """A video in, the same course with another subject out."""
    g.note(_VIDEO,
           "**Prompt**: what is to be seen instead, in the same words as far as it stays the same.",
           "**Sampler**: a higher cfg follows the prompt more, a lower one the clip; the paper takes 12.5.",
           expect=_EXPECT)  # fmt: skip
    clip = _Clip(g, "Tune-A-Video", "inverted")
    g.group("Draw it anew")
    sampler = g.add("KSamplerAdvanced", "Sampler", model=clip.moving, positive=clip.prompt, negative=clip.empty,
                    latent_image=clip.noise["LATENT"], add_noise="disable", **_HOW)  # fmt: skip
    decode(g, sampler["LATENT"], clip.vae, clip.rate)
    return g


WORKFLOWS = (edit_video_lamp, edit_video_tune_a_video)
