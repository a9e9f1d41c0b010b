"""The figures of the miniature world's second edition: what they look like, how they are built, and where their joints
are for a given pose.

A figure has a lit and a shaded side: seen from the side the nearer one is lit, from the front the picture's left one.
Angles are in degrees from straight down: positive forwards in the side view, outwards in the front view; those of
`limb_angles`, read off joints, are positive to the picture's right.
"""

from dataclasses import dataclass

import numpy as np
from strokes import Canvas, Point
from world import COLOURS

SIDES = ("lit", "shaded")
LIMBS = ("arm_lit", "arm_shaded", "leg_lit", "leg_shaded")
BONES = {"arm": ("shoulder", "elbow", "hand"), "leg": ("hip", "knee", "foot")}
HAIR = {"black": (38, 30, 34), "ginger": (206, 84, 24), "fair": (244, 214, 120)}
SKIN = {"pale": (252, 204, 174), "brown": (190, 128, 90), "dark": (116, 74, 52)}
HEIGHTS = {"tall": 11.0, "short": 8.8}  # cells, from the soles to the top of the head
SHOE, EYE, SHADE = (52, 44, 48), (24, 20, 24), 0.68
# lengths and radii in heights of the figure
THIGH, SHIN, SOLE, UPPER_ARM, FOREARM, TRUNK = 0.225, 0.215, 0.035, 0.165, 0.165, 0.285
LEG_RADIUS, ARM_RADIUS, NECK = 0.05, 0.042, 0.03
HEAD = {"tall": 0.112, "short": 0.135}
WIDTH = {"side": (0.0, 0.0, 0.088), "front": (0.13, 0.062, 0.1)}  # shoulders and hips from the middle, trunk's radius
Joints = dict[str, Point]
Limb = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """Who it is, all of which captions say. `hat`: its colour, or "" for none."""

    height: str
    hair: str
    shirt: str
    trousers: str
    skin: str = "pale"
    hat: str = ""

    @property
    def cells(self) -> float:
        """How tall it is."""
        return HEIGHTS[self.height]

    def caption(self) -> str:
        """ "a tall person with pale skin, black hair and a red hat in a yellow shirt and blue trousers"."""
        skin, hair = f"{self.skin} skin", f"{self.hair} hair"
        looks = f"{skin}, {hair} and {_article(self.hat)} {self.hat} hat" if self.hat else f"{skin} and {hair}"
        clothes = f"{_article(self.shirt)} {self.shirt} shirt and {self.trousers} trousers"
        return f"a {self.height} person with {looks} in {clothes}"

    def colours(self) -> dict[str, np.ndarray]:
        """Levels (3) of every part, by its name in masks."""
        skin, cloth = np.array(SKIN[self.skin], np.float32), np.array(COLOURS[self.trousers], np.float32)
        sides = {"arm_lit": skin, "arm_shaded": skin * SHADE, "leg_lit": cloth, "leg_shaded": cloth * SHADE}
        fixed = {"trunk": COLOURS[self.shirt], "head": skin, "hair": HAIR[self.hair], "shoe": SHOE, "eye": EYE}
        worn = {"hat": COLOURS[self.hat]} if self.hat else {}
        return sides | {part: np.array(colour, np.float32) for part, colour in (fixed | worn).items()}


@dataclass(frozen=True)
class Pose:
    """Upper and lower angle of every limb (lit, shaded), the trunk's lean; heights of the figure: how far the feet are
    off the ground, how far the hips are ahead of where it stands."""

    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]
    lean: float = 0.0
    lift: float = 0.0
    ahead: float = 0.0


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def joints(figure: Figure, pose: Pose, view: str, facing: int, x: float, ground: float) -> Joints:
    """Where every joint is, in cells: the lower foot stands on `ground` or is `lift` above it. facing: 1 right, -1
    left; of no account in the front view."""
    tall, (shoulder, hip, _) = figure.cells, WIDTH[view]
    reach = max(_reach(upper, THIGH) + _reach(lower, SHIN) for upper, lower in pose.legs)
    hips = (x + facing * pose.ahead * tall, ground - (reach + SOLE + pose.lift) * tall)
    sign = facing if view == "side" else 1
    neck = _from(hips, 180 - pose.lean, TRUNK * tall, sign)
    found = {
        "hips": hips,
        "neck": neck,
        "head": _from(neck, 180 - pose.lean, (NECK + HEAD[figure.height]) * tall, sign),
    }
    for i, side in enumerate(SIDES):
        outwards = sign if view == "side" else (-1, 1)[i]
        for root, base, width, names, lengths, angles in (
            ("shoulder", neck, shoulder, ("elbow", "hand"), (UPPER_ARM, FOREARM), pose.arms[i]),
            ("hip", hips, hip, ("knee", "foot"), (THIGH, SHIN), pose.legs[i]),
        ):
            drop = 0.02 * tall if root == "shoulder" else 0.0
            at = found[f"{root}_{side}"] = (base[0] + outwards * width * tall, base[1] + drop)
            for name, length, angle in zip(names, lengths, angles, strict=True):
                at = found[f"{name}_{side}"] = _from(at, angle, length * tall, outwards)
    return found


