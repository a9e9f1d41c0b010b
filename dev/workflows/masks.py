"""Masks: train a motion with them, from a folder or from core's background removal, and lay the moving subject over
another background.
"""

from ..workflow_graph import Graph, Link, Node
from .parts import ADAPTER, CLIPS, keep, motion_model, prompts_of

_TRAIN = (
    "**Checkpoint**: the image model that is to learn it. **Train**, advanced inputs: what learns from the masks, and "
    "how much."
)


def train_motion_masks() -> Graph:
    """Clips and a folder of their masks become a saved adapter."""
    g = Graph("train_motion_masks")
    g.note((0, 30), (400, 260),
           CLIPS,
           "**Masks**: a folder with a video per clip, of the clip's name and length, white where the subject is.",
           _TRAIN)  # fmt: skip
    checkpoint, clips = _sources(g)
    masks = g.add("FSM_LoadClips", "Masks", (0, 800), (400, 120), folder="my_masks")
    pictures = g.add("GetVideoComponents", "Mask frames", (480, 800), (320, 110), video=masks["clips"])
    mask = g.add("ImageToMask", "White is subject", (480, 970), (320, 60), image=pictures["images"])
    _learn(g, checkpoint, clips, mask["MASK"])
    g.group("Masks", -20, 720, 840, 340)
    return g


def masks_from_background_removal() -> Graph:
    """The same with masks that core's background removal finds in the clips."""
    g = Graph("masks_from_background_removal")
    g.note((0, 30), (400, 260),
           CLIPS,
           "**Background model**: a BiRefNet file in *models/background_removal*; look at what it finds before a long "
           "training.",
           _TRAIN)  # fmt: skip
    checkpoint, clips = _sources(g)
    model = g.add("LoadBackgroundRemovalModel", "Background model", (0, 800), (400, 80))
    pictures = g.add("GetVideoComponents", "Clip frames", (480, 800), (320, 110), video=clips["clips"])
    mask = g.add(
        "RemoveBackground",
        "Find the subject",
        (480, 970),
        (320, 60),
        bg_removal_model=model["bg_model"],
        image=pictures["images"],
    )
    _learn(g, checkpoint, clips, mask["mask"])
    g.group("Masks", -20, 720, 840, 340)
    return g


def animate_over_background() -> Graph:
    """A moving subject, cut out by the masks its adapter predicts, over another picture."""
    g = Graph("animate_over_background")
    g.note((0, 30), (380, 240),
           f"{ADAPTER} It must have been trained with masks: template *train_motion_masks*.",
           "**First frame**: your picture; **Background**: what its subject is to be laid over, as many times as there "
           "are frames in **Sampler**.",
           "**Prompt**: what the picture shows, and the motion in the words of the adapter's captions.")  # fmt: skip
    checkpoint, model = motion_model(g, 0, 390)
    prompts = prompts_of(g, 480, 60, checkpoint["CLIP"])
    latent = g.add(
        "VAEEncode",
        "Encode",
        (980, 640),
        (320, 50),
        pixels=_picture(g, "First frame", "Scale", 60)["IMAGE"],
        vae=checkpoint["VAE"],
    )
    noise = g.add("FSM_FrameNoise", "Noise", (1400, 60), (340, 166), "randomize")
    sampler = g.add("FSM_FirstFrameKSampler", "Sampler", (1400, 310), (340, 330), "randomize", model=model["MODEL"],
                    **prompts,
                    first_frame=latent["LATENT"], noise=noise["NOISE"])  # fmt: skip
    still = g.add(
        "RepeatImageBatch",
        "As many frames",
        (1400, 850),
        (340, 80),
        image=_picture(g, "Background", "Scale background", 850)["IMAGE"],
    )
    frames = g.add("VAEDecode", "Decode", (1840, 60), (320, 60), samples=sampler["LATENT"], vae=checkpoint["VAE"])
    found = g.add(
        "FSM_PredictMask", "Subject", (1840, 200), (320, 100), mask_predictor=model["adapter"], latent=sampler["LATENT"]
    )
    mask = g.add("ThresholdMask", "Subject or not", (1840, 380), (320, 80), mask=found["MASK"])
    laid = g.add(
        "ImageCompositeMasked",
        "Lay over",
        (1840, 540),
        (320, 150),
        destination=still["IMAGE"],
        source=frames["IMAGE"],
        mask=mask["MASK"],
    )
    keep(g, 2260, 60, laid["IMAGE"])
    g.group("Model and motion", -20, 310, 420, 410)
    for title, x, width in (("Prompt", 460, 440), ("First frame", 960, 360), ("Move it", 1380, 380),
                            ("Cut out and lay over", 1820, 360),
                            ("Video", 2240, 360)):  # fmt: skip
        g.group(title, x, -20, width, 740)
    g.group("Background", 960, 770, 800, 620)
    return g


def _sources(g: Graph) -> tuple[Node, Node]:
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint", (0, 400), (400, 102))
    return checkpoint, g.add("FSM_LoadClips", "Clips", (0, 570), (400, 120))


def _learn(g: Graph, checkpoint: Node, clips: Node, masks: Link) -> None:
    captions = g.add(
        "CLIPTextEncode", "Captions", (480, 570), (320, 106), clip=checkpoint["CLIP"], text=clips["captions"]
    )
    train = g.add("FSM_TrainMotionLoRA", "Train", (900, 60), (400, 700), model=checkpoint["MODEL"],
                  vae=checkpoint["VAE"],
                  clips=clips["clips"], positive=captions["CONDITIONING"], captions=clips["captions"],
                  masks=masks)  # fmt: skip
    g.add("FSM_SaveMotionAdapter", "Save adapter", (1400, 60), (380, 160), adapter=train["adapter"])
    g.add("LossGraphNode", "Loss graph", (1400, 320), (380, 340), loss=train["loss_map"])
    g.group("Clips and captions", -20, 320, 840, 380)
    g.group("Learn", 880, -20, 440, 800)
    g.group("Keep", 1380, -20, 420, 800)


def _picture(g: Graph, title: str, scale: str, y: int) -> Node:
    picture = g.add("LoadImage", title, (980, y), (320, 322))
    return g.add("ImageScale", scale, (980, y + 380), (320, 146), image=picture["IMAGE"])


WORKFLOWS = (train_motion_masks, masks_from_background_removal, animate_over_background)
