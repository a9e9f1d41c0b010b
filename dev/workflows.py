"""The shipped workflows, each described once and written twice: as a template for the browser, and in the form ComfyUI's API takes."""

import json
from typing import Any

from .interpreter import ROOT
from .workflow_graph import SDXL, SDXL_SIZE, Graph, Link, Node

FOLDER = ROOT / "workflows"

_ADAPTER = "**Motion adapter**: the motion to use; train one with the template *train_motion_lamp*, then press R to refresh the list."
_PROMPT = "a horse runs on the beach"


def train_motion_lamp() -> Graph:
    g = Graph("train_motion_lamp")
    g.note((0, 30), (400, 200),
           "**Clips**: a folder in ComfyUI's *input* folder with 8 to 16 videos of one motion, beside each a .txt file of the same name "
           "that says what is seen.",
           "**Checkpoint**: the image model that is to learn it: SD 1.x, SD 2.x or SDXL (for SDXL raise width and height in **Train**).",
           "**Save adapter**: the name under which *Load Motion Adapter* will list the motion.")  # fmt: skip
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint", (0, 350), (400, 102))
    clips = g.add("LoadVideoTextDataSetFromFolder", "Clips", (0, 540), (400, 106))
    captions = g.add("CLIPTextEncode", "Captions", (480, 540), (320, 106), clip=checkpoint["CLIP"], text=clips["texts"])
    train = g.add("FSM_TrainMotionLoRA", "Train", (900, 60), (400, 600), model=checkpoint["MODEL"], vae=checkpoint["VAE"],
                  clips=clips["videos"], positive=captions["CONDITIONING"], captions=clips["texts"])  # fmt: skip
    g.add("FSM_SaveMotionAdapter", "Save adapter", (1400, 60), (380, 160), adapter=train["adapter"])
    g.add("LossGraphNode", "Loss graph", (1400, 320), (380, 340), loss=train["loss_map"])
    g.group("Clips and captions", -20, 270, 840, 410)
    g.group("Learn", 880, -20, 440, 700)
    g.group("Keep", 1380, -20, 420, 700)
    return g


def _motion_model(g: Graph, x: int, y: int) -> tuple[Node, Node]:
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint", (x, y), (380, 102))
    return checkpoint, g.add("FSM_LoadMotionAdapter", "Motion adapter", (x, y + 180), (380, 134), model=checkpoint["MODEL"])


def _prompts(g: Graph, x: int, y: int, clip: Link, title: str = "Prompt", text: str = _PROMPT) -> dict[str, Link]:
    positive = g.add("CLIPTextEncode", title, (x, y), (400, 160), clip=clip, text=text)
    negative = g.add("CLIPTextEncode", f"Negative {title[0].lower()}{title[1:]}", (x, y + 240), (400, 160), clip=clip)
    return {"positive": positive["CONDITIONING"], "negative": negative["CONDITIONING"]}


def _paint(g: Graph, x: int, y: int, model: Link, prompts: dict[str, Link], **size: int) -> Node:
    empty = g.add("EmptyLatentImage", "Size", (x, y), (320, 120), **size)
    return g.add(
        "KSampler", "First frame sampler", (x, y + 200), (320, 290), "randomize", model=model, **prompts, latent_image=empty["LATENT"]
    )


def _move(g: Graph, x: int, y: int, model: Link, prompts: dict[str, Link], first_frame: Link, vae: Link) -> None:
    noise = g.add("FSM_FrameNoise", "Noise", (x, y), (340, 166), "randomize")
    sampler = g.add("FSM_FirstFrameKSampler", "Sampler", (x, y + 250), (340, 330), model=model, **prompts, first_frame=first_frame,
                    noise=noise["NOISE"])  # fmt: skip
    frames = g.add("VAEDecode", "Decode", (x + 440, y), (320, 60), samples=sampler["LATENT"], vae=vae)
    video = g.add("CreateVideo", "Frame rate", (x + 440, y + 140), (320, 110), images=frames["IMAGE"])
    g.add("SaveVideo", "Save video", (x + 440, y + 330), (320, 126), video=video["VIDEO"])


def _five_columns(g: Graph) -> Graph:
    g.group("Model and motion", -20, 270, 420, 450)
    for title, x, width in (("Prompt", 460, 440), ("First frame", 960, 360), ("Move it", 1380, 380), ("Video", 1820, 360)):
        g.group(title, x, -20, width, 740)
    return g


