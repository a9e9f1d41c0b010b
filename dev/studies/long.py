"""64 frames by a motion that was learnt from 16: the ways to go on, compared on two motions that can go on.

"moves right" crosses a strip of 40 x 8 cells, "orbits" goes round and round in the world's own picture. `python3 dev
study long` makes a clip for every motion, way and seed, each of a scene of its own, kept under `.dev/study/long`, so
that a run may be gone on with; writes docs/long_clips.md, and contact sheets.
"""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import measure
import numpy as np
import torch
import world
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from few_shot_motion.host.files import folders
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.host.patching.image_model import base_query
from few_shot_motion.host.sampling import long_clips
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.released import load_adapter
from few_shot_motion.nodes.frame_noise import FrameNoise
from few_shot_motion.nodes.sampling import FirstFrameKSampler
from few_shot_motion.samplers.pieces import pieces

from .. import contact_sheet
from ..interpreter import STATE
from . import study_page
from .classroom import FRAMES, SAMPLING, Classroom
from .studio import kept, pixels

RESULTS = STATE / "study" / "long"
SHIPPED = {"moves right": "miniature_moves_right.safetensors"}
# cells wide, and rows of the world's picture that are left: enough for the subject, and half the work
STRIPS = {"moves right": (40, slice(4, 12))}
STEPS = 6  # of sampling, where the demo takes 10: the course shows in them
AWAY = world.State(-50, -50)
# way -> known frames a piece begins with; 0: all frames in one run
WAYS = {"context windows": 4, "one known frame": 1, "four known frames": 4, "eight known frames": 8, "all at once": 0}
MEASURES = ("found", "colour_kept", "direction_cosine", "displacement_ratio", "shape_iou_at_the_end", "seam")
DRAWN = ("found", "direction_cosine", "displacement_ratio", "shape_iou_at_the_end")


def adapter_of(classroom: Classroom, motion: str, steps: int) -> MotionAdapter:
    """The miniature's own, or one that is learnt here."""
    if motion in SHIPPED:
        return load_adapter(folders.adapter_path(SHIPPED[motion]), base_query(classroom.model))
    return classroom.train(motion, 0, steps)[0]


def moving(model, adapter: MotionAdapter, way: str):
    """The MODEL that makes a long clip in this way."""
    if way in ("context windows", "all at once"):  # as if it had been learnt from clips of any length
        adapter = replace(adapter, metadata={**adapter.metadata, "frames": "4096"})
    patched = apply_adapter(model, adapter)
    if way != "context windows":
        return patched
    return ContextWindowsManualNode.execute(
        patched, FRAMES, WAYS[way], "standard_static", 1, False, "pyramid", 0, True, latent_retain_index_list="0",
        causal_window_fix=True,
    ).args[0]  # fmt: skip


