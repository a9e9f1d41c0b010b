"""What latents of real clips are like, beside the miniature's: do the settings that were chosen on the miniature make
sense for them?

Real clips through Stable Diffusion's own small autoencoder (TAESD, latents in SD's scale), the miniature's through its
own. `python3 dev study latents` writes docs/real_latents.md; the clips and the autoencoder are no part of the
repository, `--real DIR` says where they are.
"""

import argparse
import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import world
from comfy.taesd.taesd import TAESD
from few_shot_motion.metrics.first_frame import steps
from few_shot_motion.samplers.statistics import match_histograms, match_statistics
from torch import Tensor

from .. import markdown
from ..interpreter import ROOT
from .filmed import clips as filmed

PAGE, WORDS = ROOT / "docs" / "real_latents.md", Path(__file__).with_suffix(".md")
FRAMES, SEED = 16, 1
Code = Callable[[Tensor], Tensor]  # pictures `f h w 3` in [0, 1] to latents `f c h w`, or back


def measured(pictures: Tensor, encode: Code, decode: Code, sigmas: Tensor) -> dict[str, float]:
    """One clip `f h w 3` in [0, 1]; latents are taken in the scale the model sees them in, sigmas are its own."""
    z = encode(pictures)
    means, spreads = z.mean((-2, -1)), z.std((-2, -1))  # f c
    centred = z - z.mean((0, 2, 3), keepdim=True)
    change = (z[1:] - z[:1]).square().mean(1)  # f-1 h w
    moving = change.flatten().sort(descending=True).values
    share = int((moving.cumsum(0) < 0.9 * moving.sum()).sum()) + 1  # cells that make up 90 % of all change
    drowns = float(moving[:share].mean().sqrt())
    last = decode(z[-1:])
    step = steps(pictures.movedim(-1, 1))
    return {
        "spread of a channel": float(spreads.mean()),
        "channel farthest from 0": float(means.mean(0).abs().max()),
        "last frame like the first": float(_correlation(centred[0], centred[-1])),
        "cells with 90 % of the change, %": 100 * share / len(moving),
        "change there": drowns,
        "drowns in noise from step": float((sigmas < drowns).sum()),
        "spread, last frame to first": float((spreads[-1] / spreads[0]).mean()),
        "last frame changed by AdaIN, of 255": _off(decode(match_statistics(z)[-1:]), last),
        "by histogram matching, of 255": _off(match_histograms(pictures)[-1:], pictures[-1:]),
        "step in brightness": float(step.luminance.median()),
        "first-frame jump": step.luminance_jump,
    }


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()


def _off(changed: Tensor, plain: Tensor) -> float:
    """Root mean square in levels."""
    return float(255 * (changed - plain).square().mean().sqrt())


def real(folder: Path) -> Iterator[tuple[str, list[Tensor], Code, Code]]:
    """Each set of real clips, with TAESD. Raises Trouble where they are not there."""
    filmed.place(folder)
    coder = TAESD(*(str(folder / "taesd" / f"taesd_{half}.safetensors") for half in ("encoder", "decoder")))

    def encode(pictures: Tensor) -> Tensor:
        return torch.cat([coder.encode(2 * one[None].movedim(-1, 1) - 1) * coder.vae_scale for one in pictures])

    def decode(z: Tensor) -> Tensor:
        return torch.cat([coder.decode(one[None] / coder.vae_scale) for one in z]).movedim(1, -1).add(1).div(2)

    for name in sorted(path.name for path in (folder / "clips").iterdir()):
        files = sorted((folder / "clips" / name).glob("*.mp4"))
        yield f"real: {name.replace('_', ' ')}", [filmed.read(file) for file in files], encode, decode


def miniature(count: int) -> tuple[list[Tensor], Code, Code, Tensor]:
    """Clips of every motion of the world, with the miniature's own autoencoder; and its model's noise levels."""
    import nodes

    asyncio.run(nodes.load_custom_node(str(ROOT / "miniature")))
    model, _, vae = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
    rng, scenes = np.random.default_rng(SEED), world.all_scenes()
    clips = []
    for motion in world.MOTIONS:
        for _ in range(count):
            states = world.path(motion, world.start_state(motion, rng), FRAMES)
            clip = world.draw_clip(scenes[rng.integers(len(scenes))], states)
            clips.append(torch.from_numpy(clip).float() / 255)
    scale = model.model.process_latent_in, model.model.process_latent_out
    return (
        clips,
        lambda pictures: scale[0](vae.encode(pictures).float()),
        lambda z: vae.decode(scale[1](z)).float(),
        model.get_model_object("model_sampling").sigmas,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3, help="of the miniature's clips of each motion")
    parser.add_argument("--real", type=Path, default=filmed.REAL, metavar="DIR")
    options = parser.parse_args()
    torch.set_num_threads(1)
    clips, encode, decode, sigmas = miniature(options.count)
    sets = [("miniature", clips, encode, decode), *real(options.real)]
    rows = {}
    with torch.inference_mode():
        for name, of_set, *code in sets:
            found = [measured(clip, *code, sigmas) for clip in of_set]
            for key in found[0]:
                values = np.array([clip[key] for clip in found])
                rows.setdefault(key, []).append(f"{values.mean():.2f} ± {values.std():.2f}")
            print(name, {key: cells[-1] for key, cells in rows.items()}, flush=True)
    head = ["", *(f"{name}, {len(of_set)} clips" for name, of_set, *_ in sets)]
    table = markdown.table(head, [[key, *cells] for key, cells in rows.items()])
    PAGE.write_text(WORDS.read_text(encoding="utf-8").replace("{table}\n", table), encoding="utf-8")
    print(f"\n{table}\nwritten: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
