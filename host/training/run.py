"""One training run inside ComfyUI: its loop with progress, samples and Cancel, and what is kept of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import folder_paths
import torch

from ...motion_modules.adapter import MotionAdapter
from ...training.loop import Run, new_run, train
from ...training.loss_scale import LossScale
from ...training.mask_loss import MaskSettings
from ...training.schedule import RATES
from .diary import Diary
from .identity import model_identity
from .kept_run import Keeper
from .lesson import Lesson
from .material import Material
from .progress import Progress
from .samples import Samples
from .settings import Settings


@dataclass
class Sampling:
    """Sample clips of a run: every so many steps (0: none), from a first frame LATENT `1 c h w` and a prompt."""

    every: int
    first: torch.Tensor = field(repr=False)
    positive: list = field(repr=False)
    negative: list | None = field(default=None, repr=False)


@dataclass
class Learnt:
    """What a run gave: the motion, the run's losses, what to tell its user, and the newest sample clip."""

    adapter: MotionAdapter
    run: Run
    lines: list[str]
    sample: Path | None = None

    def shown(self) -> dict:
        """The newest sample as a node shows it."""
        if self.sample is None:
            return {}
        output = Path(folder_paths.get_output_directory())
        place = self.sample.parent.relative_to(output).as_posix()
        picture = {"filename": self.sample.name, "subfolder": place, "type": "output"}
        return {"images": [picture], "animated": (True,)}


@torch.inference_mode(False)
@torch.enable_grad()
def learn(model, vae, material: Material, positive: list, settings: Settings, learning: MaskSettings,
          notes: Mapping[str, Any], keeper: Keeper, sampling: Sampling) -> Learnt:  # fmt: skip
    """Train to the end, from where the run was kept if it is to be resumed.

    `positive`: CONDITIONINGs, one per clip or one for all; `notes` go into the metadata. Whatever ends it early keeps
    what was learnt by then. Raises ValueError where memory, disk or what is kept will not do,
    InterruptProcessingException on Cancel.
    """
    lesson = Lesson(model, material.clips, settings, learning, dict(notes))
    lines = [*material.lines, *lesson.lines]
    scale = LossScale() if lesson.autocast == torch.float16 else None
    run = new_run(lesson.trained, settings.learning_rate, {".to_q.delta.": settings.query_rate}, scale)
    keeper.identity |= {**material.identity, **model_identity(lesson.base, vae)}
    keeper.check(sum(value.numel() for value in lesson.trained.values()))
    progress = Progress(lesson.device, f"{keeper.name}: {lesson.needed}")
    diary = Diary(keeper.folder, {**asdict(settings), **notes}, lines)
    try:
        progress.stage("Loading the model", 0, 1)
        keeper.restore(run)
        lesson.prepare(positive)
        samples = Samples(lesson, vae, keeper.folder, sampling.first, sampling.positive, sampling.negative)
        progress.learning_begins(len(run.losses))
        for done in train(run, lesson.loss_at, settings.steps, settings.seed, rate=RATES[settings.lr_schedule]):
            progress.step(run, settings.steps)
            if sampling.every and (done.step % sampling.every == 0 or done.step == settings.steps):
                if picture := samples.take(done.step):
                    progress.sample(picture, done.step, settings.steps)
                diary.write(run)
            if keeper.every and (done.step % keeper.every == 0 or done.step == settings.steps):
                keeper.keep_on_the_way(run, lesson.adapter(done.step))
        return Learnt(lesson.adapter(len(run.losses)), run, lines, samples.newest)
    except BaseException:
        if run.learnt:
            keeper.keep_at_the_end(run, lesson.adapter(len(run.losses)))
        raise
    finally:
        if run.learnt:
            diary.write(run)
        lesson.close()
