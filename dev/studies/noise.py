"""What frames should have in common in the noise they start from: every strategy, by weight, at full variance and at
the papers' own.

The miniature's own adapter of "moves right" animates first frames that no clip has shown; what comes out is then asked
of a second motion, of more steps of another sampler, of clips whose last frame is given, too, and of a sampler that
draws noise in its steps. `python3 dev study noise` writes docs/noise.md.
"""

import comfy.samplers
import numpy as np
import torch
from few_shot_motion.nodes.frame_noise import FrameNoise, SamplerFrameNoise
from few_shot_motion.nodes.sampling import FirstFrameConditioning, MatchFirstFrame
from testset import Case
from world import CELL, path

from .classroom import SAMPLING, Shipped
from .harness import Settings, Study, run

ALPHAS = (0.2, 0.5, 0.8)
LAMPS = 0.68  # what the paper's formula leaves of the variance at its alpha, 0.2
PAPERS = "papers' variance"
_OTHERWISE: dict[str, Settings] = {
    "falls": {"steps": 10, "motion": "falls"},
    "25 steps of dpmpp_2m": {"steps": 25, "sampler": "dpmpp_2m", "scheduler": "karras"},
}
_HOW = {"sampler": "sampler_name", "scheduler": "scheduler", "statistics": "statistics"}  # as the node calls them
_INDEPENDENT: Settings = {"strategy": "independent", "alpha": 0.0, "unit": True}


def _variants() -> dict[str, Settings]:
    rows: dict[str, Settings] = {"independent": {**_INDEPENDENT, "steps": 10}}
    for strategy in ("shared", "autoregressive", "warped"):
        for alpha in ALPHAS:
            rows |= _both(f"{strategy} {alpha}", {"strategy": strategy, "alpha": alpha, "steps": 10})
    rows[f"independent, variance {LAMPS}"] = {**rows["independent"], "variance": LAMPS}
    for where, settings in _OTHERWISE.items():
        rows[f"{where}: independent"] = {**settings, **_INDEPENDENT}
        for strategy in ("shared", "autoregressive"):
            rows |= _both(f"{where}: {strategy} 0.2", {**settings, "strategy": strategy, "alpha": 0.2})
        rows[f"{where}: independent, variance {LAMPS}"] = {**settings, **_INDEPENDENT, "variance": LAMPS}
    rows[f"statistics at every step: shared 0.2, {PAPERS}"] = {
        "steps": 10, "strategy": "shared", "alpha": 0.2, "unit": False, "statistics": "match at every step (LAMP)",
    }  # fmt: skip
    ends: Settings = {"steps": 10, "strategy": "shared", "alpha": 0.2, "last_frame": True}
    rows |= _both("last frame given: shared 0.2", ends)
    drawing = {"steps": 10, "in_steps": "euler_ancestral", "alpha": 0.2}
    rows["euler_ancestral: independent"] = {**drawing, **_INDEPENDENT, "unit_in_steps": True}
    for unit, unit_in_steps in ((True, True), (False, True), (False, False)):
        name = ["full", PAPERS][not unit] + ("" if unit == unit_in_steps else " at the start, full in the steps")
        settings = {**drawing, "strategy": "shared", "unit": unit, "unit_in_steps": unit_in_steps}
        rows[f"euler_ancestral: shared 0.2, {name}"] = settings
    return rows


def _both(name: str, settings: Settings) -> dict[str, Settings]:
    return {name: {**settings, "unit": True}, f"{name}, {PAPERS}": {**settings, "unit": False}}


class _Quieter:
    """ComfyUI's NOISE: another's, weaker."""

    def __init__(self, noise, variance: float):
        self.noise, self.factor, self.seed = noise, variance**0.5, noise.seed

    def generate_noise(self, latent: dict):
        """Core's own call."""
        return self.factor * self.noise.generate_noise(latent)


def make(room: Shipped, settings: Settings, case: Case, seed: int) -> np.ndarray:
    """Warped noise moves as the subject does."""
    a, b = path(case.motion, case.states[0], 2)
    move = ((b.x - a.x) * CELL, (b.y - a.y) * CELL)
    noise = FrameNoise.execute(seed, settings["strategy"], settings["alpha"], settings["unit"], *move).args[0]
    if "variance" in settings:
        noise = _Quieter(noise, settings["variance"])
    if "in_steps" in settings:
        return _drawn_in_steps(room, settings, case, seed, noise)
    how = {node: settings[own] for own, node in _HOW.items() if own in settings}
    model = room.adapted(case.motion)
    if "last_frame" in settings:
        model = room.adapted(f"{case.motion} to an end")
        how["last_frame"] = room.first_frame(case.scene, case.states[-1])
    return room.animated(model, case, seed=seed, noise=noise, steps=settings["steps"], **how)


def _drawn_in_steps(room: Shipped, settings: Settings, case: Case, seed: int, noise) -> np.ndarray:
    """By a sampler whose frames share the noise of its steps, too."""
    first = room.first_frame(case.scene, case.states[0])
    with torch.inference_mode():
        model, clip = FirstFrameConditioning.execute(room.adapted(case.motion), first, len(case.states)).args
        sampler = SamplerFrameNoise.execute(
            comfy.samplers.sampler_object(settings["in_steps"]), settings["strategy"], settings["alpha"],
            settings["unit_in_steps"], 0.0, 0.0,
        ).args[0]  # fmt: skip
        made = room.written(
            model, case.caption, noise.generate_noise(clip), settings["steps"], SAMPLING["cfg"], sampler=sampler,
            latents=clip["samples"], seed=seed,
        )  # fmt: skip
        return room.drawn(MatchFirstFrame.execute({"samples": made}).args[0]["samples"])


STUDY = Study(
    "noise",
    _variants(),
    ("direction_cosine", "displacement_ratio", "path_error", "shape_iou", "colour_kept", "background_change",
     "first_frame_jump", "consistency", "sharpness"),
    ("path_error", "shape_iou", "background_change", "first_frame_jump"),
    Shipped,
    make,
    quick={"steps": 2},
)  # fmt: skip


def main() -> None:
    """The command."""
    run(STUDY)
