"""What the second edition's autoencoder holds of figures: `dev/inside.py .dev/ComfyUI judge_autoencoder`, after
train_autoencoder.py or while it runs.

Clips that training never draws go through it and are read back: a row a motion with the signal-to-noise ratio and the
limbs' course, of the exact clip and of the one that came back. Also writes DIR/autoencoder.safetensors, which ComfyUI
reads as a VAE by itself or, its names behind `first_stage_model.`, in a checkpoint, and DIR/autoencoder.png to look at.
"""

import argparse
import sys
from pathlib import Path

import autoencoder
import courses
import numpy as np
import stage
import torch
import train_autoencoder
import vae
from gaits import GAITS
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

SEED, SHOWN = 20_26_12, (0, 3, 6, 9, 12, 15)  # of the clips; frames of each in the picture
_NUMBERS = ("found", "colours_kept", "limb_correlation", "period_ratio", "path_error")


@torch.no_grad()
def through(model: train_autoencoder.Autoencoder, clip: np.ndarray) -> np.ndarray:
    """A clip uint8 (f, 128, 128, 3) encoded and decoded."""
    x = torch.from_numpy(clip).movedim(-1, 1).float() / 255
    drawn = torch.cat([model(part)[0] for part in x.split(4)])
    return (drawn.clamp(0, 1) * 255).round().byte().movedim(1, -1).numpy()


def decibels(one: np.ndarray, two: np.ndarray, where: np.ndarray) -> float:
    """PSNR of pictures uint8 (f h w 3) over the pixels `where` (bool, f h w), a frame's mean."""
    square = (one.astype(np.float32) - two.astype(np.float32)) ** 2
    errors = [square[i][where[i]].mean() for i in range(len(one)) if where[i].any()]
    return float(np.mean([10 * np.log10(255**2 / max(error, 1e-6)) for error in errors]))


def weights(model: train_autoencoder.Autoencoder) -> dict[str, Tensor]:
    """As TAESD names them, in half precision; the scale is Stable Diffusion's, so that an image model sees what the
    encoder says."""
    from comfy.taesd.taesd import TAESD

    shapes = TAESD()
    found = {"vae_scale": torch.tensor(vae.SCALE), "vae_shift": torch.tensor(0.0)}
    for name, half in (("taesd_encoder", model.encoder), ("taesd_decoder", model.decoder)):
        whole = autoencoder.whole(half, getattr(shapes, name).state_dict())
        found |= {f"{name}.{key}": value.half().contiguous() for key, value in whole.items()}
    return found


def judge(model: train_autoencoder.Autoencoder, clips: int) -> tuple[list[dict[str, float | str]], np.ndarray]:
    """A row per motion, means over `clips` clips each, exact numbers beside those that came back; and a picture, uint8
    (h w 3): above what went in, below what came out."""
    rows, pictures = [], []
    for motion in GAITS:
        table = []
        for k in range(clips):
            shot = stage.random_shot(np.random.default_rng([SEED, k, *motion.encode()]), motion, "still")
            clip = stage.draw_clip(shot)
            back = through(model, clip)
            body = np.array([stage.body(stage.part_masks(shot, i)) for i in range(shot.frames)]) > 0.5
            exact, read = (courses.measure_figure(each, shot) for each in (clip, back))
            row = {"psnr": decibels(back, clip, np.ones_like(body)), "figure": decibels(back, clip, body)}
            row |= {f"exact {name}": exact[name] for name in _NUMBERS} | {name: read[name] for name in _NUMBERS}
            table.append(row)
            if k == 0:
                pictures += [np.concatenate([each[i] for i in SHOWN], axis=1) for each in (clip, back)]
        rows.append({"motion": motion} | {name: float(np.mean([row[name] for row in table])) for name in table[0]})
    return rows, np.concatenate(pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the training's state is")
    parser.add_argument("--clips", type=int, default=2, help="of each motion")
    options = parser.parse_args()
    model, step = train_autoencoder.load(options.folder)
    rows, picture = judge(model, options.clips)
    print(f"after {step} steps")
    print(*rows[0], sep="\t")
    for row in rows:
        print(*(value if isinstance(value, str) else f"{value:.3f}" for value in row.values()), sep="\t")
    Image.fromarray(picture).save(options.folder / "autoencoder.png")
    part = options.folder / "autoencoder.part"
    save_file(weights(model), part)
    part.replace(options.folder / "autoencoder.safetensors")


if __name__ == "__main__":
    sys.exit(main())
