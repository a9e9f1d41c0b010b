"""Shots of the miniature world's second edition: one or two figures on a ground before a camera, 128x128 px, and all
that is exactly known about every frame of them.

A caption says it in the world's grammar: "a tall person with pale skin and black hair in a red shirt and blue trousers
on grass walks right while the camera follows".
"""

from dataclasses import dataclass

import numpy as np
from camera import CAMERAS, GROUNDS, STAND, Camera, course, draw_background
from figures import HAIR, HEIGHTS, SKIN, THIGH, Figure, Joints, draw_figure, joints
from gaits import GAITS
from strokes import Canvas
from world import CELLS, COLOURS

FRAMES = 16
STOOL = (58, 104, 100)
_ROOM = 3.0  # cells between a figure's middle and the picture's edge


@dataclass(frozen=True)
class Actor:
    """A figure and what it does: where it stands in frame 0 in cells of the world, 1 or -1 for right or left, turns of
    the gait that are over by then, whether it goes anywhere."""

    figure: Figure
    motion: str
    x: float = CELLS / 2
    facing: int = 1
    phase: float = 0.0
    goes: bool = False

    @property
    def speed(self) -> float:
        """Cells a frame to the right."""
        return self.facing * GAITS[self.motion].speed(self.figure) if self.goes else 0.0

    def words(self) -> str:
        """ "walks", "walks left"."""
        return f"{self.motion} {'right' if self.facing > 0 else 'left'}" if self.goes else self.motion


@dataclass(frozen=True)
class Shot:
    """A clip before it is drawn. `seed`: of its landscape and of the camera's hand; frames: of the camera's way."""

    actors: tuple[Actor, ...]
    ground: str
    camera: str = "still"
    seed: int = 0
    frames: int = FRAMES

    def caption(self, motion: bool = True) -> str:
        """Who is where, and with `motion` what happens."""
        who = [actor.figure.caption() for actor in self.actors]
        did = [f" {actor.words()}" if motion else "" for actor in self.actors]
        first = f"{who[0]} on {self.ground}{did[0]}"
        said = " and ".join([first, *(a + b for a, b in zip(who[1:], did[1:], strict=True))])
        return f"{said} {CAMERAS[self.camera]}".strip() if motion else said

    def cameras(self) -> list[Camera]:
        """Where it is in every frame."""
        return course(self.camera, self.frames, self.seed, self.actors[0].speed)


def joints_of(shot: Shot, i: int, actor: int = 0) -> Joints:
    """Where an actor's joints are in the picture in frame i, in cells."""
    who, seen = shot.actors[actor], shot.cameras()[i]
    gait = GAITS[who.motion]
    pose = gait.pose(i, who.phase)
    places = joints(who.figure, pose, gait.view, who.facing, who.x + who.speed * i, STAND)
    return {name: seen.sees(place) for name, place in places.items()}


def paint(shot: Shot, i: int, parts: bool = False) -> Canvas:
    """Frame i; with parts, the exact mask of each, "0.trunk" being the first actor's."""
    canvas, seen = Canvas(parts), shot.cameras()[i]
    draw_background(canvas, shot.ground, seen, shot.seed, i)
    for k, actor in enumerate(shot.actors):
        canvas.whose = f"{k}."
        if actor.motion == "sits down":
            _stool(canvas, actor, seen)
        view = GAITS[actor.motion].view
        draw_figure(canvas, actor.figure, joints_of(shot, i, k), view, actor.facing, seen.zoom)
    return canvas


def draw_clip(shot: Shot) -> np.ndarray:
    """uint8 (f, 128, 128, 3)."""
    return np.stack([paint(shot, i).levels() for i in range(shot.frames)])


def part_masks(shot: Shot, i: int) -> dict[str, np.ndarray]:
    """How much of every pixel each part is seen at, float32 (128, 128), by its name behind its actor's number."""
    return paint(shot, i, parts=True).masks or {}


def body(masks: dict[str, np.ndarray], actor: int | None = None) -> np.ndarray:
    """Of part masks (128, 128), how much of every pixel is an actor's, or any one's; what it sits on is not."""
    mine = [mask for part, mask in masks.items() if _whose(part) in (range(9) if actor is None else (actor,))]
    return np.sum(mine, axis=0).clip(0, 1)


def _whose(part: str) -> int | None:
    return int(part[0]) if part[0].isdigit() and not part.endswith(".stool") else None


def _stool(canvas: Canvas, actor: Actor, seen: Camera) -> None:
    tall, wood = actor.figure.cells, np.array(STOOL, np.float32)
    x, top, half = actor.x - actor.facing * 0.95 * THIGH * tall, STAND - 0.2 * tall, 0.095 * tall
    for leg in (x - 0.8 * half, x + 0.8 * half):
        canvas.stroke("stool", wood * 0.8, seen.sees((leg, top)), seen.sees((leg, STAND)), 0.16 * seen.zoom)
    canvas.stroke("stool", wood, seen.sees((x - half, top)), seen.sees((x + half, top)), 0.28 * seen.zoom)


# ---------------------------------------------------------------------------------------------------------- choosing


def random_figure(rng: np.random.Generator) -> Figure:
    """Shirt, trousers and hat of different colours; every second one with a hat."""
    shirt, trousers, hat = (str(word) for word in rng.permutation(list(COLOURS))[:3])
    height, hair, skin = (str(rng.choice(list(words))) for words in (HEIGHTS, HAIR, SKIN))
    return Figure(height, hair, shirt, trousers, skin, hat if rng.random() < 0.5 else "")


def random_actor(motion: str, rng: np.random.Generator, goes: bool = False, x: float | None = None) -> Actor:
    """In the picture for 16 frames, wherever it goes."""
    figure, facing = random_figure(rng), (-1, 1)[rng.integers(2)]
    gait = GAITS[motion]
    phase = float(rng.uniform(0, 1)) if gait.endless else -float(rng.uniform(0.05, 0.3))
    if x is None:
        x = float(rng.uniform(CELLS / 2 - 2.5, CELLS / 2 + 2.5))
    if goes:
        way = gait.speed(figure) * (FRAMES - 1)
        left = float(rng.uniform(_ROOM - 0.6, max(CELLS - _ROOM + 0.6 - way, _ROOM - 0.5)))
        x = left if facing > 0 else CELLS - left
    return Actor(figure, motion, x, facing, phase, goes)


def random_shot(rng: np.random.Generator, motion: str = "", camera: str = "", actors: int = 1) -> Shot:
    """A shot that 16 frames hold; motion and camera drawn at random where none is named."""
    motion = motion or str(rng.choice(list(GAITS)))
    allowed = [name for name in CAMERAS if name != "follows" or GAITS[motion].stride]
    camera = camera or str(rng.choice(["still", *allowed]))
    goes = motion == "walks" and camera == "still" and actors == 1 and rng.random() < 0.5
    who = random_actor(motion, rng, goes)
    if camera == "follows":
        who = Actor(who.figure, motion, CELLS / 2, who.facing, who.phase, True)
    elif actors > 1:
        who = Actor(who.figure, motion, 4.4, who.facing, who.phase, False)
    others = tuple(random_actor(str(rng.choice(list(GAITS))), rng, x=11.6) for _ in range(actors - 1))
    return Shot((who, *others), str(rng.choice(list(GROUNDS))), camera, int(rng.integers(2**31)))
