"""Editing one video: its motion is learnt from it alone, its noise found by DDIM inversion with an empty prompt
(docs/tune_a_video.md).
"""

from ..workflow_graph import SIZE, Graph, Node
from .parts import PROMPT, decode

_HOW = {"steps": 50, "scheduler": "ddim_uniform"}  # of inversion and sampling alike
_FRAMES = 16


class _Clip:
    """What both methods begin with: the model, the clip's frames and what is to be seen; then the motion learnt from
    them, and their noise.
    """

    def __init__(self, g: Graph, method: str, first_frame: str):
        checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint", (0, 400), (380, 102))
        self.model, self.vae = checkpoint["MODEL"], checkpoint["VAE"]
        video = g.add("LoadVideo", "Video", (0, 570), (380, 300))
        parts = g.add("GetVideoComponents", "Parts", (0, 940), (380, 110), video=video["VIDEO"])
        caption, self.prompt, self.empty = (
            g.add("CLIPTextEncode", title, (480, y), (400, 130), clip=checkpoint["CLIP"], text=text)["CONDITIONING"]
            for title, y, text in (
                ("Caption", 60, PROMPT),
                ("Prompt", 260, "a zebra runs on the beach"),
                ("Empty prompt", 460, ""),
            )
        )
        scaled = g.add("ImageScale", "Scale", (480, 740), (400, 146), image=parts["images"])
        self.frames = g.add("ImageFromBatch", "Frames", (480, 960), (400, 110), image=scaled["IMAGE"], length=_FRAMES)[
            "IMAGE"
        ]
        self.rate = parts["fps"]
        train = g.add("FSM_TrainMotionLoRA", "Train", (980, 60), (400, 600), model=self.model, vae=self.vae,
                      clips=self.frames,
                      positive=caption, method=method, steps=500, name="edit")  # fmt: skip
        self.moving = g.add(
            "FSM_ApplyMotionAdapter", "Motion", (1480, 60), (340, 140), model=self.model, adapter=train["adapter"]
        )["MODEL"]  # fmt: skip
        latent = g.add("VAEEncode", "Encode", (1480, 270), (340, 60), pixels=self.frames, vae=self.vae)
        self.noise = g.add("FSM_DDIMInversion", "Inversion", (1480, 400), (340, 240), model=self.moving,
                           positive=self.empty,
                           latent_image=latent["LATENT"], first_frame=first_frame, **_HOW)  # fmt: skip
        for title, x, y, width, height in (
            ("Model and clip", -20, 320, 420, 760), ("Prompts", 460, -20, 440, 640), ("Frames", 460, 660, 440, 440),
            ("Learn the clip", 960, -20, 440, 710), ("Find its noise", 1460, -20, 380, 710),
        ):  # fmt: skip
            g.group(title, x, y, width, height)

    def save(self, g: Graph, sampler: Node) -> Graph:
        decode(g, 2360, 60, sampler["LATENT"], self.vae, self.rate)
        g.group("Draw it anew", 1900, -20, 380, 710)
        g.group("Video", 2340, -20, 360, 710)
        return g


_VIDEO = "**Video**: the clip to edit, and in **Caption** what is seen in it; the first 16 of its frames are taken."


def edit_video_lamp() -> Graph:
    """A clip, inverted and sampled again behind a first frame that is painted anew along its own edges."""
    g = Graph("edit_video_lamp")
    g.note((0, 30), (380, 260), _VIDEO,
           "**Prompt**: what is to be seen instead. The first frame is painted anew along the clip's edges "
           "(**Edges**), the others follow it.",
           "**Checkpoint**, **ControlNet**: an image model and a canny ControlNet of the same family.")  # fmt: skip
    clip = _Clip(g, "LAMP", "clean")
    first = g.add("ImageFromBatch", "First frame", (980, 800), (400, 110), image=clip.frames)
    edges = g.add("Canny", "Edges", (980, 980), (400, 110), image=first["IMAGE"])
    network = g.add("ControlNetLoader", "ControlNet", (980, 1160), (400, 60))
    guided = g.add("ControlNetApplyAdvanced", "Follow the edges", (1480, 800), (340, 190), positive=clip.prompt,
                   negative=clip.empty,
                   control_net=network["CONTROL_NET"], image=edges["IMAGE"])  # fmt: skip
    size = g.add("EmptyLatentImage", "Size", (1480, 1060), (340, 120), **SIZE)
    painted = g.add("KSampler", "First frame sampler", (1920, 800), (340, 290), "randomize", model=clip.model,
                    positive=guided["positive"],
                    negative=guided["negative"], latent_image=size["LATENT"])  # fmt: skip
    sampler = g.add("FSM_FirstFrameKSampler", "Sampler", (1920, 60), (340, 330), model=clip.moving,
                    positive=clip.prompt, negative=clip.empty,
                    first_frame=painted["LATENT"], noise=clip.noise["NOISE"], length=_FRAMES, **_HOW)  # fmt: skip
    g.group("Edges of the first frame", 960, 720, 440, 530)
    g.group("Edited first frame", 1460, 720, 820, 530)
    return clip.save(g, sampler)


def edit_video_tune_a_video() -> Graph:
    """A clip, the adapter trained on it alone, and its inverted noise sampled with another prompt."""
    g = Graph("edit_video_tune_a_video")
    g.note((0, 30), (380, 260), _VIDEO,
           "**Prompt**: what is to be seen instead, in the same words as far as it stays the same.",
           "**Sampler**: a higher cfg follows the prompt more, a lower one the clip; the paper takes "
           "12.5.")  # fmt: skip
    clip = _Clip(g, "Tune-A-Video", "inverted")
    sampler = g.add("KSamplerAdvanced", "Sampler", (1920, 60), (340, 370), model=clip.moving, positive=clip.prompt,
                    negative=clip.empty,
                    latent_image=clip.noise["LATENT"], add_noise="disable", **_HOW)  # fmt: skip
    return clip.save(g, sampler)


WORKFLOWS = (edit_video_lamp, edit_video_tune_a_video)
