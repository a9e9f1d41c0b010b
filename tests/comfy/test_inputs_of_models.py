"""The gate's word on models and what belongs to them, on widgets, and on what a node gives."""

import comfy.samplers
import pytest
import torch
import unets
from comfy_api.latest import io
from few_shot_motion.host.inputs import gate, models, widgets

WORDS = torch.randn(1, 9, 64)
PROMPT = [[WORDS, {"pooled_output": torch.randn(1, 8)}]]


@pytest.fixture(scope="module")
def model():
    return unets.sd_model(unets.NANO)


def refused(check, *given) -> str:
    with pytest.raises(ValueError) as error:
        check(*given)
    assert "\n" not in str(error.value)
    return str(error.value)


# ------------------------------------------------------------------------------------------------------- widgets
INT, FLOAT = io.Int.Input("n", min=1, max=8), io.Float.Input("x", min=0.0, max=2.0)
COMBO = io.Combo.Input("word", options=["one", "two"])


@pytest.mark.parametrize("value, taken", [(1, 1), (8, 8), (3.0, 3)])
def test_whole_numbers_that_are_taken(value, taken):
    found = widgets.whole_number(value, INT, "n")
    assert found == taken and type(found) is int


@pytest.mark.parametrize("value, said", [
    (0, "n is 0, it goes from 1 to 8: choose"), (9, "n is 9, it goes"), (10**50, "n is of the type int, it goes"),
    (2.5, "n is 2.5 and no whole number"), (True, "n is True and no whole"), (None, "n is nothing and no whole"),
    ("5", "n is '5' and no whole"), (float("nan"), "n is nan and no whole"), (float("inf"), "n is inf and no whole"),
])  # fmt: skip
def test_whole_numbers_that_are_none(value, said):
    assert refused(widgets.whole_number, value, INT, "n").startswith(said)


def test_numbers():
    assert widgets.number(1, FLOAT, "x") == 1.0 and widgets.number(2.0, FLOAT, "x") == 2.0
    assert refused(widgets.number, float("nan"), FLOAT, "x").startswith("x is nan and no number: connect a FLOAT")
    assert refused(widgets.number, float("inf"), FLOAT, "x").startswith("x is inf, it goes from 0.0 to 2.0")
    assert refused(widgets.number, 1j, FLOAT, "x").startswith("x is of the type complex and no number")
    assert refused(widgets.number, False, FLOAT, "x").startswith("x is False and no number")


def test_words():
    assert widgets.choice("two", COMBO, "word") == "two" and widgets.switch(True, None, "on") is True
    assert widgets.text("ü\n語", None, "text") == "ü\n語"
    assert refused(widgets.choice, "three", COMBO, "word") == (
        "word is 'three', which is none of its choices: choose one, two."
    )
    assert refused(widgets.choice, ["two"], COMBO, "word").startswith("word is of the type list, which is none")
    assert "none, for there are none here" in refused(widgets.choice, "a", io.Combo.Input("w", options=[]), "w")
    assert refused(widgets.switch, 1, None, "on").startswith("on is 1 and neither on nor off")
    assert refused(widgets.text, 5, None, "text").startswith("text is 5 and no text")
    assert refused(widgets.text, "a\ud800", None, "text").startswith("text holds half a character")


# -------------------------------------------------------------------------------------------------------- models
def test_kinds_are_told(model):
    there = {"MODEL": model, "SAMPLER": comfy.samplers.sampler_object("euler")}
    for kind, is_one in models.KINDS.items():
        for value in (None, "abc", 5, {}, [], object(), torch.zeros(2), torch.nn.Linear(2, 2), dict):
            assert not is_one(value), (kind, value)
        assert [name for name, value in there.items() if is_one(value)] == [kind] * (kind in there), kind


