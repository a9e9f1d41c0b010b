"""How a clip's limbs go against the exact ones: angles over time, the gait's period and phase, places, colours."""

import numpy as np
from figures import LIMBS, limb_angles, limb_area
from gaits import GAITS
from reading import Reading, read_clip
from stage import Shot, joints_of, part_masks
from world import CELL

MOVES = 15.0  # degrees between the ends of a bone's course: less has no course to compare
SEEN = 0.45  # of a limb: where the exact one is hidden more, nobody can say where it is
_PERIODS = np.geomspace(3.0, 20.0, 300)  # frames
_AS_GOOD = 1.15  # a shorter period that explains nearly as much is the period


def exact_angles(shot: Shot, actor: int = 0) -> np.ndarray:
    """Angles in degrees of upper and lower bone of every limb of LIMBS in every frame (f 8), without jumps at 180; NaN
    where the limb is hidden or out of the picture."""
    angles = []
    figure, cameras = shot.actors[actor].figure, shot.cameras()
    for i in range(shot.frames):
        masks, found = part_masks(shot, i), limb_angles(joints_of(shot, i, actor))
        row = []
        for limb in LIMBS:
            share = masks[f"{actor}.{limb}"].sum() / CELL**2 / limb_area(figure, limb) / cameras[i].zoom ** 2
            row += found[limb] if share >= SEEN else (np.nan, np.nan)
        angles.append(row)
    return _unwrap(np.array(angles))


def read_angles(readings: list[Reading | None]) -> np.ndarray:
    """The same of what was read (f 8), NaN where there is no figure."""
    rows = [[a for limb in LIMBS for a in limb_angles(r.joints)[limb]] if r else [np.nan] * 8 for r in readings]
    return _unwrap(np.array(rows))


def moving(exact: np.ndarray) -> np.ndarray:
    """Which bones, of exact angles (f 8), are to be seen in half of the frames and move there: bool (8)."""
    known = [course[~np.isnan(course)] for course in exact.T]
    return np.array([len(seen) >= max(4, len(exact) // 2) and np.ptp(seen) >= MOVES for seen in known])


def compare_angles(read: np.ndarray, exact: np.ndarray) -> float:
    """Mean correlation over time of those bones (f 8 both, degrees) that exactly move, in frames where both are known;
    a bone read in fewer than half of them counts 0; NaN where nothing exactly moves."""
    values = []
    move = moving(exact)
    for a, b in zip(read[:, move].T, exact[:, move].T, strict=True):
        known = ~np.isnan(b)
        both = known & ~np.isnan(a)
        if both.sum() < known.sum() / 2 or np.std(a[both]) < 1e-6:
            values.append(0.0)
            continue
        near = b[both] + (a[both] - b[both] + 180) % 360 - 180  # a whole turn off is not off
        values.append(float(np.corrcoef(near, b[both])[0, 1]))
    return float(np.mean(values)) if values else float("nan")


def period_of(angles: np.ndarray) -> float:
    """Frames after which the angles (f 8, degrees) come again, the shortest of those that explain them about equally;
    from 3 to 20, and at most 0.85 of the clip; NaN where they do not move."""
    times = np.arange(len(angles))
    columns = [a for a in angles.T if np.isnan(a).mean() < 0.4 and np.ptp(a[~np.isnan(a)]) >= MOVES]
    if not columns:
        return float("nan")
    periods = _PERIODS[_PERIODS <= 0.85 * len(times)]
    rest = np.zeros(len(periods))
    for column in columns:
        known = ~np.isnan(column)
        for k, period in enumerate(periods):
            rest[k] += _left(column[known], times[known], period)
    best = rest.min()
    dips = [k for k in range(len(rest)) if rest[k] == rest[max(k - 5, 0) : k + 6].min()]
    good = [k for k in dips if rest[k] <= _AS_GOOD * best + 0.06 * len(columns)]
    return float(periods[min(good, default=int(rest.argmin()))])


def phase_between(read: np.ndarray, exact: np.ndarray, period: float) -> float:
    """Turns (-0.5 to 0.5) by which what was read (f 8) is ahead of the exact (f 8) at this period."""
    total = 0j
    wheel = np.exp(-2j * np.pi * np.arange(len(exact)) / period)
    for a, b in zip(read.T, exact.T, strict=True):
        both = ~np.isnan(a) & ~np.isnan(b)
        if both.sum() > len(b) // 2 and np.ptp(b[both]) >= MOVES:
            one, two = (((c[both] - c[both].mean()) * wheel[both]).sum() for c in (a, b))
            total += one * np.conj(two)
    return float(np.angle(total) / (2 * np.pi))


def read_actor(clip: np.ndarray, shot: Shot, actor: int = 0) -> list[Reading | None]:
    """An actor as a clip uint8 (f, 128, 128, 3) shows it: looked for where it exactly begins, as large as its camera
    sees it."""
    who, zooms = shot.actors[actor], [seen.zoom for seen in shot.cameras()]
    begins = joints_of(shot, 0, actor)["hips"][0]
    return read_clip(clip, who.figure, GAITS[who.motion].view, who.facing, shot.ground, zooms, begins)


def measure_figure(
    clip: np.ndarray, shot: Shot, actor: int = 0, readings: list[Reading | None] | None = None
) -> dict[str, float]:
    """How an actor of a clip uint8 (f, 128, 128, 3) follows its exact course. readings: those of `read_actor`, where
    they are there already.

    found, colours_kept  share of frames that show the figure; of trunk and lit leg in its own colours over all frames.
    limb_correlation     of limb angles over time with the exact ones; 1 is perfect.
    period_ratio         of the gait against the exact one, by the bones that exactly move, for others are misread now
                         and then; NaN for a motion that ends, and where nothing swings.
    phase                turns ahead of the exact one.
    path_error           mean distance in cells of the hips from the exact ones; 8 where there is no figure.
    """
    who = shot.actors[actor]
    gait, places = GAITS[who.motion], [joints_of(shot, i, actor)["hips"] for i in range(shot.frames)]
    readings = read_actor(clip, shot, actor) if readings is None else readings
    read, exact = read_angles(readings), exact_angles(shot, actor)
    pairs = list(zip(readings, places, strict=True))
    far = [float(np.hypot(*np.subtract(r.joints["hips"], at))) if r else 8.0 for r, at in pairs]
    return {
        "found": float(np.mean([bool(r and r.found) for r in readings])),
        "colours_kept": float(np.mean([r.colours_kept if r else 0.0 for r in readings])),
        "limb_correlation": compare_angles(read, exact),
        "period_ratio": period_of(read[:, moving(exact)]) / gait.period if gait.endless else float("nan"),
        "phase": phase_between(read, exact, gait.period) if gait.endless else float("nan"),
        "path_error": float(np.mean(far)),
    }


def _unwrap(angles: np.ndarray) -> np.ndarray:
    """Without jumps of a turn from one known frame to the next, degrees (f n)."""
    for column in angles.T:
        known = ~np.isnan(column)
        column[known] = np.degrees(np.unwrap(np.radians(column[known])))
    return angles


def _left(course: np.ndarray, times: np.ndarray, period: float) -> float:
    """Share of a course's variance that two harmonics of a period leave."""
    turned = 2 * np.pi * times / period
    waves = np.stack([np.ones(len(times)), *(f(k * turned) for k in (1, 2) for f in (np.sin, np.cos))], axis=1)
    rest = course - waves @ np.linalg.lstsq(waves, course, rcond=None)[0]
    return float(rest.var() / course.var())
