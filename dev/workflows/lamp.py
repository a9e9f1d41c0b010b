"""LAMP: train a motion, then move a painted picture or one's own with it."""

from ..workflow_graph import SDXL, SDXL_SIZE, Graph
from .parts import ADAPTER, CLIPS, PROMPT, five_columns, motion_model, move, paint, prompts_of


def train_motion_lamp() -> Graph:
    """A folder of clips with captions becomes a saved adapter."""
    g = Graph("train_motion_lamp")
    g.note((0, 30), (400, 200),
           CLIPS,
           "**Checkpoint**: the image model that is to learn it: SD 1.x, SD 2.x or SDXL (for SDXL raise width and "
           "height in **Train**).",
           "**Save adapter**: the name under which *Load Motion Adapter* will list the motion.")  # fmt: skip
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint", (0, 350), (400, 102))
    clips = g.add("FSM_LoadClips", "Clips", (0, 540), (400, 120))
    captions = g.add(
        "CLIPTextEncode", "Captions", (480, 540), (320, 106), clip=checkpoint["CLIP"], text=clips["captions"]
    )
    train = g.add("FSM_TrainMotionLoRA", "Train", (900, 60), (400, 600), model=checkpoint["MODEL"],
                  vae=checkpoint["VAE"],
                  clips=clips["clips"], positive=captions["CONDITIONING"], captions=clips["captions"])  # fmt: skip
    g.add("FSM_SaveMotionAdapter", "Save adapter", (1400, 60), (380, 160), adapter=train["adapter"])
    g.add("LossGraphNode", "Loss graph", (1400, 320), (380, 340), loss=train["loss_map"])
    g.group("Clips and captions", -20, 270, 840, 410)
    g.group("Learn", 880, -20, 440, 700)
    g.group("Keep", 1380, -20, 420, 700)
    return g


def text_to_video_lamp() -> Graph:
    """The image model paints the first frame, the adapter moves it."""
    g = Graph("text_to_video_lamp")
    g.note((0, 30), (380, 200),
           ADAPTER,
           "**Prompt**: what is to be seen, and the motion in the words of the adapter's captions.",
           "**First frame sampler** and **Noise**: other seeds give another picture and another course of the "
           "motion.")  # fmt: skip
    checkpoint, model = motion_model(g, 0, 350)
    prompts = prompts_of(g, 480, 60, checkpoint["CLIP"])
    painted = paint(g, 980, 60, checkpoint["MODEL"], prompts)
    move(g, 1400, 60, model["MODEL"], prompts, painted["LATENT"], checkpoint["VAE"])
    return five_columns(g)


def animate_image_lamp() -> Graph:
    """The adapter moves a picture of one's own."""
    g = Graph("animate_image_lamp")
    g.note((0, 30), (380, 200),
           ADAPTER,
           "**First frame**: your picture; **Scale** brings it to the size the motion was trained at.",
           "**Prompt**: what the picture shows, and the motion in the words of the adapter's captions.")  # fmt: skip
    checkpoint, model = motion_model(g, 0, 350)
    prompts = prompts_of(g, 480, 60, checkpoint["CLIP"])
    picture = g.add("LoadImage", "First frame", (980, 60), (320, 322))
    scaled = g.add("ImageScale", "Scale", (980, 440), (320, 146), image=picture["IMAGE"])
    latent = g.add("VAEEncode", "Encode", (980, 640), (320, 50), pixels=scaled["IMAGE"], vae=checkpoint["VAE"])
    move(g, 1400, 60, model["MODEL"], prompts, latent["LATENT"], checkpoint["VAE"])
    return five_columns(g)


def sdxl_first_frame_lamp() -> Graph:
    """SDXL paints the first frame, a Stable Diffusion 1.x model with the adapter moves it."""
    g = Graph("sdxl_first_frame_lamp")
    g.note((0, 30), (380, 240),
           "**First-frame checkpoint**, **First-frame prompt**: who paints the picture, and what is on it.",
           ADAPTER,
           "**Checkpoint**, **Prompt**: the model the motion was trained on, and the motion in the words of its "
           "captions.")  # fmt: skip
    painter = g.add("CheckpointLoaderSimple", "First-frame checkpoint", (0, 390), (380, 102), ckpt_name=SDXL)
    described = prompts_of(g, 480, 60, painter["CLIP"], "First-frame prompt", f"{PROMPT}, photo, morning light, sharp")
    painted = paint(g, 980, 60, painter["MODEL"], described, **SDXL_SIZE)
    picture = g.add(
        "VAEDecode", "Decode first frame", (1400, 60), (340, 60), samples=painted["LATENT"], vae=painter["VAE"]
    )
    scaled = g.add("ImageScale", "Scale", (1400, 260), (340, 146), image=picture["IMAGE"])
    checkpoint, model = motion_model(g, 0, 720)
    prompts = prompts_of(g, 480, 720, checkpoint["CLIP"])
    latent = g.add("VAEEncode", "Encode", (980, 720), (320, 60), pixels=scaled["IMAGE"], vae=checkpoint["VAE"])
    move(g, 1400, 720, model["MODEL"], prompts, latent["LATENT"], checkpoint["VAE"])
    g.group("Painter", -20, 310, 420, 280)
    g.group("Picture prompt", 460, -20, 440, 610)
    g.group("First frame", 960, -20, 800, 610)
    g.group("Model and motion", -20, 640, 420, 700)
    g.group("Motion prompt", 460, 640, 440, 700)
    g.group("Move it", 960, 640, 800, 700)
    g.group("Video", 1820, 640, 360, 700)
    return g


WORKFLOWS = (train_motion_lamp, text_to_video_lamp, animate_image_lamp, sdxl_first_frame_lamp)
