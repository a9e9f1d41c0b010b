"""How many captions the second edition's image model draws right, by a check without networks.

    python3 dev/inside.py COMFYUI judge_figures --checkpoint FILE.safetensors [--count 100] [--sheet FILE.png]

Captions are those of figures drawn at random on random grounds; half of them say what happens. Prints the share that
caption_check.py accepts, and of those that it does not, the captions.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import caption_check
import numpy as np
import stage
from PIL import Image

STEPS, GUIDANCE, SAMPLER, SCHEDULER = 25, 2.5, "euler", "normal"
_SEED, _COLUMNS = 20_26_13, 10


def asked(count: int) -> list[tuple[stage.Shot, str]]:
    """Shots of one figure, every motion as often as the others, and their captions."""
    rng = np.random.default_rng(_SEED)
    motions = list(stage.GAITS)
    shots = [stage.random_shot(rng, motions[k % len(motions)], "still") for k in range(count)]
    return [(shot, shot.caption(motion=k % 2 == 0)) for k, shot in enumerate(shots)]


def draw(checkpoint: Path, captions: list[str]) -> np.ndarray:
    """A picture of each, uint8 (n, 128, 128, 3), through ComfyUI's own nodes."""
    import comfy.sd
    import nodes
    import torch

    asyncio.run(nodes.load_custom_node(str(Path(__file__).parent)))  # Load Checkpoint knows the miniature from here on
    model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(str(checkpoint))
    empty = clip.encode_from_tokens_scheduled(clip.tokenize(""))
    pictures = []
    for k, caption in enumerate(captions):
        said = clip.encode_from_tokens_scheduled(clip.tokenize(caption))
        latent = {"samples": torch.zeros(1, 4, 16, 16)}
        (done,) = nodes.common_ksampler(model, k, STEPS, GUIDANCE, SAMPLER, SCHEDULER, said, empty, latent)
        pictures.append((vae.decode(done["samples"])[0] * 255).round().byte().cpu().numpy())
    return np.stack(pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--sheet", type=Path, help="the pictures side by side, to look at")
    options = parser.parse_args()
    shots = asked(options.count)
    pictures = draw(options.checkpoint, [caption for _, caption in shots])
    right = [
        caption_check.shows(picture, shot.actors[0].figure, shot.ground)
        for picture, (shot, _) in zip(pictures, shots, strict=True)
    ]
    for (_, caption), good in zip(shots, right, strict=True):
        if not good:
            print(f"not drawn: {caption}")
    print(f"{sum(right)} of {len(right)} captions drawn right")
    if options.sheet:
        rows = [np.concatenate(list(pictures[k : k + _COLUMNS]), axis=1) for k in range(0, len(pictures), _COLUMNS)]
        Image.fromarray(np.concatenate([row for row in rows if row.shape == rows[0].shape])).save(options.sheet)


if __name__ == "__main__":
    sys.exit(main())
