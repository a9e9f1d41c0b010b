"""How exactly sampling gives back what DDIM Inversion found the noise of: by the number of steps, and by the prompt.

Clips of the world's test set, the miniature as it is, ddim_uniform and euler, cfg 1. `python3 dev study inversion`
prints the table of DDIM Inversion's help page, a line as soon as it is there.
"""

import argparse
import asyncio

import numpy as np
import testset
import torch
from few_shot_motion.nodes.inversion import DDIMInversion

from .. import markdown
from ..interpreter import ROOT

FRAMES, STEPS = 8, (10, 20, 50)


def given_back(model, vae, latents: torch.Tensor, positive: list, steps: int) -> tuple[float, float]:
    """Spread of the error against the spread of the clip's latents, and the pictures' PSNR in dB."""
    from nodes import KSamplerAdvanced

    noise = DDIMInversion.execute(model, positive, {"samples": latents}, steps, "ddim_uniform", "inverted", 1.0).args[0]
    (clip,) = KSamplerAdvanced().sample(
        model, "disable", 0, steps, 1.0, "euler", "ddim_uniform", positive, positive, noise, 0, steps, "disable"
    )
    error = (clip["samples"] - latents).std() / latents.std()
    square = (vae.decode(clip["samples"]) - vae.decode(latents)).square().mean()
    return float(error), float(-10 * square.log10())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3, help="clips")
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS)
    options = parser.parse_args()
    import nodes

    asyncio.run(nodes.load_custom_node(str(ROOT / "miniature")))
    torch.set_num_threads(1)  # the miniature is too small for more
    model, text, vae = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
    cases, rows = testset.test_set(options.count, FRAMES), []
    for prompt in ("empty", "the clip's caption"):
        for steps in options.steps:
            found = []
            for case in cases:
                words = case.caption if prompt != "empty" else ""
                with torch.inference_mode():
                    positive = [[text.encode_from_tokens(text.tokenize(words)), {}]]
                    latents = vae.encode(torch.from_numpy(case.draw()).float() / 255)
                    found.append(given_back(model, vae, latents, positive, steps))
            off, psnr = np.array(found).T
            rows.append([prompt, str(steps), _spread(off, 2), _spread(psnr, 1)])
            print(rows[-1], flush=True)
    print("\n" + markdown.table(["prompt", "steps", "latents off by", "PSNR, dB"], rows))


def _spread(values: np.ndarray, digits: int) -> str:
    """Mean and range over the clips."""
    return f"{values.mean():.{digits}f} ({values.min():.{digits}f} to {values.max():.{digits}f})"


if __name__ == "__main__":
    main()
