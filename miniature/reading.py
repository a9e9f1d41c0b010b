"""Reads a figure's joints back from a picture of the world of figures, without networks.

Who it is, from where it is seen and which way it faces are known (a caption and a first frame say so); where its limbs
are is not. Every pixel is asked how much nearer it is to a part's colour than to any other that is there; then trunk
and limbs, whose lengths are known, are laid where that fits best, the trunk first, every limb from its root.
"""

from dataclasses import dataclass

import figures
import numpy as np
from figures import Figure, Joints
from part_maps import PartMaps
from scipy import ndimage
from strokes import SIDE
from world import CELL

LEAST = 0.25  # of a part's fit, from -1 (all in other colours) to 1 (exactly there): less is not found
_BENDS = {"arm": (-20, 120), "leg": (-115, 12)}  # degrees from upper to lower, forwards or outwards
_COARSE, _FINE = 12, 3  # degrees between angles tried
_PURE = 70  # levels: what is further from every colour is a mixture


@dataclass(frozen=True)
class Reading:
    """A figure as one picture shows it: joints in cells; how well each part fits, -1 to 1, the trunk less where its
    colour goes on beyond it; of trunk and lit leg, the share that has the figure's own colours."""

    joints: Joints
    fits: dict[str, float]
    colours_kept: float

    @property
    def found(self) -> bool:
        """Trunk, a leg and an arm are where a figure has them."""
        limbs = [max(self.fits[f"{kind}_lit"], self.fits[f"{kind}_shaded"]) for kind in ("arm", "leg")]
        return min(self.fits["trunk"], *limbs) >= LEAST


def read_clip(
    clip: np.ndarray, figure: Figure, view: str, facing: int, ground: str, zooms: list[float], x: float = 0.0
) -> list[Reading | None]:
    """One reading per picture of a clip uint8 (f, 128, 128, 3), None where there is no trunk in the figure's colour.
    zooms: how large it is seen, per frame; x: cells, near which it is in the first, 0 for anywhere."""
    readings: list[Reading | None] = []
    for picture, zoom in zip(clip, zooms, strict=True):
        readings.append(read_picture(picture, figure, view, facing, ground, zoom, x))
        x = readings[-1].joints["hips"][0] if readings[-1] else x
    return readings


def read_picture(
    picture: np.ndarray, figure: Figure, view: str, facing: int, ground: str, zoom: float = 1.0, x: float = 0.0
) -> Reading | None:
    """As `read_clip`, of one picture."""
    maps = PartMaps(picture, figure, ground)
    unit = figure.cells * zoom
    found = _trunk(maps, unit, view, facing, x)
    if found is None:
        return None
    hips, lean, fit = found
    sign = facing if view == "side" else 1
    pose = figures.Pose(((0, 0), (0, 0)), ((0, 0), (0, 0)), lean=lean)
    scaled = _at(figure, pose, view, facing, zoom, hips)
    joints = {name: scaled[name] for name in ("hips", "neck", "head")}
    fits = {"trunk": fit}
    for limb in ("arm_lit", "leg_lit", "leg_shaded", "arm_shaded"):
        kind, side = limb.split("_")
        outwards = sign if view == "side" else (-1, 1)[figures.SIDES.index(side)]
        root, middle, end = (f"{bone}_{side}" for bone in figures.BONES[kind])
        joints[root] = scaled[root]
        joints[middle], joints[end], fits[limb] = _limb(maps, limb, scaled[root], unit, outwards)
    return Reading(joints, fits, _kept(picture, figure, joints))


def _at(figure: Figure, pose: figures.Pose, view: str, facing: int, zoom: float, hips: tuple) -> Joints:
    """Joints of a pose whose hips are at this place of the picture."""
    places = figures.joints(figure, pose, view, facing, 0.0, 0.0)
    base = places["hips"]
    return {name: (hips[0] + (p[0] - base[0]) * zoom, hips[1] + (p[1] - base[1]) * zoom) for name, p in places.items()}


# ---------------------------------------------------------------------------------------------------------- fitting


def _trunk(maps: PartMaps, unit: float, view: str, facing: int, near: float) -> tuple[tuple, float, float] | None:
    """Hips (cells), lean (degrees) and fit of the trunk."""
    seen = maps.of["trunk"] > 0.15
    pieces, count = ndimage.label(seen)
    areas = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    if not count or areas.max() < 20:
        return None
    if near:
        middles = np.array(ndimage.center_of_mass(seen, pieces, np.arange(1, count + 1)))[:, 1] / CELL
        areas = areas * np.exp(-np.abs(middles - near) / 2)
    label = int(areas.argmax()) + 1
    rows, columns = np.nonzero(pieces == label)
    length, radius = figures.TRUNK * unit, figures.WIDTH[view][2] * unit
    sign = facing if view == "side" else 1
    best = np.array([(columns.mean() + 0.5) / CELL, (rows.mean() + 0.5) / CELL + 0.46 * length, 0.0])
    fit = -1.0
    # inside all along and across; outside around sides and ends, where the shirt must be over
    along, across = (a.ravel() for a in np.meshgrid(np.linspace(0.05, 0.9, 7), (-0.8, -0.4, 0.0, 0.4, 0.8)))
    sides, edge = (a.ravel() for a in np.meshgrid(np.linspace(0.1, 0.85, 4), (-1.35, 1.35)))
    for step, leans in ((0.3, 10.0), (0.3, 5.0), (0.1, 2.5), (0.05, 1.0)):
        grid = np.stack(np.meshgrid(*[np.arange(-3, 4) * step] * 2, np.arange(-3, 4) * leans, indexing="ij"), -1)
        tried = best + grid.reshape(-1, 3)
        turned = np.radians(tried[:, 2:])
        up = np.stack([sign * np.sin(turned), -np.cos(turned)])[..., 0]  # (2, n)

        def at(s: np.ndarray, c: np.ndarray, tried=tried, up=up) -> tuple[np.ndarray, np.ndarray]:
            return (tried[:, :1] + up[0][:, None] * s * length - up[1][:, None] * c * radius,
                    tried[:, 1:2] + up[1][:, None] * s * length + up[0][:, None] * c * radius)  # fmt: skip

        inside = maps.fit("trunk", *at(along, across))
        inside = np.where(maps.fit("arm_lit", *at(along, across)) > 0.2, 0.3, inside)  # an arm may be in front
        outside = np.maximum(maps.fit("trunk", *at(sides, edge)), 0)
        ends = np.maximum(maps.fit("trunk", *at(np.array([-0.32, 1.2]), np.zeros(2))), 0)
        scores = inside.mean(axis=1) - 0.35 * outside.mean(axis=1) - 0.2 * ends.mean(axis=1)
        top = scores.max()
        best, fit = tried[scores >= top - 1e-6].mean(axis=0), float(top)
    return (float(best[0]), float(best[1])), float(best[2]), fit


