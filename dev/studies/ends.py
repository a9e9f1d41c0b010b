"""Clips that end in a given frame, and clips that loop: motion learnt with both ends given beside motion learnt from
first frames alone.

"moves right" is learnt from clips at two speeds, so that how a clip begins does not tell where it ends; "orbits" from
whole turns. First frames that no clip has shown are then animated to exact last frames at three speeds, one of them
never learnt, and in loops. `python3 dev study ends` writes docs/ends.md; trainings and clips are kept under
`.dev/study/ends`, so that it may be cut.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import clips
import measure
import numpy as np
import torch
import world
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.nodes.sampling import FirstFrameKSampler

from ..interpreter import STATE
from . import long, study_page
from .classroom import CLIPS, FRAMES, SAMPLING, SEED, Classroom
from .studio import kept, pixels

RESULTS = STATE / "study" / "ends"
TURN = FRAMES + 1  # frames of a whole turn, the last like the first
LEARNT_SPEEDS, SPEEDS = (0.5, 1.0), (0.5, 0.75, 1.0)
FIRST_FRAMES_STEPS = 800  # of a motion that the miniature brings no adapter of
WAYS = {"both ends learnt": True, "first frames alone": False}
MEASURES = ("found", "colour_kept", "shape_iou", "path_error", "seam", "largest_step")


@dataclass(frozen=True)
class Task:
    """A motion at a speed, of so many frames; a loop's last frame is like its first, and left out in the end."""

    motion: str
    speed: float
    frames: int
    loop: bool = False

    def course(self, start: world.State) -> list[world.State]:
        """Where the subject is in each frame."""
        exact = world.path(self.motion, start, self.frames)
        whole, part = zip(*(divmod(self.speed * i, 1) for i in range(self.frames)), strict=True)
        return [_between(exact, int(i), share) for i, share in zip(whole, part, strict=True)]


def _between(course: list[world.State], i: int, share: float) -> world.State:
    a, b = course[i], course[min(i + 1, len(course) - 1)]
    return replace(a, x=a.x + share * (b.x - a.x), y=a.y + share * (b.y - a.y))


TASKS = {
    **{f"moves right, {speed:g} of its speed": Task("moves right", speed, FRAMES) for speed in SPEEDS},
    "orbits, loop": Task("orbits", 1.0, TURN, loop=True),
}


def learnt(room: Classroom, motion: str, both_ends: bool, steps: int) -> MotionAdapter:
    """One that is learnt here with both ends given, or the one of the study of long clips."""
    if not both_ends:
        return long.adapter_of(room, motion, FIRST_FRAMES_STEPS)
    frames = TURN if motion == "orbits" else FRAMES
    scenes = clips.first_frames(motion, CLIPS, SEED + 1, exclude=[scene for scene, _ in room.unseen])
    speeds = [1.0] if motion == "orbits" else LEARNT_SPEEDS
    shown = [(scene, Task(motion, speed, frames).course(start)) for scene, start in scenes for speed in speeds]
    room.clips = [torch.from_numpy(world.draw_clip(scene, course)).float() / 255 for scene, course in shown]
    room.captions = [scene.caption(motion) for scene, _ in shown]
    return room.train("both_ends", 0, steps, frames=frames, both_ends=True)[0]


def make(room: Classroom, model, task: Task, seed: int) -> np.ndarray:
    """A clip uint8 `f h w 3`."""
    scene, start = room.unseen[seed]
    end = torch.from_numpy(world.draw(scene, task.course(start)[-1]))[None].float() / 255
    with torch.inference_mode(), room.precision():
        ends = {"loop": True} if task.loop else {"last_frame": {"samples": room.vae.encode(end)}}
        clip = FirstFrameKSampler.execute(
            model, room.encode(scene.caption(task.motion)), room.encode(""), room.first_frame(scene, start),
            task.frames - task.loop, seed, noise=room.noise, **SAMPLING, **ends,
        ).args[0]["samples"]  # fmt: skip
        return pixels(room.vae.decode(clip.float()))


def measured(clip: np.ndarray, task: Task, scene: world.Scene, start: world.State) -> dict[str, float]:
    """seam: the subject's step into the last frame, or of a loop back into the first, over the median of the others;
    largest_step: the largest of all over it.
    """
    found = measure.measure_clip(clip, scene, task.course(start)[: len(clip)])
    seen = [measure.find_subject(frame, (scene.shape,)) for frame in (*clip, *clip[:1])[: len(clip) + task.loop]]
    places = np.array([(at.x, at.y) if at else (np.nan, np.nan) for at in seen])
    lengths = np.linalg.norm(np.diff(places, axis=0), axis=1)
    usual = np.nanmedian(lengths[:-1])
    return {**found, "seam": lengths[-1] / usual, "largest_step": np.nanmax(lengths) / usual}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1400, help="of training with both ends")
    parser.add_argument("--seeds", type=int, default=3, help="each animates two first frames")
    options, rows = parser.parse_args(), {}
    for motion in dict.fromkeys(task.motion for task in TASKS.values()):
        for way, both_ends in WAYS.items():
            folder = RESULTS if both_ends else long.RESULTS  # where its training is kept
            room = Classroom(motion, 2 * options.seeds, folder / motion)
            model = apply_adapter(room.model, learnt(room, motion, both_ends, options.steps))
            for name, task in TASKS.items():
                if task.motion == motion:
                    rows[f"{name}: {way}"] = of = {}
                    for seed in range(options.seeds):
                        of[str(seed)] = _mean(partial(_one, room, model, task, f"{name}_{way}"), seed)
                        print(name, way, seed, of[str(seed)], flush=True)
    results = {"scenes": 2, "frames": FRAMES, "measures": MEASURES, "drawn": ("path_error", "seam", "largest_step"),
               "rows": rows}  # fmt: skip
    study_page.keep("ends", results)
    study_page.write("ends")


def _one(room: Classroom, model, task: Task, name: str, number: int) -> dict[str, float]:
    clip = kept(RESULTS / f"{name}_{number}.npz", lambda: make(room, model, task, number))
    return measured(clip, task, *room.unseen[number])


def _mean(of: Callable[[int], dict[str, float]], seed: int) -> dict[str, float]:
    """Of a seed's two first frames; a step that cannot be measured, for the subject is not found, is left out."""
    found = [of(2 * seed), of(2 * seed + 1)]
    return {key: round(float(np.nanmean([one[key] for one in found])), 4) for key in MEASURES}


if __name__ == "__main__":
    main()
