"""64 frames by LAMP through core's context windows: is frame 0 kept exactly, and are there seams?

A seam is where a window begins or ends; the step from a frame to the next there is held against the steps everywhere
else, in brightness, colour and pixels. `python3 dev study windows` learns two motions (kept under `.dev/study/windows`,
resumable), prints the table, writes contact sheets.
"""

import argparse

import torch
import world
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.metrics.first_frame import colour_means

from .. import contact_sheet, markdown
from ..interpreter import STATE
from .classroom import FRAMES, Classroom

RESULTS = STATE / "study" / "windows"
MOTIONS = {"stands in the rain": 400, "moves right": 800}  # training steps
LENGTH = 64


def seams(length: int, overlap: int, window: int = FRAMES) -> set[int]:
    """Steps, counted by their first frame, over which a window begins or ends."""
    begins = range(0, length - overlap, window - overlap)
    return {step for begin in begins for step in (begin - 1, begin + window - 1) if 0 < step < length - 1}


def ratios(picture: torch.Tensor, overlap: int) -> dict[str, float]:
    """Mean step at the seams over the mean step elsewhere, of a clip `f h w 3` in [0, 1]; the step from frame 0 counts
    for neither.
    """
    means = colour_means(picture.movedim(-1, 1)).diff(dim=0)
    steps = {
        "brightness": means[:, 0].abs(),
        "colour": means[:, 1:].norm(dim=1),
        "pixels": picture.diff(dim=0).square().mean(dim=(1, 2, 3)).sqrt(),
    }
    at = sorted(seams(len(picture), overlap))
    elsewhere = [i for i in range(1, len(picture) - 1) if i not in at]
    return {name: float(values[at].mean() / values[elsewhere].mean()) for name, values in steps.items()}


def long_clip(
    classroom: Classroom, adapter, motion: str, scene: world.Scene, start: world.State, overlap: int
) -> tuple[torch.Tensor, bool]:
    """A clip's pictures `f h w 3`, and whether its first latent is the given one to the last bit."""
    windowed = ContextWindowsManualNode.execute(
        apply_adapter(classroom.model, adapter), FRAMES, overlap, "standard_static", 1, False, "pyramid", 0, True,
        latent_retain_index_list="0", causal_window_fix=True,
    ).args[0]  # fmt: skip
    first = classroom.first_frame(scene, start)
    with classroom.precision():
        positive, negative = classroom.encode(scene.caption(motion)), classroom.encode("")
    clip = classroom.animate(windowed, positive, negative, first, LENGTH)["samples"]
    return classroom.vae.decode(clip.float()), torch.equal(clip[:1].float(), first["samples"].float())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2, help="clips of each motion")
    parser.add_argument(
        "--overlap", type=int, default=12, help="frames that a window of 16 has in common with the next"
    )
    options = parser.parse_args()
    rows = []
    for motion, steps in MOTIONS.items():
        classroom = Classroom(motion, options.count, RESULTS / motion)
        adapter = classroom.train(motion, 0, steps)[0]
        groups, found, exact = [], [], True
        for scene, start in classroom.unseen:
            with torch.inference_mode():
                picture, same = long_clip(classroom, adapter, motion, scene, start, options.overlap)
            found.append(ratios(picture, options.overlap))
            exact &= same
            print(scene.caption(motion), {name: round(value, 2) for name, value in found[-1].items()}, flush=True)
            pixels = (picture * 255).round().byte().numpy()
            groups.append({f"from {i}": pixels[i : i + FRAMES] for i in range(0, LENGTH, FRAMES)})
        contact_sheet.sheet(groups).save(RESULTS / f"{motion}.png")
        means = [sum(one[name] for one in found) / len(found) for name in found[0]]
        rows.append([motion, "exact" if exact else "changed", *(f"{value:.2f}" for value in means)])
    print(markdown.table(["motion", "frame 0", "brightness", "colour", "pixels"], rows))


if __name__ == "__main__":
    main()