def test_a_vae_of_another_model(model):
    vae = type("Vae", (), {"latent_dim": 3, "latent_channels": 16})()
    assert refused(models.check_vae, vae, model, "x") == (
        "x does not encode single frames of 4 channels, it makes 16 over 3 dimensions: connect the VAE of this model."
    )


def test_a_vae_that_makes_no_numbers():
    vae = type("Vae", (), {"encode": lambda self, pictures: pictures * torch.nan})()
    assert refused(models.encoded, vae, torch.ones(1, 8, 8, 3), "clip 2").startswith(
        "The VAE makes no numbers (NaN) of"
    )


@pytest.mark.parametrize("value, said", [
    ([], "x holds no prompt: connect CLIP Text Encode"), (None, "x is nothing and no CONDITIONING"),
    ([[WORDS]], "no CONDITIONING"), ([[WORDS, "a"]], "no CONDITIONING"), ([["a", {}]], "no CONDITIONING"),
    ([[WORDS[0], {}]], "no CONDITIONING"), ([[WORDS.long(), {}]], "no CONDITIONING"),
    ([[WORDS[:, :0], {}]], "is empty"),
    ([[WORDS * torch.nan, {}]], "no numbers"), ([PROMPT[0], [WORDS * torch.inf, {}]], "no numbers"),
    ([[WORDS, {"pooled_output": torch.full((1, 8), torch.nan)}]], "no numbers"),
])  # fmt: skip
def test_prompts_that_are_none(value, said):
    assert said in refused(models.conditioning, value, "x")


@pytest.mark.parametrize("value", [PROMPT, PROMPT * 2, [(WORDS.half(), {})], [[WORDS, {"pooled_output": None}]]])
def test_prompts_that_are_taken_as_they_are(value):
    assert models.conditioning(value, "x") is value


def test_prompts_of_another_model(model):
    models.check_words(PROMPT, model, "x")
    wide = [[torch.randn(1, 9, 80), {}]]
    assert "its prompts have 80 channels, this model reads 64" in refused(models.check_words, wide, model, "x")


class Noise:
    def __init__(self, made):
        self.made = made

    def generate_noise(self, latent):
        return self.made(latent["samples"])


def test_noise_is_measured():
    latents = torch.zeros(3, 4, 8, 8)
    assert torch.equal(models.noise_of(Noise(torch.ones_like), latents), torch.ones_like(latents))
    for made, said in ((lambda x: x[:2], r"is \(2, 4, 8, 8\) for a clip of \(3, 4"),
                       (lambda x: None, "is NoneType for"),
                       (lambda x: x * torch.nan, "holds values that are no numbers")):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            models.noise_of(Noise(made), latents)


# ---------------------------------------------------------------------------------------------------------- gate
class Node(io.ComfyNode):
    made = None

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="N", inputs=[INT, io.Latent.Input("clip", optional=True), io.Model.Input("model", optional=True)],
            outputs=[io.Latent.Output()],
        )  # fmt: skip

    @classmethod
    def execute(cls, n, clip="none", model=None) -> io.NodeOutput:
        return io.NodeOutput({"n": n, "clip": clip} if cls.made is None else cls.made)


gate.checked(Node)


def test_what_is_optional_and_nothing_is_left_out():
    assert Node.execute(3).args[0] == {"n": 3, "clip": "none"}
    assert Node.execute(n=3, clip=None).args[0] == {"n": 3, "clip": "none"}


def test_a_latent_of_another_model_is_told(model):
    assert "this model's have 4 channels" in refused(Node.execute, 3, {"samples": torch.zeros(1, 16, 8, 8)}, model)


@pytest.mark.parametrize(
    "made", [torch.full((1, 8, 8, 3), torch.nan), {"samples": torch.full((1, 4, 8, 8), torch.inf)}]
)
def test_what_a_node_gives_is_numbers(made, monkeypatch):
    monkeypatch.setattr(Node, "made", made)
    assert refused(Node.execute, 3).startswith("What this node made holds values that are no numbers")