def text_to_video_lamp() -> Graph:
    g = Graph("text_to_video_lamp")
    g.note((0, 30), (380, 200),
           _ADAPTER,
           "**Prompt**: what is to be seen, and the motion in the words of the adapter's captions.",
           "**First frame sampler** and **Noise**: other seeds give another picture and another course of the motion.")  # fmt: skip
    checkpoint, model = _motion_model(g, 0, 350)
    prompts = _prompts(g, 480, 60, checkpoint["CLIP"])
    painted = _paint(g, 980, 60, checkpoint["MODEL"], prompts)
    _move(g, 1400, 60, model["MODEL"], prompts, painted["LATENT"], checkpoint["VAE"])
    return _five_columns(g)


def animate_image_lamp() -> Graph:
    g = Graph("animate_image_lamp")
    g.note((0, 30), (380, 200),
           _ADAPTER,
           "**First frame**: your picture; **Scale** brings it to the size the motion was trained at.",
           "**Prompt**: what the picture shows, and the motion in the words of the adapter's captions.")  # fmt: skip
    checkpoint, model = _motion_model(g, 0, 350)
    prompts = _prompts(g, 480, 60, checkpoint["CLIP"])
    picture = g.add("LoadImage", "First frame", (980, 60), (320, 322))
    scaled = g.add("ImageScale", "Scale", (980, 440), (320, 146), image=picture["IMAGE"])
    latent = g.add("VAEEncode", "Encode", (980, 640), (320, 50), pixels=scaled["IMAGE"], vae=checkpoint["VAE"])
    _move(g, 1400, 60, model["MODEL"], prompts, latent["LATENT"], checkpoint["VAE"])
    return _five_columns(g)


def sdxl_first_frame_lamp() -> Graph:
    g = Graph("sdxl_first_frame_lamp")
    g.note((0, 30), (380, 240),
           "**First-frame checkpoint**, **First-frame prompt**: who paints the picture, and what is on it.",
           _ADAPTER,
           "**Checkpoint**, **Prompt**: the model the motion was trained on, and the motion in the words of its captions.")  # fmt: skip
    painter = g.add("CheckpointLoaderSimple", "First-frame checkpoint", (0, 390), (380, 102), ckpt_name=SDXL)
    described = _prompts(g, 480, 60, painter["CLIP"], "First-frame prompt", f"{_PROMPT}, photo, morning light, sharp")
    painted = _paint(g, 980, 60, painter["MODEL"], described, **SDXL_SIZE)
    picture = g.add("VAEDecode", "Decode first frame", (1400, 60), (340, 60), samples=painted["LATENT"], vae=painter["VAE"])
    scaled = g.add("ImageScale", "Scale", (1400, 260), (340, 146), image=picture["IMAGE"])
    checkpoint, model = _motion_model(g, 0, 720)
    prompts = _prompts(g, 480, 720, checkpoint["CLIP"])
    latent = g.add("VAEEncode", "Encode", (980, 720), (320, 60), pixels=scaled["IMAGE"], vae=checkpoint["VAE"])
    _move(g, 1400, 720, model["MODEL"], prompts, latent["LATENT"], checkpoint["VAE"])
    g.group("Painter", -20, 310, 420, 280)
    g.group("Picture prompt", 460, -20, 440, 610)
    g.group("First frame", 960, -20, 800, 610)
    g.group("Model and motion", -20, 640, 420, 700)
    g.group("Motion prompt", 460, 640, 440, 700)
    g.group("Move it", 960, 640, 800, 700)
    g.group("Video", 1820, 640, 360, 700)
    return g


WORKFLOWS = (train_motion_lamp, text_to_video_lamp, animate_image_lamp, sdxl_first_frame_lamp)


def files() -> dict[str, str]:
    """Path under `workflows/` -> content."""
    made = {}
    for workflow in WORKFLOWS:
        graph = workflow()
        made[f"{graph.name}.json"] = _text(graph.browser_form())
        made[f"api/{graph.name}.json"] = _text(graph.api_form())
    return made


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


def main() -> None:
    """Write every workflow anew."""
    for name, text in files().items():
        file = FOLDER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
