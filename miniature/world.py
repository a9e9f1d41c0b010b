"""The miniature world: sprites on plain backgrounds, drawn by code, so that everything about a picture is known
exactly.

A picture is 128x128 px. Lengths are in *cells* of 8 px: one cell is one position of a 16x16 latent. A subject has a
colour, a shape and a background; a motion says where it is (centre x, y and size, in cells) in every frame. Captions:
"a red ball on grass moves right".
"""

from dataclasses import dataclass, replace

import numpy as np

CELLS = 16  # picture side in cells
CELL = 8  # px per cell
ART = 2  # px per pixel of the pixel art
SIZE = 5.0  # cells, a subject's usual width
FPS = 8

COLOURS = {
    "red": (220, 40, 40), "orange": (245, 140, 20), "yellow": (250, 222, 50),
    "blue": (40, 80, 230), "purple": (145, 60, 195), "pink": (250, 130, 190),
}  # fmt: skip
SHAPES = ("ball", "box", "triangle", "cross", "ring")
BACKGROUNDS = {  # colour at the top of the picture, and at the bottom
    "grass": ((96, 168, 72), (74, 142, 58)), "sand": ((226, 206, 152), (206, 182, 124)),
               "snow": ((238, 242, 250), (214, 224, 240)),
    "water": ((72, 176, 204), (112, 202, 222)), "stone": ((78, 80, 92), (60, 62, 74)),
}  # fmt: skip
SHADE = 0.78  # brightness of a sprite's shaded side
DROP = (140, 190, 255)


@dataclass(frozen=True)
class Scene:
    """Who is in the picture: the words of its caption."""

    colour: str
    shape: str
    background: str

    def caption(self, motion: str = "") -> str:
        """ "a red ball on grass", and how it moves where that is said."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {self.shape} on {self.background} {motion}".strip()


@dataclass(frozen=True)
class State:
    """Where the subject is in one frame: centre and width in cells; drops: (x, y) in cells of falling rain."""

    x: float
    y: float
    size: float = SIZE
    drops: tuple[tuple[float, float], ...] = ()


def all_scenes() -> list[Scene]:
    """Every colour, shape and background with every other."""
    return [Scene(c, s, b) for c in COLOURS for s in SHAPES for b in BACKGROUNDS]


# ---------------------------------------------------------------------------------------------------------- drawing


def _grid(state: State) -> tuple[np.ndarray, np.ndarray]:
    """Art-pixel centres relative to the subject, in half-widths: the shape fills [-1, 1]."""
    centres = (np.arange(CELLS * CELL // ART) + 0.5) * ART / CELL
    half = state.size / 2
    return (centres[None, :] - state.x) / half, (centres[:, None] - state.y) / half


def _inside(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    if shape == "ball":
        return u * u + v * v <= 1
    if shape == "box":
        return (abs(u) <= 0.9) & (abs(v) <= 0.9)
    if shape == "triangle":
        return (v <= 0.9) & (v >= 2 * abs(u) - 1)
    if shape == "cross":
        return (np.minimum(abs(u), abs(v)) <= 0.34) & (np.maximum(abs(u), abs(v)) <= 1)
    if shape == "ring":
        return (u * u + v * v <= 1) & (u * u + v * v >= 0.26)
    raise ValueError(f"unknown shape {shape!r}; the world has {', '.join(SHAPES)}")


def subject_mask(shape: str, state: State) -> np.ndarray:
    """The subject's exact pixels, bool (128, 128)."""
    return _to_pixels(_inside(shape, *_grid(state)))


