"""Editing one video: its motion is learnt from it alone, its noise found by DDIM inversion."""

from ..workflow_graph import SIZE, Graph
from .parts import PROMPT

_STEPS, _SCHEDULER = 50, "ddim_uniform"  # of inversion and sampling alike
_FRAMES = 16


def edit_video_lamp() -> Graph:
    g = Graph("edit_video_lamp")
    g.note((0, 30), (380, 260),
           "**Video**: the clip to edit, and in **Caption** what is seen in it; the first 16 of its frames are taken.",
           "**Prompt**: what is to be seen instead. The first frame is painted anew along the clip's edges (**Edges**), the others follow it.",
           "**Checkpoint**, **ControlNet**: an image model and a canny ControlNet of the same family.")  # fmt: skip
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint", (0, 400), (380, 102))
    video = g.add("LoadVideo", "Video", (0, 570), (380, 300))
    parts = g.add("GetVideoComponents", "Parts", (0, 940), (380, 110), video=video["VIDEO"])
    text = {"clip": checkpoint["CLIP"]}
    caption = g.add("CLIPTextEncode", "Caption", (480, 60), (400, 130), **text, text=PROMPT)
    prompt = g.add("CLIPTextEncode", "Prompt", (480, 260), (400, 130), **text, text="a zebra runs on the beach")
    empty = g.add("CLIPTextEncode", "Empty prompt", (480, 460), (400, 130), **text)
    scaled = g.add("ImageScale", "Scale", (480, 740), (400, 146), image=parts["images"])
    frames = g.add("ImageFromBatch", "Frames", (480, 960), (400, 110), image=scaled["IMAGE"], length=_FRAMES)
    train = g.add("FSM_TrainMotionLoRA", "Train", (980, 60), (400, 600), model=checkpoint["MODEL"], vae=checkpoint["VAE"], clips=frames["IMAGE"],
                  positive=caption["CONDITIONING"], steps=500, name="edit")  # fmt: skip
    first = g.add("ImageFromBatch", "First frame", (980, 800), (400, 110), image=frames["IMAGE"])
    edges = g.add("Canny", "Edges", (980, 980), (400, 110), image=first["IMAGE"])
    network = g.add("ControlNetLoader", "ControlNet", (980, 1160), (400, 60))
    moving = g.add("FSM_ApplyMotionAdapter", "Motion", (1480, 60), (340, 140), model=checkpoint["MODEL"], adapter=train["adapter"])
    clip = g.add("VAEEncode", "Encode", (1480, 270), (340, 60), pixels=frames["IMAGE"], vae=checkpoint["VAE"])
    inverted = g.add("FSM_DDIMInversion", "Inversion", (1480, 400), (340, 240), model=moving["MODEL"], positive=empty["CONDITIONING"],
                     latent_image=clip["LATENT"], steps=_STEPS, scheduler=_SCHEDULER, first_frame="clean")  # fmt: skip
    guided = g.add("ControlNetApplyAdvanced", "Follow the edges", (1480, 800), (340, 190), positive=prompt["CONDITIONING"],
                   negative=empty["CONDITIONING"], control_net=network["CONTROL_NET"], image=edges["IMAGE"])  # fmt: skip
    size = g.add("EmptyLatentImage", "Size", (1480, 1060), (340, 120), **SIZE)
    painted = g.add("KSampler", "First frame sampler", (1920, 800), (340, 290), "randomize", model=checkpoint["MODEL"],
                    positive=guided["positive"], negative=guided["negative"], latent_image=size["LATENT"])  # fmt: skip
    sampler = g.add("FSM_FirstFrameKSampler", "Sampler", (1920, 60), (340, 330), model=moving["MODEL"], positive=prompt["CONDITIONING"],
                    negative=empty["CONDITIONING"], first_frame=painted["LATENT"], noise=inverted["NOISE"], length=_FRAMES, steps=_STEPS,
                    scheduler=_SCHEDULER)  # fmt: skip
    pictures = g.add("VAEDecode", "Decode", (2360, 60), (320, 60), samples=sampler["LATENT"], vae=checkpoint["VAE"])
    made = g.add("CreateVideo", "Frame rate", (2360, 200), (320, 110), images=pictures["IMAGE"], fps=parts["fps"])
    g.add("SaveVideo", "Save video", (2360, 390), (320, 126), video=made["VIDEO"])
    g.group("Model and clip", -20, 320, 420, 760)
    g.group("Prompts", 460, -20, 440, 640)
    g.group("Frames", 460, 660, 440, 440)
    g.group("Learn the clip", 960, -20, 440, 710)
    g.group("Edges of the first frame", 960, 720, 440, 530)
    g.group("Find its noise", 1460, -20, 380, 710)
    g.group("Edited first frame", 1460, 720, 820, 530)
    g.group("Move it", 1900, -20, 380, 710)
    g.group("Video", 2340, -20, 360, 710)
    return g


WORKFLOWS = (edit_video_lamp,)
