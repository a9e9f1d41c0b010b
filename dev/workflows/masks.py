"""Masks: train a motion with them, from a folder or from core's background removal, and lay the moving subject over
another background.
"""

from ..workflow_graph import Graph
from .lamp import TRAINING, learn, sources
from .parts import ADAPTER, CLIPS, COST, keep, motion_model, picture, prompts_of

_TRAIN = (
    "**Checkpoint**: the image model that is to learn it. What learns from the masks, and how much, is in *Motion "
    "Training Settings*: connect it to **Train**."
)


def train_motion_masks(g: Graph) -> Graph:
    """A folder of clips and one of their masks, an adapter that knows its subject."""
    g.note(CLIPS,
           "**Masks**: a folder with a video per clip, of the clip's name and length, white where the subject is.",
           _TRAIN, expect=TRAINING)  # fmt: skip
    checkpoint, clips = sources(g)
    masks = g.add("FSM_LoadClips", "Masks", folder="my_masks")
    g.column()
    captions = g.add("CLIPTextEncode", "Captions", clip=checkpoint["CLIP"], text=clips["captions"])
    pictures = g.add("GetVideoComponents", "Mask frames", video=masks["clips"])
    mask = g.add("ImageToMask", "White is subject", image=pictures["images"])
    learn(g, checkpoint, clips, captions["CONDITIONING"], masks=mask["MASK"])
    return g


def masks_from_background_removal(g: Graph) -> Graph:
    """The same with masks that a background remover finds."""
    g.note(CLIPS,
           "**Masks**: a folder of them: the miniature has no background remover, the published form has one here."
           if g.miniature else
           "**Background model**: a BiRefNet file in *models/background_removal*; **Look first** shows what it finds.",
           _TRAIN, expect=TRAINING)  # fmt: skip
    checkpoint, clips = sources(g)
    if g.miniature:
        masks = g.add("FSM_LoadClips", "Masks", folder="my_masks")
    else:
        model = g.add("LoadBackgroundRemovalModel", "Background model")
    g.column()
    captions = g.add("CLIPTextEncode", "Captions", clip=checkpoint["CLIP"], text=clips["captions"])
    if g.miniature:
        pictures = g.add("GetVideoComponents", "Mask frames", video=masks["clips"])
        mask = g.add("ImageToMask", "White is subject", image=pictures["images"])["MASK"]
    else:
        pictures = g.add("GetVideoComponents", "Clip frames", video=clips["clips"])
        mask = g.add(
            "RemoveBackground", "Find the subject", bg_removal_model=model["bg_model"], image=pictures["images"]
        )["mask"]
    shown = g.add("MaskToImage", "As pictures", mask=mask)
    learn(g, checkpoint, clips, captions["CONDITIONING"], masks=mask)
    g.group("Look first")
    g.add("PreviewImage", "Look first", images=shown["IMAGE"])
    return g


def animate_over_background(g: Graph) -> Graph:
    """A moving subject laid over another background."""
    g.note(f"{ADAPTER} It must have been trained with masks: template *train_motion_masks*.",
           "**First frame**: your picture; **Background**: what its subject is to be laid over, as many times as there "
           "are frames in **Sampler**.",
           "**Prompt**: what the picture shows, and the motion in the words of the adapter's captions.",
           expect=COST)  # fmt: skip
    checkpoint, model = motion_model(g)
    prompts = prompts_of(g, checkpoint["CLIP"])
    g.group("First frame")
    latent = g.add("VAEEncode", "Encode", pixels=picture(g), vae=checkpoint["VAE"])
    g.group("Background")
    background = picture(g, "Background", "Scale background")
    still = g.add("RepeatImageBatch", "As many frames", image=background)
    g.group("Move it")
    noise = g.add("FSM_FrameNoise", "Noise", "randomize")
    sampler = g.add("FSM_FirstFrameKSampler", "Sampler", "randomize", model=model["MODEL"], **prompts,
                    first_frame=latent["LATENT"], noise=noise["NOISE"])  # fmt: skip
    g.group("Cut out and lay over")
    frames = g.add("VAEDecode", "Decode", samples=sampler["LATENT"], vae=checkpoint["VAE"])
    found = g.add("FSM_PredictMask", "Subject", mask_predictor=model["adapter"], latent=sampler["LATENT"])
    mask = g.add("ThresholdMask", "Subject or not", mask=found["MASK"])
    laid = g.add("ImageCompositeMasked", "Lay over", destination=still["IMAGE"], source=frames["IMAGE"],
                 mask=mask["MASK"])  # fmt: skip
    keep(g, laid["IMAGE"])
    return g


WORKFLOWS = (train_motion_masks, masks_from_background_removal, animate_over_background)
