"""What a served ComfyUI finds in its input folder: clips with captions, their masks, pictures; all drawn by code."""

import sys
from pathlib import Path

from . import base

LAST, EDITED, BACKGROUND, MASKED = "last.png", "edited.png", "background.png", "masked.png"
_FRAMES = 16


def fill(folder: Path) -> None:
    """Everything the workflows name, under their names; what is there already stays."""
    sys.path.append(str(base.MINIATURE))
    import clips  # of the miniature, needs .venv
    import world
    from PIL import Image

    if not (folder / "my_clips").exists():
        clips.write_training_set(folder / "my_clips", "moves right", frames=_FRAMES, masks=folder / "my_masks")
    if not (folder / "real_clips").exists():
        clips.write_training_set(folder / "real_clips", "moves right", frames=_FRAMES, seed=1)
    scene = world.Scene("red", "ball", "grass")
    states = world.path("moves right", world.State(4.0, 8.0), _FRAMES)
    away = world.State(-9.0, -9.0)  # out of the picture
    pictures = {
        "example.png": (scene, states[0]),
        LAST: (scene, states[11]),
        EDITED: (world.Scene("blue", "ball", "grass"), states[0]),
        BACKGROUND: (world.Scene("red", "ball", "sand"), away),
    }
    for name, (what, state) in pictures.items():
        if not (folder / name).exists():
            Image.fromarray(world.draw(what, state)).save(folder / name)
    if not (folder / MASKED).exists():  # as the mask editor keeps it: painted is what cannot be seen
        picture = Image.fromarray(world.draw(scene, states[0]))
        painted = Image.new("L", picture.size, 255)
        painted.paste(0, (0, picture.height // 4, picture.width, 3 * picture.height // 4))
        picture.putalpha(painted)
        picture.save(folder / MASKED)
    if not (folder / "example.mp4").exists():
        clips.write_clip(folder / "example.mp4", world.draw_clip(scene, states))


def link_weights(models: Path) -> None:
    """The network of the Fréchet video distance, from where `dev` keeps it."""
    from . import i3d_weights

    file = i3d_weights.prepare()
    (models / "i3d").mkdir(parents=True, exist_ok=True)
    base.link(file, models / "i3d" / file.name)
