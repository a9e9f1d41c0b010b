"""Every node of core that takes and gives a MODEL, beside every method of motion: docs/combinations.md.

The nodes are found in ComfyUI's own list and stand at their default values, in front of the motion and behind it. A
cell is right where the clip is finite, its first frame is the given one to the bit, the motion is there (against the
same node without motion) and the model is as before; or where one sentence of the pack says why not.
"""

import asyncio
import logging
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import comfy.utils
import nodes
import torch

from . import markdown
from .base import MINIATURE
from .combination_bench import FRAMES, LORA, STEPS, ZERO, Bench, with_lora
from .interpreter import ROOT

MOTIONS = ("lamp", "recurrent", "tune-a-video", "animatediff", ZERO)
RUNS, SAYS, CORE, RAW, LOST, UNCLEAN = "runs", "says why not", "core's own error", "RAW ERROR", "MOTION LOST", "UNCLEAN"
WRONG = (RAW, LOST, UNCLEAN)


@dataclass(frozen=True)
class Cell:
    """What came of one node, one motion and one order."""

    verdict: str
    text: str = ""  # the sentence, or the error


# ----------------------------------------------------------------------------------------------- core's own nodes


def model_nodes() -> Iterator[tuple[str, type]]:
    """Every node of core that takes a MODEL and gives one: (id, class)."""
    for name, node in sorted(nodes.NODE_CLASS_MAPPINGS.items()):
        if getattr(node, "RELATIVE_PYTHON_MODULE", "nodes").split(".")[0] in ("nodes", "comfy_extras"):
            if "MODEL" in node.RETURN_TYPES and any(kind == "MODEL" for kind, _ in inputs_of(node).values()):
                yield name, node


def inputs_of(node) -> dict[str, tuple]:
    """A node's required inputs: (type or choices, settings)."""
    required = node.INPUT_TYPES().get("required", {})
    return {name: (given[0], given[1] if len(given) > 1 else {}) for name, given in required.items()}


def call(node, model, bench: Bench):
    """The MODEL a node makes of a model at its default values.

    Raises LookupError where it wants something that only another kind of model has.
    """
    values = {}
    for name, (kind, settings) in inputs_of(node).items():
        if kind == "MODEL":
            values[name] = model if not values or "MODEL" not in _kinds(node, values) else bench.other
        elif name == "lora_name":
            values[name] = LORA
        elif isinstance(kind, list | tuple) or kind == "COMBO":
            options = settings.get("options", []) if kind == "COMBO" else kind
            if not options:
                raise LookupError(f"a file in {name.removesuffix('_name')}")
            values[name] = settings.get("default", options[0])
        elif kind in bench.given:
            values[name] = bench.given[kind]
        elif "default" in settings:
            values[name] = settings["default"]
        else:
            raise LookupError(kind)
    with torch.inference_mode():
        made = (node.execute if hasattr(node, "define_schema") else getattr(node(), node.FUNCTION))(**values)
    made = made.args if hasattr(made, "args") else made
    return made[list(node.RETURN_TYPES).index("MODEL")]


def _kinds(node, values: dict) -> list:
    return [inputs_of(node)[name][0] for name in values]


# ------------------------------------------------------------------------------------------------------- the cells


