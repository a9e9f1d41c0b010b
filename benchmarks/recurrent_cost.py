"""What a memory costs: recurrent attention beside plain sparse-causal attention of the same size, and beside its own
loop over frames.

    .venv/bin/python benchmarks/recurrent_cost.py

One thread, processor seconds (other programs do not disturb them), medians of interleaved runs. A row is one
self-attention of SD 1.x, from its input to the output of its attention, with 16 frames of 256 x 256 px.
"""

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location(
    "few_shot_motion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
)
assert spec
sys.modules["few_shot_motion"] = importlib.util.module_from_spec(spec)

from few_shot_motion.motion_modules.key_frames import key_tokens  # noqa: E402
from few_shot_motion.motion_modules.recurrent import FORMS, Memory  # noqa: E402

HEADS, FRAMES = 8, 16
LEVELS = {"32 x 32, 320": (1024, 320), "16 x 16, 640": (256, 640), "8 x 8, 1280": (64, 1280), "4 x 4, 1280": (16, 1280)}
SC = "sparse-causal"


class Attention:
    """The projections of one self-attention, and the ways to attend with them."""

    def __init__(self, channels: int):
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels, bias=False) for _ in range(3))

    def project(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return self.to_k(tokens), self.to_v(tokens)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (tokens.unflatten(-1, (HEADS, -1)).transpose(-2, -3) for tokens in (q, k, v))
        return scaled_dot_product_attention(q, k, v).transpose(-2, -3).flatten(-2)

    def sparse_causal(self, x: Tensor) -> Tensor:
        """Tune-A-Video as this pack runs it: key frames gathered, then projected, one attention over all frames."""
        return self.attend(self.to_q(x), *self.project(key_tokens(x, ("first", "former"), FRAMES)))

    def recurrent(self, x: Tensor, memory: Memory) -> Tensor:
        return memory(self.to_q(x), *self.project(x), HEADS, FRAMES, self.project)

    def loop(self, x: Tensor, layer: Memory) -> Tensor:
        """The same equations as the release's code runs them: one frame after the other, all its keys projected and
        attended to at once.
        """
        form, outs, memory = layer.form, [], torch.zeros_like(x[:1])
        for i in range(FRAMES):
            first = outs[0] if form.aliased and i >= 2 else x[:1]
            frames = {"first": first, "former": x[max(i - 1, 0)][None]}
            q, tokens = self.to_q(x[i][None]), torch.cat([frames[word] for word in form.key_frames], dim=1)
            read = layer.memory_readout(memory) if form.readout else memory
            if form.joint:
                out = self.attend(q, *self.project(torch.cat([tokens, read], dim=1)))
            else:
                out = self.attend(q, *self.project(tokens)) + self.attend(q, *self.project(read))
            memory = form.f(form.keeps * memory + layer.memory_update_layer(torch.cat([memory, out], dim=-1)))
            outs.append(out)
        return torch.cat(outs)


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def with_gradient(run: Callable[[], Tensor]) -> Callable[[], object]:
    return lambda: run().sum().backward()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--gradient", action="store_true", help="forward and backward pass")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    columns = [SC, *(f"{form}{way}" for form in FORMS for way in ("", ", loop"))]
    print(f"| level | {' | '.join(columns)} |\n|{'---|' * (1 + len(columns))}")
    totals: dict[str, float] = dict.fromkeys(columns, 0.0)
    for level, (length, channels) in LEVELS.items():
        attention, x = Attention(channels), torch.randn(FRAMES, length, channels, requires_grad=options.gradient)
        ways: dict[str, Callable[[], Tensor]] = {SC: lambda attention=attention, x=x: attention.sparse_causal(x)}
        for form in FORMS:
            layer = Memory(channels, FORMS[form])
            ways[form] = lambda attention=attention, x=x, layer=layer: attention.recurrent(x, layer)
            ways[f"{form}, loop"] = lambda attention=attention, x=x, layer=layer: attention.loop(x, layer)
        taken: dict[str, list[float]] = {name: [] for name in columns}
        with torch.set_grad_enabled(options.gradient):
            for _ in range(options.runs):
                for name, way in ways.items():
                    taken[name].append(seconds(with_gradient(way) if options.gradient else way))
        medians = {name: statistics.median(values) for name, values in taken.items()}
        _print_row(level, medians)
        count = 1 if level == list(LEVELS)[-1] else 5  # of the 16 attentions of SD 1.x
        totals = {name: total + count * medians[name] for name, total in totals.items()}
    _print_row("all 16", totals)


def _print_row(level: str, values: dict[str, float]) -> None:
    print(
        f"| {level} | {' | '.join(f'{value:.3f} s, {value / values[SC]:.2f}x' for value in values.values())} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
