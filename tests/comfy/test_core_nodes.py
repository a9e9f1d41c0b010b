"""Motion beside every node of core that takes a MODEL and gives one, as ComfyUI lists them: `python3 dev combinations`
on a small random UNet.
"""

import nodes
import pytest
import unets
from moving import WIDTH, miniature

from dev import combinations


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    miniature()
    combinations.all_nodes_loaded()
    _, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
    bench = combinations.Bench(unets.sd_model(unets.TINY), clip, vae, WIDTH)
    combinations.with_lora(bench, tmp_path_factory.mktemp("loras"))
    return combinations.Matrix(bench)


def test_every_method_moves_beside_every_node_or_says_why_not(matrix):
    merge = nodes.NODE_CLASS_MAPPINGS["ModelMergeBlocks"]  # of which those of other architectures differ in names alone
    chosen = [
        (name, node)
        for name, node in combinations.model_nodes()
        if name in ("ModelMergeSD1", "ModelMergeSDXL", "ModelMergeBlocks") or not issubclass(node, merge)
    ]
    found = {name: matrix.of_node(node) for name, node in chosen}
    cells = {
        (name, *place): cell
        for name, there in found.items()
        if not isinstance(there, str)
        for place, cell in there.items()
    }
    assert {place: cell for place, cell in cells.items() if cell.verdict in combinations.WRONG} == {}
    assert {"HyperTile", "TomePatchModel", "FreeU_V2", "TorchCompileModel", "LoraLoader"} <= {
        name for name, *_ in cells
    }
    said = {place for place, cell in cells.items() if cell.verdict == combinations.SAYS}
    assert said == {("TomePatchModel", "recurrent", order) for order in ("in front", "behind")}


def test_a_motion_that_gets_lost_is_found(matrix):
    """What the table promises is looked for: a node that throws the motion away, and one that dies."""

    class Loses:
        RETURN_TYPES, FUNCTION = ("MODEL",), "run"

        @classmethod
        def INPUT_TYPES(cls):  # noqa: N802 - ComfyUI's name
            return {"required": {"model": ("MODEL",)}}

        def run(self, model):
            return (matrix.bench.model,)

    class Dies(Loses):
        def run(self, model):
            assert model is matrix.bench.model, "two\nlines"
            return (model,)

    assert {cell.verdict for cell in matrix.of_node(Loses).values()} >= {combinations.LOST}
    assert {cell.verdict for cell in matrix.of_node(Dies).values()} == {combinations.RUNS, combinations.RAW}
