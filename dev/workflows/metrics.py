"""Measuring: videos in a folder, two sets of videos, and two motion adapters side by side."""

from ..workflow_graph import Graph, Link, Node
from .parts import ADAPTER, PROMPT, motion_model, paint, prompts_of, tell


def measure_clip(g: Graph) -> Graph:
    """CLIP numbers, flicker, and the jump behind the first frame, of a folder of videos."""
    g.note("**Videos**: a folder in ComfyUI's *input* folder with the videos to measure, beside each a .txt file of "
           "the same name with its prompt.",
           "**CLIP**: a file with both towers of CLIP, in *models/clip_vision*.",
           "**Flicker**: without an optical flow model it is computed by a method that needs none." if g.miniature else
           "**Optical flow**: RAFT, in *models/optical_flow*; delete the node, and a flow is computed that needs no "
           "model.", expect="A few seconds per video; the numbers are also kept in *output/metrics*.")  # fmt: skip
    g.group("Videos and flow", below=True)
    videos = g.add("FSM_LoadClips", "Videos")
    flow = {}
    if not g.miniature:
        flow = {"optical_flow": g.add("OpticalFlowLoader", "Optical flow")["OPTICAL_FLOW"]}
    g.group("Numbers")
    clip = g.add("FSM_ClipVideoMetrics", "CLIP", videos=videos["clips"], prompts=videos["captions"], table="clip")
    warp = g.add("FSM_WarpingError", "Flicker", videos=videos["clips"], **flow, table="flicker")
    jump = g.add("FSM_FirstFrameJump", "First frame", videos=videos["clips"], table="first_frame")
    g.group("Reports")
    for title, source in (("CLIP report", clip), ("Flicker report", warp), ("First-frame report", jump)):
        tell(g, title, source["report"])
    g.group("Pictures")
    g.add("PreviewImage", "CLIP curves", images=clip["curves"])
    g.add("PreviewImage", "Flow", images=warp["picture"])
    g.column()
    g.add("PreviewImage", "Flicker curves", images=warp["curves"])
    g.add("PreviewImage", "First-frame curves", images=jump["curves"])
    return g


def measure_fvd(g: Graph) -> Graph:
    """How far a set of generated videos is from a set of real ones."""
    g.note("**Generated** and **Real**: folders in ComfyUI's *input* folder, as many videos in either, 256 and more if "
           "you can.",
           "**Distance**: I3D's weights, in *models/i3d*; and how many frames of every video are compared.",
           "**Distance**: under *keep_reference_as* the real set's numbers are kept; next time choose them as "
           "*kept_reference*, without **Real**.",
           expect="A second or two per video on a CPU; the report says how sure the number is.")  # fmt: skip
    g.group("Two sets", below=True)
    generated = g.add("FSM_LoadClips", "Generated", folder="my_clips")
    real = g.add("FSM_LoadClips", "Real", folder="real_clips")
    g.group("How far apart")
    fvd = g.add("FSM_FrechetVideoDistance", "Distance", videos=generated["clips"], reference=real["clips"],
                table="fvd")  # fmt: skip
    g.group("What was found")
    tell(g, "Report", fvd["report"])
    g.add("PreviewImage", "Both sets", images=fvd["picture"])
    return g


def compare_adapters(g: Graph) -> Graph:
    """`python3 dev compare` queues the upper row of it for each adapter."""
    g.note(ADAPTER,
           "**Other motion adapter**: what it is compared with. Both get the same words, first frame, noise and seeds.",
           "**Numbers**, **Other numbers**: a file with both towers of CLIP, in *models/clip_vision*. Every run adds "
           "lines to *output/metrics*.",
           expect="Two clips of 16 frames, and a few seconds to measure each.")  # fmt: skip
    checkpoint, first = motion_model(g)
    second = g.add("FSM_LoadMotionAdapter", "Other motion adapter", model=checkpoint["MODEL"])
    g.group("Words")
    words = g.add("PrimitiveStringMultiline", "Words", value=PROMPT)
    prompts = prompts_of(g, checkpoint["CLIP"], text=words["STRING"])
    g.group("First frame and noise")
    painted = paint(g, checkpoint["MODEL"], prompts)
    noise = g.add("FSM_FrameNoise", "Noise", "randomize")
    shared = {**prompts, "first_frame": painted["LATENT"], "noise": noise["NOISE"]}
    sides = (("", first["MODEL"]), ("Other ", second["MODEL"]))
    clips = [_clip(g, other, model, shared, checkpoint["VAE"]) for other, model in sides]
    found = [_measures(g, other, clip, words["STRING"]) for (other, _), clip in zip(sides, clips, strict=True)]
    for (other, _), measures in zip(sides, found, strict=True):
        g.group(_title(other, "Tables"), below=bool(other))
        for name, node in measures.items():
            tell(g, _title(other, name), node["report"])
    return g


def _title(other: str, name: str) -> str:
    return f"{other}{name.lower() if other else name}"


def _clip(g: Graph, other: str, model: Link, shared: dict[str, Link], vae: Link) -> Link:
    g.group(_title(other, "Clip"), below=bool(other))
    sampler = g.add("FSM_FirstFrameKSampler", _title(other, "Sampler"), model=model, **shared)
    frames = g.add("VAEDecode", _title(other, "Decode"), samples=sampler["LATENT"], vae=vae)["IMAGE"]
    g.column()
    video = g.add("CreateVideo", _title(other, "Frame rate"), images=frames)
    g.add("SaveVideo", _title(other, "Save video"), video=video["VIDEO"])
    return frames


def _measures(g: Graph, other: str, frames: Link, prompt: Link) -> dict[str, Node]:
    """Each under the title of its report."""
    g.group(_title(other, "Measures"), below=bool(other))
    numbers = g.add("FSM_ClipVideoMetrics", _title(other, "Numbers"), videos=frames, prompts=prompt,
                    table="compare_clip")  # fmt: skip
    flicker = g.add("FSM_WarpingError", _title(other, "Flicker"), videos=frames, table="compare_flicker")
    jump = g.add("FSM_FirstFrameJump", _title(other, "First-frame jump"), videos=frames, table="compare_first_frame")
    return {"Numbers' report": numbers, "Flicker's report": flicker, "Jump's report": jump}


WORKFLOWS = (measure_clip, measure_fvd, compare_adapters)
