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
PROMPT = "a horse runs on the beach"


def motion_model(g: Graph, x: int, y: int) -> tuple[Node, Node]:
    """A checkpoint, and below it the adapter that moves its model."""
    checkpoint = g.add("CheckpointLoaderSimple", "Checkpoint", (x, y), (380, 102))
    return checkpoint, g.add(
        "FSM_LoadMotionAdapter", "Motion adapter", (x, y + 180), (380, 134), model=checkpoint["MODEL"]
    )


def prompts_of(g: Graph, x: int, y: int, clip: Link, title: str = "Prompt", text: str = PROMPT) -> dict[str, Link]:
    """A prompt and below it an empty negative one, as the inputs of a sampler."""
    positive = g.add("CLIPTextEncode", title, (x, y), (400, 160), clip=clip, text=text)
    negative = g.add("CLIPTextEncode", f"Negative {title[0].lower()}{title[1:]}", (x, y + 240), (400, 160), clip=clip)
    return {"positive": positive["CONDITIONING"], "negative": negative["CONDITIONING"]}


def paint(g: Graph, x: int, y: int, model: Link, prompts: dict[str, Link], **size: int) -> Node:
    """One picture; returns the sampler. `size`: px, the paper's where nothing is said."""
    empty = g.add("EmptyLatentImage", "Size", (x, y), (320, 120), **size)
    return g.add(
        "KSampler",
        "First frame sampler",
        (x, y + 200),
        (320, 290),
        "randomize",
        model=model,
        **prompts,
        latent_image=empty["LATENT"],
    )


def move(g: Graph, x: int, y: int, model: Link, prompts: dict[str, Link], first_frame: Link, vae: Link) -> None:
    """Shared noise, the first-frame sampler, and to their right the way to a file."""
    noise = g.add("FSM_FrameNoise", "Noise", (x, y), (340, 214), "randomize")
    sampler = g.add("FSM_FirstFrameKSampler", "Sampler", (x, y + 250), (340, 330), model=model, **prompts,
                    first_frame=first_frame, noise=noise["NOISE"])  # fmt: skip
    decode(g, x + 440, y, sampler["LATENT"], vae)


def decode(g: Graph, x: int, y: int, clip: Link, vae: Link, fps: float | Link = 8.0) -> None:
    """From latents to a video file; fps: frames per second."""
    frames = g.add("VAEDecode", "Decode", (x, y), (320, 60), samples=clip, vae=vae)
    keep(g, x, y + 140, frames["IMAGE"], fps)


def keep(g: Graph, x: int, y: int, frames: Link, fps: float | Link = 8.0) -> None:
    """From pictures to a video file; fps: frames per second."""
    video = g.add("CreateVideo", "Frame rate", (x, y), (320, 110), images=frames, fps=fps)
    g.add("SaveVideo", "Save video", (x, y + 190), (320, 126), video=video["VIDEO"])


def five_columns(g: Graph) -> Graph:
    """The boxes around workflows that paint a first frame and move it."""
    g.group("Model and motion", -20, 270, 420, 450)
    for title, x, width in (
        ("Prompt", 460, 440),
        ("First frame", 960, 360),
        ("Move it", 1380, 380),
        ("Video", 1820, 360),
    ):
        g.group(title, x, -20, width, 740)
    return g
