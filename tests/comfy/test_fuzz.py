"""Every node with one input at a time gone wrong, on a server of its own: a few hundred cases of `python3 dev fuzz`."""

import random

import pytest

from dev import fuzz
from dev.fuzzing import values, verdict
from dev.fuzzing.cases import drawn

CASES, SEED = 300, 10_000


@pytest.fixture(scope="module")
def told():
    return []


def test_every_answer_is_one_we_give(request, told):
    found = fuzz.fuzz(request.config.getoption("--comfyui").resolve(), CASES, SEED, told.append)
    bad = {(node, how): count for (node, how), count in found.items() if how in verdict.BAD}
    assert not bad, "\n".join(told)
    assert sum(found.values()) == CASES
    assert sum(count for (_, how), count in found.items() if how == verdict.SENTENCE) > CASES / 4
    assert sum(count for (_, how), count in found.items() if how == verdict.RAN) > CASES / 10


INFO = {"N": {"input": {"required": {"n": ["INT", {"min": 1, "max": 9, "default": 3}], "clip": ["IMAGE"]},
                        "optional": {"word": ["COMBO", {"options": ["a", "b"]}]}},
              "output": ["IMAGE"], "is_input_list": False}}  # fmt: skip


def test_a_seed_is_a_case():
    def case(seed: int):
        random.seed(random.random())
        return drawn(seed, INFO, "/outside", values.BENDS, values.GARBAGE, values.NOT_FINITE)

    assert [case(seed) for seed in range(50)] == [case(seed) for seed in range(50)]
    assert len({case(seed).what for seed in range(200)}) > 50
    for seed in range(200):
        made = case(seed).prompt
        links = [value for node in made.values() for value in node["inputs"].values() if isinstance(value, list)]
        assert {link[0] for link in links} <= made.keys()


def test_answers_are_told_apart():
    text = "n is 9, it goes from 1 to 8: choose a number between them.\n"
    failed = {"node_type": "N", "exception_type": "ValueError", "exception_message": text}
    assert verdict.of_failure(failed)[0] == verdict.SENTENCE
    for change in ({"exception_type": "RuntimeError"}, {"exception_message": "mat1 and mat2 cannot be multiplied"},
                   {"exception_message": text + "more"},
                   {"exception_message": "abc"}, {"exception_type": "KeyError"}):  # fmt: skip
        assert verdict.of_failure({**failed, **change})[0] == verdict.RAW
    error = {"type": "value_smaller_than_min", "message": "m", "details": "d"}
    assert verdict.of_refusal({"node_errors": {"1": {"errors": [error]}}})[0] == verdict.CORE
    other = {**error, "type": "exception_during_validation"}
    assert verdict.of_refusal({"node_errors": {"1": {"errors": [error, other]}}})[0] == verdict.RAW
    assert verdict.of_refusal({"error": {"type": "x", "message": "y"}, "node_errors": {}})[0] == verdict.RAW


def test_every_bend_is_another_value():
    """What is to be wrong with a value can be made of the values the prompts begin with."""
    for kind, base in (("IMAGE", "clip"), ("MASK", "masks"), ("LATENT", "latents")):
        for name, bend in values.BENDS[kind].items():
            assert bend(values.BASE[base]()) is not None, (kind, name)
    for name, make in values.GARBAGE.items():
        assert make() is None or name != "nothing"
