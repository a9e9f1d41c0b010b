"""Measuring: videos in a folder, two sets of videos, and two motion adapters side by side."""

from ..workflow_graph import Graph, Link
from .parts import ADAPTER, PROMPT, motion_model, paint, prompts_of


def measure_clip() -> Graph:
    """A folder of videos through every metric of a single set."""
    g = Graph("measure_clip")
    g.note((0, 30), (400, 220),
           "**Videos**: a folder in ComfyUI's *input* folder with the videos to measure, beside each a .txt file of "
           "the same name with its prompt.",
           "**CLIP**: a file with both towers of CLIP, in *models/clip_vision*.",
           "**Optical flow**: RAFT, in *models/optical_flow*; delete the node, and a flow is computed that needs no "
           "model.")  # fmt: skip
    videos = g.add("FSM_LoadClips", "Videos", (0, 370), (400, 120))
    flow = g.add("OpticalFlowLoader", "Optical flow", (0, 560), (400, 60))
    clip = g.add(
        "FSM_ClipVideoMetrics",
        "CLIP",
        (480, 60),
        (400, 330),
        videos=videos["clips"],
        prompts=videos["captions"],
        table="clip",
    )
    warp = g.add("FSM_WarpingError", "Flicker", (480, 480), (400, 290), videos=videos["clips"],
                 optical_flow=flow["OPTICAL_FLOW"],
                 table="flicker")  # fmt: skip
    jump = g.add(
        "FSM_FirstFrameJump", "First frame", (480, 860), (400, 220), videos=videos["clips"], table="first_frame"
    )
    for y, title, source in ((60, "CLIP curves", clip["curves"]), (340, "Flow", warp["picture"]),
                             (620, "Flicker curves", warp["curves"]),
                             (900, "First-frame curves", jump["curves"])):  # fmt: skip
        g.add("PreviewImage", title, (960, y), (420, 220), images=source)
    g.group("Videos and flow", -20, 290, 440, 380)
    g.group("Numbers", 460, -20, 440, 1140)
    g.group("Pictures", 940, -20, 460, 1160)
    return g


def measure_fvd() -> Graph:
    """Two folders of videos through the Fréchet video distance."""
    g = Graph("measure_fvd")
    g.note((0, 30), (400, 220),
           "**Generated** and **Real**: folders in ComfyUI's *input* folder, as many videos in either, 256 and more if "
           "you can.",
           "**Distance**: I3D's weights, in *models/i3d*; and how many frames of every video are compared.",
           "**Distance**: under *keep_reference_as* the real set's numbers are kept; next time choose them as "
           "*kept_reference*, without **Real**.")  # fmt: skip
    generated = g.add("FSM_LoadClips", "Generated", (0, 370), (400, 120), folder="my_clips")
    real = g.add("FSM_LoadClips", "Real", (0, 570), (400, 120), folder="real_clips")
    fvd = g.add("FSM_FrechetVideoDistance", "Distance", (480, 60), (420, 440), videos=generated["clips"],
                reference=real["clips"],
                table="fvd")  # fmt: skip
    g.add("PreviewImage", "Both sets", (980, 60), (480, 300), images=fvd["picture"])
    g.group("Two sets", -20, 290, 440, 420)
    g.group("How far apart", 460, -20, 460, 610)
    g.group("What was compared", 960, -20, 520, 610)
    return g


def compare_adapters() -> Graph:
    """`python3 dev compare` queues the upper row of it for each adapter."""
    g = Graph("compare_adapters")
    g.note((0, 30), (380, 220), ADAPTER,
           "**Other motion adapter**: what it is compared with. Both get the same words, first frame, noise and seeds.",
           "**Numbers**, **Other numbers**: a file with both towers of CLIP, in *models/clip_vision*. Every run adds "
           "lines to *output/metrics*.")  # fmt: skip
    checkpoint, first = motion_model(g, 0, 370)
    second = g.add("FSM_LoadMotionAdapter", "Other motion adapter", (0, 820), (380, 200), model=checkpoint["MODEL"])
    words = g.add("PrimitiveStringMultiline", "Words", (480, 60), (400, 160), value=PROMPT)
    prompts = prompts_of(g, 480, 300, checkpoint["CLIP"], text=words["STRING"])
    painted = paint(g, 980, 60, checkpoint["MODEL"], prompts)
    noise = g.add("FSM_FrameNoise", "Noise", (980, 640), (320, 214), "randomize")
    shared = {**prompts, "first_frame": painted["LATENT"], "noise": noise["NOISE"]}
    _move_and_measure(g, 60, "", first["MODEL"], shared, checkpoint["VAE"], words["STRING"])
    _move_and_measure(g, 760, "Other ", second["MODEL"], shared, checkpoint["VAE"], words["STRING"])
    g.group("Model and motions", -20, 290, 420, 750)
    g.group("Prompt", 460, -20, 440, 800)
    g.group("First frame and noise", 960, -20, 360, 900)
    g.group("The adapter", 1380, -20, 1680, 640)
    g.group("The other adapter", 1380, 680, 1680, 640)
    return g


def _move_and_measure(
    g: Graph, y: int, other: str, model: Link, shared: dict[str, Link], vae: Link, words: Link
) -> None:
    title = lambda name: f"{other}{name.lower() if other else name}"  # noqa: E731
    sampler = g.add("FSM_FirstFrameKSampler", title("Sampler"), (1400, y), (340, 330), model=model, **shared)
    frames = g.add("VAEDecode", title("Decode"), (1800, y), (320, 60), samples=sampler["LATENT"], vae=vae)["IMAGE"]
    video = g.add("CreateVideo", title("Frame rate"), (1800, y + 140), (320, 110), images=frames)
    g.add("SaveVideo", title("Save video"), (1800, y + 330), (320, 126), video=video["VIDEO"])
    g.add(
        "FSM_ClipVideoMetrics",
        title("Numbers"),
        (2180, y),
        (400, 330),
        videos=frames,
        prompts=words,
        table="compare_clip",
    )
    g.add("FSM_WarpingError", title("Flicker"), (2640, y), (400, 260), videos=frames, table="compare_flicker")
    g.add(
        "FSM_FirstFrameJump",
        title("First-frame jump"),
        (2640, y + 340),
        (400, 200),
        videos=frames,
        table="compare_first_frame",
    )


WORKFLOWS = (measure_clip, measure_fvd, compare_adapters)