@dataclass
class Matrix:
    """All cells of one bench; what every cell is held against is made once."""

    bench: Bench

    def __post_init__(self):
        self.still, self.alone = self.bench.picture(), self.bench.sample(self.bench.model)
        self.weights = {name: value.clone() for name, value in self.bench.model.model.state_dict().items()}

    def of_node(self, node) -> dict[tuple[str, str], Cell] | str:
        """(motion, order) -> cell; or in words why the node has none."""
        try:
            node_alone = call(node, self.bench.model, self.bench)
            without = self.alone if node.__name__ == "TorchCompileModel" else self.bench.sample(node_alone)
        except LookupError as error:
            return f"wants {error.args[0]}"
        except Exception as error:  # noqa: BLE001 - whatever core's node does on an image model by itself
            return f"not for image models ({type(error).__name__})"
        cells = {}
        for motion in MOTIONS:
            cells[motion, "in front"] = self._cell(
                lambda motion=motion: self.bench.moving(call(node, self.bench.model, self.bench), motion), without
            )
            cells[motion, "behind"] = self._cell(
                lambda motion=motion: call(node, self.bench.moving(self.bench.model, motion), self.bench), without
            )
        if not self._clean():
            return {place: Cell(UNCLEAN) for place in cells}
        return cells

    def _cell(self, make: Callable, without: torch.Tensor) -> Cell:
        try:
            clip = self.bench.sample(make())
        except Exception as error:  # noqa: BLE001 - every error is classified
            ours = "few_shot_motion" in traceback.extract_tb(error.__traceback__)[-1].filename or str(ROOT) in (
                traceback.extract_tb(error.__traceback__)[-1].filename
            )
            is_sentence = isinstance(error, ValueError) and ours and "\n" not in str(error)
            return Cell(SAYS if is_sentence else RAW, f"{error}")
        if not torch.isfinite(clip).all():
            return Cell(RAW, "not finite")
        if not torch.equal(clip[:1], self.bench.first["samples"]):
            return Cell(LOST, "the first frame")
        moved = float((clip - without)[1:].abs().max() / without.std())
        return Cell(RUNS) if moved > 1e-3 else Cell(LOST, f"{moved:.1g}")

    def _clean(self) -> bool:
        picture, now = (
            self.bench.picture(),
            self.bench.model.model.state_dict(),
        )  # sampling takes off what others put on
        return torch.equal(picture, self.still) and all(
            torch.equal(value, now[name]) for name, value in self.weights.items()
        )


def all_nodes_loaded() -> None:
    """Make core list its own extra nodes too, and a LoRA file for its loaders."""
    asyncio.run(nodes.init_extra_nodes(init_custom_nodes=False, init_api_nodes=False))


def main() -> None:
    """Run all cells on the miniature and write the page."""
    logging.getLogger().setLevel(logging.ERROR)
    comfy.utils.set_progress_bar_enabled(False)
    all_nodes_loaded()
    asyncio.run(nodes.load_custom_node(str(MINIATURE)))
    model, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
    bench = Bench(model, clip, vae, width=64)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        with_lora(bench, Path(folder))
        matrix = Matrix(bench)
        for name, node in model_nodes():
            found[name] = matrix.of_node(node)
            print(name, summary(found[name]), flush=True)
    page = ROOT / "docs" / "combinations.md"
    page.write_text(report(found), encoding="utf-8")
    print(f"written: {page.relative_to(ROOT)}")


def summary(cells: dict | str) -> str:
    """A node's cells in a few words."""
    if isinstance(cells, str):
        return cells
    counts = {}
    for cell in cells.values():
        counts[cell.verdict] = counts.get(cell.verdict, 0) + 1
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def report(found: dict) -> str:
    """docs/combinations.md."""
    tried = {name: cells for name, cells in found.items() if not isinstance(cells, str)}
    rows, sentences = [], {}
    for name, cells in tried.items():
        row = []
        for motion in MOTIONS:
            pair = [cells[motion, order] for order in ("in front", "behind")]
            for cell in pair:
                if cell.text:
                    sentences.setdefault(f"{cell.verdict}: {cell.text}", []).append(f"{name} ({motion})")
            row.append(" / ".join(cell.verdict for cell in pair) if pair[0] != pair[1] else pair[0].verdict)
        rows.append([name, *row])
    every = [cell.verdict for cells in tried.values() for cell in cells.values()]
    counts = ", ".join(f"{every.count(verdict)} {verdict}" for verdict in (RUNS, SAYS, *WRONG))
    said = "\n".join(f"- {', '.join(dict.fromkeys(names))}: {text}" for text, names in sentences.items())
    left = markdown.table(["node", "why not"], [[name, why] for name, why in found.items() if isinstance(why, str)])
    return f"""# Motion beside core's own nodes

Made by `python3 dev combinations`: every node of ComfyUI that takes a MODEL and gives one, as ComfyUI lists them, at
its default values, in front of the motion and behind it; every method at strength 1, {STEPS} steps, {FRAMES} frames,
on the miniature. *runs*: the clip is finite, its first frame is the given one to the bit, the motion is there, and
afterwards the model and a picture by it are as before. {len(every)} cells: {counts}.

{markdown.table(["node", *MOTIONS], rows)}
What was said:

{said}

Not tried:

{left}"""
