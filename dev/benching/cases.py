"""What `python3 dev bench` times, and what it is held against."""

from collections.abc import Callable
from dataclasses import dataclass

DIFFUSERS = "diffusers' own"
FILES = "save and load: "


@dataclass(frozen=True)
class Case:
    """A motion for a family of models, and the clips it is timed on; size: of the latents, 8 px each."""

    family: str
    motion: str
    clips: int = 1
    frames: int = 8
    size: tuple[int, int] = (16, 16)
    checkpointing: bool = False

    @property
    def name(self) -> str:
        """Of its row, and of what is kept of it."""
        words = [self.shape, "two clips"] if self.clips == 2 else [self.shape]
        return f"{self.family}: {self.motion}, {', '.join(words + ['checkpointing'] * self.checkpointing)}"

    @property
    def shape(self) -> str:
        """Frames x height x width in latents."""
        return f"{self.frames}x{self.size[0]}x{self.size[1]}"

    @property
    def script(self) -> str:
        """The module that times it."""
        if self.motion.startswith(FILES):
            return "dev.benching.files"
        return "dev.benching.peer" if self.motion == DIFFUSERS else "dev.benching.case"

    @property
    def words(self) -> list[str]:
        """For that module's command line."""
        words = [self.motion, "--family", self.family, "--clips", self.clips, "--frames", self.frames]
        return [*map(str, words), "--size", *map(str, self.size), *["--checkpointing"] * self.checkpointing]


LONG, LARGE = {"frames": 16}, {"frames": 16, "size": (32, 32)}
CASES = (
    Case("SD 1.5", "LAMP"),
    Case("SD 1.5", "LAMP", clips=2),
    Case("SD 1.5", "LAMP rank 32"),
    Case("SD 1.5", "LAMP rank 32", clips=2),
    Case("SD 1.5", "AnimateDiff v2", **LONG),
    Case("SD 1.5", DIFFUSERS, **LONG),
    Case("SD 1.5", "AnimateDiff v2", **LARGE),
    Case("SD 1.5", DIFFUSERS, **LARGE),
    Case("SD 1.5", "Recurrent"),
    Case("SD 1.5", "Tune-A-Video"),
    Case("SD 1.5", "Text2Video-Zero"),
    Case("ModelScope", "ModelScope", **LONG),
    Case("ModelScope", DIFFUSERS, **LONG),
    Case("SDXL", "LAMP"),
    Case("SDXL", "LAMP rank 32"),
    Case("SDXL", "AnimateDiff v2"),
    Case("SD 1.5", "training: LAMP rank 32"),
    Case("SD 1.5", "training: LAMP rank 32", checkpointing=True),
    Case("SD 1.5", "training: LAMP"),
    Case("SD 1.5", "training: LAMP", checkpointing=True),
    Case("SD 1.5", "training: Recurrent rank 32"),
    Case("SD 1.5", "training: Recurrent rank 32", checkpointing=True),
    Case("SD 1.5", "training: Tune-A-Video rank 32"),
    Case("SD 1.5", "training: Tune-A-Video rank 32", checkpointing=True),
    Case("SD 1.5", f"{FILES}LAMP"),
    Case("SD 1.5", f"{FILES}LAMP rank 32"),
)


@dataclass(frozen=True)
class Goal:
    """A bound on one figure of the results, or on a share of two."""

    words: str
    figure: Callable[[dict], float]  # of what is known: name of a case -> its figures; KeyError where it was not timed
    most: float
    unit: str = "x"


def _ratio(case: Case) -> Callable[[dict], float]:
    return lambda known: known[case.name]["ratio"]


def _peak(case: Case) -> Callable[[dict], float]:
    return lambda known: known[case.name]["peak"] / 1e9


def _beside_diffusers(family: str, motion: str, **shape) -> Callable[[dict], float]:
    ours, theirs = (Case(family, which, **shape).name for which in (motion, DIFFUSERS))
    return lambda known: known[ours]["ratio"] / known[theirs]["ratio"]


# the official training step took 15.99 s where the image model's forward took 3.66 s, measured apart on such a machine
OFFICIAL_STEP = 15.99 / 3.66
_TRAINING, _V2 = "training: LAMP rank 32", "AnimateDiff v2"
GOALS = (
    Goal("LAMP, one call, of the image model's", _ratio(Case("SD 1.5", "LAMP")), 1.22),
    Goal("LAMP rank 32, the same", _ratio(Case("SD 1.5", "LAMP rank 32")), 1.05),
    Goal("training step, rank 32, of the official one",
         lambda known: known[Case("SD 1.5", _TRAINING).name]["ratio"] / OFFICIAL_STEP, 0.5),
    Goal("the same in little memory", _peak(Case("SD 1.5", _TRAINING, checkpointing=True)), 5.0, " GB"),
    Goal("training step, rank 0, of the official one",
         lambda known: known[Case("SD 1.5", "training: LAMP").name]["ratio"] / OFFICIAL_STEP, 0.7),
    Goal("AnimateDiff v2, 16x16x16, of diffusers' own", _beside_diffusers("SD 1.5", _V2, **LONG), 1 / 1.1),
    Goal("AnimateDiff v2, 16x32x32, of diffusers' own", _beside_diffusers("SD 1.5", _V2, **LARGE), 1 / 1.1),
    Goal("ModelScope, 16x16x16, of diffusers' own", _beside_diffusers("ModelScope", "ModelScope", **LONG), 0.95),
)  # fmt: skip