def limb_angles(places: Joints) -> dict[str, Limb]:
    """Upper and lower angle of every limb as the picture shows it, -180 to 180 degrees, 0 down, 90 to the right."""
    angles = {}
    for limb in LIMBS:
        kind, side = limb.split("_")
        points = [np.array(places[f"{bone}_{side}"]) for bone in BONES[kind]]
        bones = (points[1] - points[0], points[2] - points[1])
        angles[limb] = tuple(float(np.degrees(np.arctan2(bone[0], bone[1]))) for bone in bones)
    return angles


def limb_area(figure: Figure, limb: str) -> float:
    """Square cells that a limb takes where nothing hides it."""
    radius, length = {"arm": (ARM_RADIUS, UPPER_ARM + FOREARM), "leg": (LEG_RADIUS, THIGH + SHIN)}[limb.split("_")[0]]
    return (2 * radius * length + np.pi * radius * radius) * figure.cells**2


def draw_figure(canvas: Canvas, figure: Figure, at: Joints, view: str, facing: int, zoom: float = 1.0) -> None:
    """Paint it, back to front; `at`: its joints on the picture, zoom: how much larger than itself it is there."""
    unit, colours = figure.cells * zoom, figure.colours()

    def limb(kind: str, side: str) -> None:
        radius = (ARM_RADIUS if kind == "arm" else LEG_RADIUS) * unit
        a, b, c = (at[f"{bone}_{side}"] for bone in BONES[kind])
        part = f"{kind}_{side}"
        canvas.stroke(part, colours[part], a, b, radius)
        if kind == "leg" and view == "side":
            _shoe(canvas, colours["shoe"], b, c, unit, facing)
        canvas.stroke(part, colours[part], b, c, radius, radius * 0.85)
        if kind == "leg" and view == "front":
            canvas.stroke("shoe", colours["shoe"], c, c, SOLE * unit * 1.3)

    trunk = WIDTH[view][2] * unit
    if view == "side":
        limb("arm", "shaded")
    limb("leg", "shaded")
    limb("leg", "lit")
    neck, hips = np.array(at["neck"]), np.array(at["hips"])
    top, low = neck + 0.2 * (hips - neck), hips + 0.12 * (neck - hips)
    canvas.stroke("trunk", colours["trunk"], tuple(top), tuple(low), trunk, trunk * 0.88)
    if view == "front":
        limb("arm", "shaded")
    _head(canvas, figure, colours, at, unit, facing if view == "side" else 0)
    limb("arm", "lit")


def _shoe(canvas: Canvas, colour: np.ndarray, knee: Point, foot: Point, unit: float, facing: int) -> None:
    """From the ankle forwards, at a right angle to the shin."""
    down = np.array(foot) - np.array(knee)
    down /= max(float(np.hypot(*down)), 1e-6)
    ahead = np.array([down[1], -down[0]]) * facing * 0.075 * unit
    canvas.stroke("shoe", colour, foot, tuple(np.array(foot) + ahead), SOLE * unit * 1.15)


def _head(canvas: Canvas, figure: Figure, colours: dict, at: Joints, unit: float, facing: int) -> None:
    """Neck, hair, face, eyes and hat; facing 0: towards us."""
    centre, neck = np.array(at["head"]), np.array(at["neck"])
    radius = HEAD[figure.height] * unit
    up = (centre - neck) / max(float(np.hypot(*(centre - neck))), 1e-6)
    ahead = np.array([-up[1], up[0]])  # to the picture's right

    def place(right: float, above: float) -> Point:
        return tuple(centre + (ahead * right + up * above) * radius)

    canvas.stroke("head", colours["head"], tuple(neck - up * 0.2 * radius), tuple(centre), radius * 0.42)
    canvas.oval("hair", colours["hair"], place(-0.16 * facing, 0.08), radius, radius)
    canvas.oval("head", colours["head"], place(0.28 * facing, -0.2), radius * 0.68, radius * 0.78)
    for eye in (0.6 * facing,) if facing else (-0.32, 0.32):
        canvas.oval("eye", colours["eye"], place(eye, -0.08), radius * 0.16, radius * 0.22)
    if figure.hat:
        canvas.stroke("hat", colours["hat"], place(-0.4, 0.78), place(0.4, 0.78), radius * 0.5)
        brim = [place(side + 0.35 * facing, 0.42) for side in (-0.85, 0.85)]
        canvas.stroke("hat", colours["hat"], brim[0], brim[1], radius * 0.17)


def _reach(angle: float, length: float) -> float:
    return float(np.cos(np.radians(angle))) * length


def _from(point: Point, angle: float, length: float, outwards: int) -> Point:
    turned = np.radians(angle)
    return (point[0] + outwards * length * float(np.sin(turned)), point[1] + length * float(np.cos(turned)))
