"""What several workflows have in common."""

from ..workflow_graph import Graph, Link, Node

ADAPTER = (
    "**Motion adapter**: the motion to use; train one with the template *train_motion_lamp*, then press R to refresh "
    "the list."
)
CLIPS = (
    "**Clips**: a folder in ComfyUI's *input* folder with 8 to 16 videos of one motion, beside each a .txt file of the "
    "same name that says what is seen."
)
# docs/performance.md: an H200's kernels, and simulated cards
FITS = "16 frames of 512 x 512 by SD 1.5 fit a card of 6 GB."
COST = f"Takes about 1.7 times as long as 16 pictures of this size. {FITS}"
PROMPT = "a horse runs on the beach"


def motion_model(g: Graph) -> tuple[Node, Node]:
    """Checkpoint and adapter, in a group below the note."""
    g.group("Model and motion", below=True)
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint")
    return checkpoint, g.add("FSM_LoadMotionAdapter", "Motion adapter", model=checkpoint["MODEL"])


def prompts_of(g: Graph, clip: Link, title: str = "Prompt", text: str | Link = PROMPT) -> dict[str, Link]:
    """Prompt and negative prompt, in a group of their own."""
    g.group(title)
    return words(g, clip, title, text)


def words(g: Graph, clip: Link, title: str = "Prompt", text: str | Link = PROMPT) -> dict[str, Link]:
    """Prompt and negative prompt, in the group that is there; as the inputs of a sampler."""
    positive = g.add("CLIPTextEncode", title, clip=clip, text=text)
    negative = g.add("CLIPTextEncode", f"Negative {title[0].lower()}{title[1:]}", clip=clip)
    return {"positive": positive["CONDITIONING"], "negative": negative["CONDITIONING"]}


def paint(g: Graph, model: Link, prompts: dict[str, Link], **size: int) -> Node:
    """One picture; returns the sampler. `size`: px, the paper's where nothing is said."""
    empty = g.add("EmptyLatentImage", "Size", **size)
    return g.add("KSampler", "First frame sampler", "randomize", model=model, **prompts, latent_image=empty["LATENT"])


def picture(g: Graph, title: str = "First frame", scale: str = "Scale") -> Link:
    """One's own picture, brought to a size the model likes."""
    loaded = g.add("LoadImage", title)
    return g.add("ImageScale", scale, image=loaded["IMAGE"])["IMAGE"]


def move(g: Graph, model: Link, prompts: dict[str, Link], first_frame: Link, vae: Link) -> tuple[Node, Node]:
    """Sample a clip from its first frame, in a group of its own, and save it; returns sampler and saver."""
    g.group("Move it")
    noise = g.add("FSM_FrameNoise", "Noise", "randomize")
    sampler = g.add("FSM_FirstFrameKSampler", "Sampler", model=model, **prompts, first_frame=first_frame,
                    noise=noise["NOISE"])  # fmt: skip
    return sampler, decode(g, sampler["LATENT"], vae)


def decode(g: Graph, clip: Link, vae: Link, fps: float | Link = 8.0) -> Node:
    """Latents to a saved video, in a group of its own; returns what saves it."""
    g.group("Video")
    frames = g.add("VAEDecode", "Decode", samples=clip, vae=vae)
    return _keep(g, frames["IMAGE"], fps)


def keep(g: Graph, frames: Link, fps: float | Link = 8.0) -> Node:
    """Pictures to a saved video, in a group of its own; returns what saves it."""
    g.group("Video")
    return _keep(g, frames, fps)


def _keep(g: Graph, frames: Link, fps: float | Link) -> Node:
    video = g.add("CreateVideo", "Frame rate", images=frames, fps=fps)
    return g.add("SaveVideo", "Save video", video=video["VIDEO"])


def tell(g: Graph, title: str, report: Link) -> None:
    """A report on the page: only this node of core's shows a text there."""
    g.add("PreviewAny", title, source=report)
