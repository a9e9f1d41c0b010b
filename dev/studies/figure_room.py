"""The miniature's second edition in this process: training sets of figures before a camera, adapters learnt from them,
first frames of figures that no set has shown, animated.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import figure_clips
import folder_paths
import numpy as np
import torch
from few_shot_motion.host.files.weights_file import fingerprint
from few_shot_motion.host.patching.bridge import apply_adapter
from few_shot_motion.motion_modules.adapter import MotionAdapter
from few_shot_motion.motion_modules.mask_predictor import MaskPredictor
from few_shot_motion.nodes.frame_noise import FrameNoise
from stage import Shot

from ..base import FIGURES, without_figures
from ..demo_worlds import WORLDS
from .classroom import CLIPS, FRAMES, SEED, Workshop, read_set
from .figure_case import FigureCase
from .figure_judge import FigureJudge
from .harness import Settings
from .judge import with_masks

OF_FIGURES: dict[str, Any] = {  # what every study of figures is
    "judge": lambda _: FigureJudge(), "weights": lambda room: room.made_by,
    "asked": ("motion", "camera", "actors", "alike"),  # of a row's clips, those it learns and those it animates
}  # fmt: skip
_DEMO = WORLDS["figures"].inputs
SAMPLED = {**_DEMO.sample, **_DEMO.noise}  # a row's settings that animate, and those that learn, as in the demo
LEARNT = {
    "training": _DEMO.train["steps"],
    "learning": {key: _DEMO.train[key] for key in _DEMO.train if key != "steps"} | _DEMO.settings,
}
Kind = tuple[str, str, int, bool]  # a motion, a camera, how many actors, whether clips are cut alike


def kind_of(settings: Settings) -> Kind:
    """What a row learns and animates."""
    return settings["motion"], settings["camera"], settings["actors"], settings.get("alike", True)


def named(kind: Kind) -> str:
    """A kind, as a name of files."""
    motion, camera, actors, alike = kind
    return f"{motion}, {camera}, {actors}, {'alike' if alike else 'as they come'}"


class FigureRoom(Workshop):
    """Training sets are written as rows ask for them; `clips`, `masks` and `captions` are those of all so far."""

    def __init__(self, unseen: int, results: Path):
        """unseen: first frames of every kind; results: where the sets, and runs that may be gone on with, are kept.
        Raises SystemExit where there is no checkpoint.
        """
        super().__init__(results)
        import nodes

        file = folder_paths.get_full_path("checkpoints", FIGURES.name)
        if file is None:
            raise SystemExit(f"error: {without_figures()}")
        self.model, self.clip, self.vae = nodes.CheckpointLoaderSimple().load_checkpoint(FIGURES.name)
        self.made_by, self.results, self._wanted = [fingerprint(Path(file))], results, unseen
        self.clips, self.masks, self.captions = [], [], []
        self._shown: dict[Kind, tuple[range, list[Shot]]] = {}

    def shown(self, kind: Kind) -> tuple[range, list[Shot]]:
        """Which of the clips are a kind's, and their shots."""
        if kind not in self._shown:
            motion, camera, actors, alike = kind
            clips, masks = (self.results / f"{named(kind)}{what}" for what in ("", ", masks"))
            shots = figure_clips.write_figure_set(clips, motion, CLIPS, FRAMES, SEED, camera, actors, masks, alike)
            begins = len(self.clips)
            for kept, added in zip((self.clips, self.masks, self.captions), read_set(clips, masks), strict=True):
                kept += added
            self._shown[kind] = range(begins, len(self.clips)), shots
        return self._shown[kind]

    def cases(self, frames: int, motion: str, camera: str, actors: int, alike: bool = True) -> list[FigureCase]:
        """First frames of figures that are not in the kind's set, cut as it is."""
        _, seen = self.shown((motion, camera, actors, alike))
        shots = figure_clips.unseen_shots(motion, self._wanted, SEED, seen, camera, actors, alike)
        return [FigureCase(replace(shot, frames=frames)) for shot in shots]

    def adapter(self, settings: Settings, seed: int, frames: int) -> MotionAdapter:
        """What a row learns with a seed."""
        kind, learning, steps = kind_of(settings), settings["learning"], settings["training"]
        said = [named(kind), *learning.values(), f"{steps} steps", f"{frames} frames", f"seed {seed}"]
        name = ", ".join(map(str, said))
        only, _ = self.shown(kind)
        masks = {"masks": [self.masks[i] for i in only]} if "mask_input" in learning else {}
        return self.taught(
            f"{name}, over {self.made_by[0]}", seed, steps, only=only, frames=frames, **learning, **masks
        )  # fmt: skip


def make(room: FigureRoom, settings: Settings, case: FigureCase, seed: int) -> np.ndarray:
    """A clip uint8 `f h w 3` by what the row learns, or by the image model alone if it learns nothing, or the exact one
    through the autoencoder if it is "coded"; `f h w 4` where there is a predictor, with what it says of the finished
    latents.
    """
    frames = case.shot.frames
    if settings.get("coded"):
        with torch.inference_mode():
            return room.drawn(room.vae.encode(torch.from_numpy(case.draw()).float() / 255))
    adapter = room.adapter(settings, seed, frames) if "training" in settings else None
    looks_at, mask, model = adapter and adapter.metadata.get("mask_input"), None, room.model
    if looks_at == "conditioned":
        mask = torch.from_numpy(case.first_mask)[None].float()
    if adapter:
        model = apply_adapter(model, adapter, mask=mask)
    noise = FrameNoise.execute(seed, "shared", settings["alpha"], False).args[0]
    with torch.inference_mode():
        first = {"samples": room.vae.encode(torch.from_numpy(case.first_frame)[None].float() / 255)}
        words = room.encode(case.caption), room.encode("")
        how = {name: settings[name] for name in ("steps", "cfg")}
        latent = room.animate(model, *words, first, frames, seed=seed, noise=noise, **how)
        clip = room.drawn(latent["samples"])
        if adapter is None or looks_at not in ("x0", "noise"):
            return clip
        seen = room.model.model.process_latent_in(latent["samples"].float())
        return with_masks(clip, MaskPredictor.of(adapter.mask_tensors).probabilities(seen))