def beginning(motion: str, scene: world.Scene, start: world.State) -> tuple[world.State, np.ndarray]:
    """Where the subject begins, and the exact first frame, uint8: in a strip, with room for where the motion goes."""
    if motion not in STRIPS:
        return start, world.draw(scene, start)
    wide, rows = STRIPS[motion]
    start = replace(start, y=(rows.start + rows.stop) / 2)
    ground = [world.draw(scene, AWAY)] * (wide // world.CELLS)
    return start, np.concatenate([world.draw(scene, start), *ground], axis=1)[_px(rows), : wide * world.CELL]


def _px(cells: slice) -> slice:
    return slice(cells.start * world.CELL, cells.stop * world.CELL)


def make(classroom: Classroom, adapter: MotionAdapter, motion: str, way: str, seed: int, frames: int) -> np.ndarray:
    """A clip, uint8 `f h w 3`."""
    scene, start = classroom.unseen[seed]
    picture = torch.from_numpy(beginning(motion, scene, start)[1])[None].float() / 255
    long_clips.OVERLAP = WAYS[way]
    with torch.inference_mode(), classroom.precision():
        positive, negative = classroom.encode(scene.caption(motion)), classroom.encode("")
        model, first = moving(classroom.model, adapter, way), {"samples": classroom.vae.encode(picture)}
        noise = FrameNoise.execute(seed, "shared", 0.2, True).args[0]
        clip = FirstFrameKSampler.execute(
            model, positive, negative, first, frames, seed, noise=noise, **{**SAMPLING, "steps": STEPS}
        ).args[0]["samples"]
        return pixels(classroom.vae.decode(clip.float()))


def followed(clip: np.ndarray, motion: str, scene: world.Scene, start: world.State) -> list:
    """Where the subject is in each frame of the whole picture, and what measure.find_subject says of it, which looks
    around where it was before; None where there is nothing.
    """
    rows = STRIPS[motion][1] if motion in STRIPS else slice(0, world.CELLS)
    found, x, last = [], start.x, clip.shape[2] // world.CELL - world.CELLS
    for frame in clip:
        left, picture = int(np.clip(round(x - world.CELLS / 2), 0, last)), world.draw(scene, AWAY)
        picture[_px(rows)] = frame[:, _px(slice(left, left + world.CELLS))]
        seen = measure.find_subject(picture, (scene.shape,))
        x = x if seen is None else seen.x + left
        found.append(None if seen is None else (x, seen))
    return found


def measured(
    clip: np.ndarray, motion: str, scene: world.Scene, start: world.State, joins: Iterable[int]
) -> dict[str, float]:
    """By name; joins: steps at which one run of the sampler meets the next. Without any there is no seam."""
    start, _ = beginning(motion, scene, start)
    found, exact = followed(clip, motion, scene, start), world.path(motion, start, len(clip))
    places = np.array([(x, seen.y) if seen else (np.nan, np.nan) for x, seen in (at or (0, None) for at in found)])
    ratio, cosine = measure.compare_courses(places, np.array([(state.x, state.y) for state in exact]))
    lengths, joins = np.linalg.norm(np.diff(places, axis=0), axis=1), sorted(joins)
    inside = [i for i in range(1, len(lengths)) if i not in joins]
    seam = np.nanmean(lengths[joins]) / np.nanmean(lengths[inside]) if joins else np.nan
    iou = [measure.shape_iou(at[1], start.size) if at else 0.0 for at in found]
    colour = [at is not None and at[1].colour == scene.colour for at in found]
    values = (np.mean([at is not None for at in found]), np.mean(colour), cosine, ratio, np.mean(iou[-8:]), seam)
    return {name: round(float(value), 4) for name, value in zip(MEASURES, values, strict=True) if not np.isnan(value)}


def cost_and_joins(way: str, frames: int, steps: int) -> tuple[float, list[int]]:
    """Frames the UNet sees for each one of the clip, guidance not counted, and where runs meet."""
    if way == "all at once":
        return float(steps), []
    if way == "context windows":
        windows = -(-(frames - WAYS[way]) // (FRAMES - WAYS[way]))
        return windows * FRAMES * steps / frames, seams(frames, WAYS[way])
    plan = pieces(frames, FRAMES, WAYS[way])
    return len(plan) * FRAMES * steps / frames, [piece.start + piece.known - 1 for piece in plan[1:]]


def seams(frames: int, overlap: int) -> list[int]:
    """Steps, counted by their first frame, over which a context window begins or ends."""
    begins = range(0, frames - overlap, FRAMES - overlap)
    return sorted({step for begin in begins for step in (begin - 1, begin + FRAMES - 1) if 0 < step < frames - 1})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--motions", nargs="+", default=["moves right", "orbits"], choices=sorted(world.MOTIONS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--steps", type=int, default=800, help="training steps where the miniature brings no adapter")
    options, rows = parser.parse_args(), {}
    for motion in options.motions:
        classroom, groups = Classroom(motion, options.seeds, RESULTS / motion), []
        adapter = adapter_of(classroom, motion, options.steps)
        for seed in range(options.seeds):
            clips = {}
            for way in options.ways:
                file = RESULTS / motion / f"{way}_{seed}_{options.frames}.npz"
                clips[way] = kept(file, partial(make, classroom, adapter, motion, way, seed, options.frames))
                cost, joins = cost_and_joins(way, options.frames, STEPS)
                row = measured(clips[way], motion, *classroom.unseen[seed], joins)
                rows.setdefault(f"{motion}: {way}", {})[str(seed)] = {**row, "per_frame": cost}
                print(motion, way, seed, row, flush=True)
            groups.append(clips)
        contact_sheet.sheet(groups).save(RESULTS / f"{motion}.png")
    study_page.keep("long_clips", {"scenes": 1, "frames": options.frames, "measures": (*MEASURES, "per_frame"),
                                   "drawn": DRAWN, "rows": rows})  # fmt: skip
    study_page.write("long_clips")


if __name__ == "__main__":
    main()