def _limb(maps: PartMaps, limb: str, root: tuple, unit: float, outwards: int) -> tuple:
    """Where the middle and the end joint are, and how well the limb fits there."""
    kind = limb.split("_")[0]
    lengths = {"arm": (figures.UPPER_ARM, figures.FOREARM), "leg": (figures.THIGH, figures.SHIN)}[kind]
    radius = (figures.ARM_RADIUS if kind == "arm" else figures.LEG_RADIUS) * unit
    low, high = _BENDS[kind]
    uppers, bends = np.arange(-180, 180, _COARSE), np.arange(low, high + 1, _COARSE)
    best, fit = np.zeros(2), 0.0
    finer = [(np.arange(-9, 10, _FINE),) * 2, (np.arange(-2, 3),) * 2]
    for upper, bend in [(uppers, bends), *finer]:
        tried = np.stack(np.meshgrid(upper, bend, indexing="ij"), -1).reshape(-1, 2) + best
        angles = outwards * tried[:, 0], outwards * tried.sum(axis=1)
        scores, fits = _scores(maps, limb, root, unit, radius, lengths, *angles)
        best = tried[scores.argmax()].astype(float)
        fit = float(fits[scores.argmax()])
    a, b = np.radians(outwards * best[0]), np.radians(outwards * best.sum())
    middle = (root[0] + np.sin(a) * lengths[0] * unit, root[1] + np.cos(a) * lengths[0] * unit)
    return middle, (middle[0] + np.sin(b) * lengths[1] * unit, middle[1] + np.cos(b) * lengths[1] * unit), fit


def _scores(maps: PartMaps, limb: str, root: tuple, unit: float, radius: float, lengths: tuple, upper, lower) -> tuple:
    """Score and bare fit per pair of angles in degrees: its colour along both bones, none of it beside them."""
    score, fit = np.zeros(len(upper)), np.zeros(len(upper))
    x, y = np.full(len(upper), root[0]), np.full(len(upper), root[1])
    bones = ((upper, lengths[0], np.linspace(0.3, 1, 6)), (lower, lengths[1], np.linspace(0.1, 1, 7)))
    for angle, length, places in bones:
        right, down = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        px, py = (p[:, None] + d[:, None] * places * length * unit for p, d in ((x, right), (y, down)))
        for off, weight in ((0.0, 0.4), (-0.6, 0.3), (0.6, 0.3)):
            here = maps.fit(limb, px - off * radius * -down[:, None], py + off * radius * -right[:, None])
            fit += weight * here.mean(axis=1) / 2
        for off in (-1.5, 1.5):
            beside = maps.fit(limb, px - off * radius * -down[:, None], py + off * radius * -right[:, None])
            score -= 0.1 * np.maximum(beside, 0).mean(axis=1)
        x, y = x + right * length * unit, y + down * length * unit
    return score + fit, fit


def _kept(picture: np.ndarray, figure: Figure, joints: Joints) -> float:
    """Of trunk, lit thigh and shin: the share whose colour is nearer to the figure's own than to any other cloth's."""
    cloth = {word: np.array(colour, np.float32) for word, colour in figures.COLOURS.items()}
    skin = np.array(figures.SKIN[figure.skin], np.float32)
    palette = np.array([*cloth.values(), skin, skin * figures.SHADE])
    bones = ((("neck", "hips"), figure.shirt, figures.WIDTH["side"][2]),
             (("hip_lit", "knee_lit"), figure.trousers, figures.LEG_RADIUS),
             (("knee_lit", "foot_lit"), figure.trousers, figures.LEG_RADIUS))  # fmt: skip
    kept = []
    for (a, b), word, radius in bones:
        start, along = np.array(joints[a]), np.subtract(joints[b], joints[a])
        aside = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6) * radius * figure.cells
        at = [start + s * along + off * aside for s in np.linspace(0.25, 0.75, 9) for off in np.linspace(-0.8, 0.8, 5)]
        column, row = (np.array(at) * CELL).astype(int).clip(0, SIDE - 1).T
        far = np.linalg.norm(picture[row, column].astype(np.float32)[:, None] - palette, axis=-1)
        words = far.argmin(axis=1)[far.min(axis=1) < _PURE]
        seen = words[words < len(cloth)]  # an arm may be in front, or wholly
        hidden = len(seen) == 0 and len(words) > len(far) / 2
        kept.append(hidden or (len(seen) > 0 and list(cloth)[int(np.bincount(seen).argmax())] == word))
    return float(np.mean(kept))