def art_masks(shape: str, x: np.ndarray, y: np.ndarray, size: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """Exact masks of many subjects at once, bool (n h w), on the art pixels in rows x columns (0 to 63)."""
    centres = (np.arange(CELLS * CELL // ART) + 0.5) * ART / CELL
    x, y, half = (np.asarray(a, dtype=np.float64).reshape(-1, 1, 1) for a in (x, y, np.asarray(size) / 2))
    return _inside(shape, (centres[None, None, columns] - x) / half, (centres[None, rows, None] - y) / half)


def draw(scene: Scene, state: State) -> np.ndarray:
    """One picture, uint8 (128, 128, 3)."""
    top, bottom = (np.array(c, dtype=np.float32) for c in BACKGROUNDS[scene.background])
    depth = (np.arange(CELLS * CELL // ART)[:, None, None] + 0.5) * ART / (CELLS * CELL)
    u, v = _grid(state)
    art = np.broadcast_to(top + depth * (bottom - top), (depth.size, depth.size, 3))
    inside = _inside(scene.shape, u, v)
    colour = np.array(COLOURS[scene.colour], dtype=np.float32)
    shaded = (u + v > 0.55)[..., None]
    art = np.where(inside[..., None], np.where(shaded, colour * SHADE, colour), art)
    for x, y in state.drops:
        column, row = int(x * CELL / ART), int(y * CELL / ART)
        art[max(row, 0) : max(row + 6, 0), column : column + 2] = DROP
    return _to_pixels(art.round().clip(0, 255).astype(np.uint8))


def _to_pixels(art: np.ndarray) -> np.ndarray:
    return art.repeat(ART, axis=0).repeat(ART, axis=1)


def draw_clip(scene: Scene, states: list[State]) -> np.ndarray:
    """A clip, uint8 (f, 128, 128, 3)."""
    return np.stack([draw(scene, state) for state in states])


# ---------------------------------------------------------------------------------------------------------- motions


def _moves_right(start: State, i: int) -> State:
    return replace(start, x=start.x + 0.45 * i)


def _moves_left(start: State, i: int) -> State:
    return replace(start, x=start.x - 0.45 * i)


def _falls(start: State, i: int) -> State:
    return replace(start, y=start.y + 0.5 * 0.06 * i * i)


def _rises(start: State, i: int) -> State:
    return replace(start, y=start.y - 0.45 * i)


def _grows(start: State, i: int) -> State:
    return replace(start, size=start.size + 0.3 * i)


def _bounces(start: State, i: int) -> State:
    phase = (i % 10) / 10  # starts on the ground, five cells high
    return replace(start, y=start.y - 5 * 4 * phase * (1 - phase))


def _orbits(start: State, i: int) -> State:
    angle = 2 * np.pi * i / 16  # starts at the top of a circle of radius 3
    return replace(start, x=start.x + 3 * np.sin(angle), y=start.y + 3 - 3 * np.cos(angle))


def _rains(start: State, i: int) -> State:
    drops = tuple((x, (y + 1.25 * i) % (CELLS + 2) - 1) for x, y in start.drops)
    return replace(start, drops=drops)


_EDGE = SIZE / 2 + 0.5
_LOW, _HIGH = _EDGE, CELLS - _EDGE
# motion -> (law of motion, range of start x, range of start y, start size); ranges keep 16 frames inside the picture
MOTIONS = {
    "moves right": (_moves_right, (_LOW, _LOW + 2.5), (_LOW, _HIGH), SIZE),
    "moves left": (_moves_left, (_HIGH - 2.5, _HIGH), (_LOW, _HIGH), SIZE),
    "falls": (_falls, (_LOW, _HIGH), (_LOW, _LOW + 2.5), SIZE),
    "rises": (_rises, (_LOW, _HIGH), (_HIGH - 2.5, _HIGH), SIZE),
    "grows": (_grows, (4.5, 11.5), (4.5, 11.5), 3.0),
    "bounces": (_bounces, (_LOW, _HIGH), (_HIGH - 2.0, _HIGH), SIZE),
    "orbits": (_orbits, (6.0, 10.0), (_LOW, _HIGH - 6.0), SIZE),
    "stands in the rain": (_rains, (_LOW, _HIGH), (_LOW, _HIGH), SIZE),
}
STRAIGHT = ("moves right", "moves left", "falls", "rises")
ENDLESS = ("bounces", "orbits", "stands in the rain")  # stay in the picture however long the clip


def start_state(motion: str, rng: np.random.Generator) -> State:
    """A first frame drawn at random, from which 16 frames of the motion stay in the picture."""
    _, xs, ys, size = MOTIONS[motion]
    drops = ()
    if motion == "stands in the rain":
        drops = tuple((float(x), float(rng.uniform(-1, CELLS))) for x in np.arange(0.5, CELLS, 1.5))
    return State(float(rng.uniform(*xs)), float(rng.uniform(*ys)), size, drops)


def path(motion: str, start: State, frames: int = 16) -> list[State]:
    """The exact course of a motion from its first frame."""
    law = MOTIONS[motion][0]
    return [law(start, i) for i in range(frames)]


def still_state(rng: np.random.Generator) -> State:
    """Somewhere in the picture, of about the usual size."""
    return State(float(rng.uniform(_LOW, _HIGH)), float(rng.uniform(_LOW, _HIGH)), SIZE)
