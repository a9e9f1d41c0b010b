"""Every input of every node, by its schema: numbers beyond their limits, words that are none, values of other kinds and
values that are no numbers get a sentence, however they come.
"""

import re

import pytest
import torch
from comfy_api.latest import io
from few_shot_motion.host.inputs import gate
from few_shot_motion.nodes import NODES

NAMES = [node.define_schema().node_id for node in NODES]
CASES = [(node, asked) for node in NODES for asked in node.define_schema().inputs]
GARBAGE = [
    None,
    "abc",
    10**5000,
    -(10**30),
    float("nan"),
    float("inf"),
    {"a": 1},
    [1],
    object(),
    b"x",
    torch.zeros(2),
    1j,
]


def refused(node, asked, value) -> str:
    """What the gate says of a node that is given this one input."""
    schema = node.define_schema()
    if schema.is_input_list:
        value = [value]
    with pytest.raises(ValueError) as error:
        gate.checked_inputs(schema, {asked.id: value}, set())
    said = str(error.value)
    assert asked.id in said and said.endswith(".") and "\n" not in said and 30 < len(said) < 420, said
    assert not re.search(r"Error|Traceback|torch\.|<|object at", said), said
    return said


def named(case) -> str:
    return f"{case[0].define_schema().node_id} {case[1].id}"


@pytest.mark.parametrize("case", [c for c in CASES if isinstance(c[1], (io.Int.Input, io.Float.Input))], ids=named)
def test_numbers_are_held_to_the_limits_of_their_schema(case):
    node, asked = case
    assert asked.min is not None and asked.max is not None, "a number without limits is one that can hang a server"
    step = 1 if isinstance(asked, io.Int.Input) else 1e-3
    for value in (asked.min - step, asked.max + step):
        assert f"it goes from {asked.min} to {asked.max}" in refused(node, asked, value)
    for value in (asked.min, asked.max):
        given = [value] if node.define_schema().is_input_list else value
        assert gate.checked_inputs(node.define_schema(), {asked.id: given}, set()) == {asked.id: given}


@pytest.mark.parametrize("case", CASES, ids=named)
def test_garbage_of_every_type_gets_a_sentence(case):
    node, asked = case
    kinds = gate.kinds_of(asked)
    for value in GARBAGE:
        if value is None and (asked.optional or asked.id == "mask_predictor"):
            continue  # as if nothing were connected; a training without masks gives none, which the node says itself
        if kinds == ["STRING"] and isinstance(value, str):
            continue
        refused(node, asked, value)


@pytest.mark.parametrize("case", [c for c in CASES if {"IMAGE", "LATENT", "MASK"} & {*gate.kinds_of(c[1])}], ids=named)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_refused_by_every_node(case, value):
    node, asked = case
    shapes = {"IMAGE": (2, 16, 16, 3), "LATENT": (2, 4, 8, 8), "MASK": (2, 16, 16)}
    for kind in {*shapes} & {*gate.kinds_of(asked)}:
        wrong = torch.zeros(shapes[kind])
        wrong.view(-1)[7] = value
        assert "NaN" in refused(node, asked, {"samples": wrong} if kind == "LATENT" else wrong)


@pytest.mark.parametrize("node", NODES, ids=NAMES)
def test_a_node_runs_behind_the_gate(node):
    """None can do without it: what is refused there never reaches the node's own first line."""
    schema = node.define_schema()
    asked = schema.inputs[0]
    value = [object()] if schema.is_input_list else object()
    with pytest.raises(ValueError, match=f"(^|What comes in at ){asked.id} is of the type object"):
        node.execute(**{asked.id: value})


def test_every_kind_of_socket_has_a_check():
    kinds = {kind for _, asked in CASES for kind in gate.kinds_of(asked)}
    assert kinds <= {*gate.CHECKS, *gate.WIDGETS}
