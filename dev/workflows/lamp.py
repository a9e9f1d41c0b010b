"""LAMP: train a motion, then move a painted picture or one's own with it."""

from ..model_files import SDXL
from ..node_kinds import SDXL_SIZE
from ..workflow_graph import Graph, Link, Node
from .parts import ADAPTER, CLIPS, COST, PROMPT, motion_model, move, paint, picture, prompts_of

TRAINING = "**Train** says on itself what memory it will take, and shows the loss. Cancel keeps what is learnt."


def train_motion_lamp(g: Graph) -> Graph:
    """A folder of clips with captions, and an adapter of their motion."""
    g.note(CLIPS,
           "**Checkpoint**: the image model that is to learn it: SD 1.x, SD 2.x or SDXL (for SDXL raise width and "
           "height in **Train**).",
           "**Save adapter**: the name under which *Load Motion Adapter* will list the motion.",
           expect=TRAINING)  # fmt: skip
    checkpoint, clips = sources(g)
    g.column()
    captions = g.add("CLIPTextEncode", "Captions", clip=checkpoint["CLIP"], text=clips["captions"])
    learn(g, checkpoint, clips, captions["CONDITIONING"])
    return g


def sources(g: Graph) -> tuple[Node, Node]:
    """Checkpoint and clips, in a group below the note."""
    g.group("Clips and captions", below=True)
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint")
    return checkpoint, g.add("FSM_LoadClips", "Clips")


def learn(g: Graph, checkpoint: Node, clips: Node, captions: Link, **masks: Link) -> None:
    """Train, save, loss graph, in two groups."""
    g.group("Learn")
    train = g.add("FSM_TrainMotionLoRA", "Train", model=checkpoint["MODEL"], vae=checkpoint["VAE"],
                  clips=clips["clips"], positive=captions, captions=clips["captions"], **masks)  # fmt: skip
    g.group("Keep")
    g.add("FSM_SaveMotionAdapter", "Save adapter", adapter=train["adapter"])
    g.add("LossGraphNode", "Loss graph", loss=train["loss_map"])


def text_to_video_lamp(g: Graph) -> Graph:
    """A prompt, a first frame by the same checkpoint, a video."""
    g.note(ADAPTER,
           "**Prompt**: what is to be seen, and the motion in the words of the adapter's captions.",
           "**First frame sampler** and **Noise**: other seeds give another picture and another course of the motion.",
           expect=COST)  # fmt: skip
    checkpoint, model = motion_model(g)
    prompts = prompts_of(g, checkpoint["CLIP"])
    g.group("First frame")
    painted = paint(g, checkpoint["MODEL"], prompts)
    move(g, model["MODEL"], prompts, painted["LATENT"], checkpoint["VAE"])
    return g


def animate_image_lamp(g: Graph) -> Graph:
    """Any picture and an adapter, a video."""
    g.note(ADAPTER,
           "**First frame**: your picture; **Scale** brings it to the size the motion was trained at.",
           "**Prompt**: what the picture shows, and the motion in the words of the adapter's captions.",
           expect=COST)  # fmt: skip
    checkpoint, model = motion_model(g)
    prompts = prompts_of(g, checkpoint["CLIP"])
    g.group("First frame")
    latent = g.add("VAEEncode", "Encode", pixels=picture(g), vae=checkpoint["VAE"])
    sampler, saved = move(g, model["MODEL"], prompts, latent["LATENT"], checkpoint["VAE"])
    g.app((g.titled("First frame"), "image"), (g.titled("Prompt"), "text"), (model, "adapter"), (sampler, "length"),
          result=saved)  # fmt: skip
    return g


def sdxl_first_frame_lamp(g: Graph) -> Graph:
    """A first frame by SDXL, its motion by SD 1.5."""
    g.note("**First-frame checkpoint**, **First-frame prompt**: who paints the picture, and what is on it.",
           ADAPTER,
           "**Checkpoint**, **Prompt**: the model the motion was trained on, and the motion in the words of its "
           "captions.", expect=COST)  # fmt: skip
    g.group("Painter", below=True)
    painter = g.add("CheckpointLoaderSimple", "First-frame checkpoint", ckpt_name=SDXL)
    described = prompts_of(g, painter["CLIP"], "First-frame prompt", f"{PROMPT}, photo, morning light, sharp")
    g.group("First frame")
    painted = paint(g, painter["MODEL"], described, **SDXL_SIZE)
    g.column()
    decoded = g.add("VAEDecode", "Decode first frame", samples=painted["LATENT"], vae=painter["VAE"])
    scaled = g.add("ImageScale", "Scale", image=decoded["IMAGE"])
    g.row()
    g.group("Model and motion")
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint")
    model = g.add("FSM_LoadMotionAdapter", "Motion adapter", model=checkpoint["MODEL"])
    prompts = prompts_of(g, checkpoint["CLIP"])
    g.group("As latent")
    latent = g.add("VAEEncode", "Encode", pixels=scaled["IMAGE"], vae=checkpoint["VAE"])
    move(g, model["MODEL"], prompts, latent["LATENT"], checkpoint["VAE"])
    return g


WORKFLOWS = (train_motion_lamp, animate_image_lamp, text_to_video_lamp, sdxl_first_frame_lamp)
