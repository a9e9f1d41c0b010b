"""One clip, its subject drawn anew in another colour: Tune-A-Video learnt from that clip alone, beside the same without
what it learnt.

The shipped workflow on a real server with the miniature. Edited clips are kept under `.dev`, so an interrupted study
goes on where it stopped. `python3 dev study tune_a_video` writes docs/tune_a_video.md, and a contact sheet to
`.dev/study/tune_a_video`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import measure
import numpy as np
import world
from testset import Case

from .. import contact_sheet, demo, markdown, prompt
from ..frames import fetched
from ..interpreter import ROOT, STATE
from .served import served
from .studio import kept

RESULTS = STATE / "study" / "tune_a_video"
FILE = ROOT / "docs" / "tune_a_video.md"
FRAMES, TRAINING, STEPS, CFG = 8, (100, 300), 20, 1.5
MEASURES = ("displacement_ratio", "direction_cosine", "path_error", "colour", "found")


@dataclass(frozen=True)
class Edit:
    """A clip, and the colour its subject is to get."""

    clip: Case
    colour: str

    @property
    def wanted(self) -> Case:
        """The exact clip that the edit should give."""
        return replace(self.clip, scene=replace(self.clip.scene, colour=self.colour))

    @property
    def name(self) -> str:
        """For files: the caption and the new colour."""
        return f"{self.clip.caption}, {self.colour}".replace(" ", "_").replace(",", "")


def _edit(colour: str, shape: str, background: str, motion: str, start: world.State, wanted: str) -> Edit:
    return Edit(Case(world.Scene(colour, shape, background), motion, world.path(motion, start, FRAMES)), wanted)


EDITS = (
    _edit("red", "ball", "grass", "moves right", world.State(4.0, 8.0), "blue"),
    _edit("yellow", "box", "stone", "rises", world.State(8.0, 11.0), "purple"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=len(EDITS), help="the first so many edits")
    parser.add_argument("--steps", type=int, nargs="+", default=TRAINING, help="of training")
    options = parser.parse_args()
    edits = EDITS[: options.count]
    drawn: list[contact_sheet.Group] = [{} for _ in edits]
    with served("tune-a-video") as studio:
        for edit, group in zip(edits, drawn, strict=True):
            demo.clips.write_clip(studio.input / f"{edit.name}.mp4", edit.clip.draw())
            for row, (training, inverted_with) in _rows(options.steps).items():
                with studio.phase(f"{edit.clip.caption}, {edit.colour}: {row}"):
                    group[row] = kept(
                        RESULTS / row / f"{edit.name}.npz", partial(_sample, studio, edit, training, inverted_with)
                    )
    groups = [{"the clip": edit.clip.draw(), **group} for edit, group in zip(edits, drawn, strict=True)]
    contact_sheet.sheet(groups).save(RESULTS / "clips.png")
    table = _table(edits, drawn)
    FILE.write_text(_HEAD + table, encoding="utf-8")
    print(f"\n{table}\nwritten: {FILE.relative_to(ROOT)}; the clips are in {RESULTS}")


def _rows(steps: Sequence[int]) -> dict[str, tuple[int, str]]:
    """Name -> steps of training, prompt of the inversion."""
    rows = {}
    for count in steps:
        rows |= {f"{count} steps": (count, "Empty prompt"), f"{count} steps, caption": (count, "Caption")}
    return {**rows, "no adapter": (0, "Empty prompt")}


def _sample(studio: demo.Demo, edit: Edit, training: int, inverted_with: str) -> np.ndarray:
    """The frames of the clip drawn anew, uint8 (f, h, w, 3); without any step of training there is no adapter, the rest
    is the same.
    """
    graph = prompt.load("edit_video_tune_a_video")
    prompt.set_inputs(graph, "Checkpoint", ckpt_name=studio.checkpoint)
    prompt.set_inputs(graph, "Video", file=f"{edit.name}.mp4")
    prompt.set_inputs(graph, "Scale", **studio.size)
    prompt.set_inputs(graph, "Frames", length=FRAMES)
    prompt.set_inputs(graph, "Caption", text=edit.clip.caption)
    prompt.set_inputs(graph, "Prompt", text=edit.wanted.caption)
    prompt.set_inputs(
        graph,
        "Train",
        **{**studio.settings.train, **studio.size, "frames": FRAMES, "steps": training, "seed": demo.SEED},
    )
    prompt.set_inputs(graph, "Inversion", steps=STEPS, positive=[prompt.titled(graph, inverted_with), 0])
    prompt.set_inputs(graph, "Sampler", steps=STEPS, cfg=CFG)
    if not training:
        prompt.bypass(graph, "Motion", "model")
        graph.pop(prompt.titled(graph, "Train"))
    frames = prompt.add_frame_saver(graph, "Save video", "tune_a_video/frames")
    files = studio.client.run(graph)[frames]["images"]
    return fetched(studio.client, files)


_HEAD = f"""# Tune-A-Video, measured

Made by `python3 dev study tune_a_video`: the shipped workflow *edit_video_tune_a_video* on the miniature, whose world
is drawn by code, so that the subject's place and colour are known in every frame. {FRAMES} frames, {STEPS} steps of
inversion and of sampling, cfg {CFG}; the new prompt is the clip's caption with another colour. The rows: how many
training steps; inverted with the empty prompt, as the release does, or with the clip's *caption*; *no adapter*: the
same image model with nothing learnt from the clip. One seed.

displacement_ratio and direction_cosine compare the subject's way from first to last frame with the clip's, path_error
is its mean distance from the clip's course in cells of 8 px, colour the share of frames in the colour asked for,
found the share that show a subject at all. 1 is perfect everywhere but in path_error. Same move: a displacement
within 20 % and a cosine of 0.9 or more; without an adapter it may be made too, but in another place, which path_error
tells.

"""


def _table(edits: Sequence[Edit], drawn: list[contact_sheet.Group]) -> str:
    lines = []
    for edit, group in zip(edits, drawn, strict=True):
        for row, clip in group.items():
            found = measure.measure_clip(clip, edit.wanted.scene, edit.wanted.states)
            found["colour"] = found["colour_kept"]
            same_move = abs(found["displacement_ratio"] - 1) <= 0.2 and found["direction_cosine"] >= 0.9
            values = [f"{found[key]:.2f}" for key in MEASURES]
            lines.append([edit.clip.caption, edit.colour, row, *values, "yes" if same_move else "no"])
    return markdown.table(["clip", "asked for", "", *MEASURES, "same move"], lines)
