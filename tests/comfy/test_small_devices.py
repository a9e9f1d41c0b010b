"""Motion on simulated cards: loaded in part, moved away and brought back by ComfyUI's own memory management, with
nothing left on the card and no more memory taken than it was told.
"""

import gc
from functools import partial
from itertools import product

import comfy.model_management
import pytest
import torch
import unets
from few_shot_motion.host.patching.weight_change import WeightChange

from dev.benching import on_card, parts, real_widths
from dev.benching.on_card import IMAGE, MOTION, Clip, animated, trained
from dev.benching.simulated import TAKEN, Card

LEAST = int(comfy.model_management.minimum_inference_memory())  # what ComfyUI leaves free of any card
KINDS = ("LAMP", "AnimateDiff v2", "Recurrent")
NARROW = {"channel_mult": [1, 2], "num_res_blocks": [1, 1], "transformer_depth": [1, 1], "model_channels": 64,
          "transformer_depth_output": [1, 1, 1, 1], "transformer_depth_middle": 1}  # fmt: skip


@pytest.fixture
def narrow(monkeypatch):
    """SD 1.5 with a UNet of two levels, each a fifth as wide."""
    made, config = real_widths.FAMILIES["SD 1.5"]
    monkeypatch.setitem(real_widths.FAMILIES, "SD 1.5", (made, {**config, **NARROW}))
    for part in ("text_encoder", "vae"):
        monkeypatch.setattr(parts, part, lambda *_: torch.nn.Linear(1000, 1000))
    on_card.quiet()


@pytest.mark.parametrize("motion, room", [*product(KINDS, [10]), ("LAMP", 2**10)])
def test_motion_is_loaded_in_part_and_leaves_nothing_on_the_card(narrow, motion, room):
    """`room`: MiB beside what ComfyUI leaves free of any card."""
    clip = Clip(4, 64, 64)
    with Card(TAKEN + LEAST + room * 2**20) as card:
        found = animated(card, "SD 1.5", motion, clip)
    for stage in found.stages:
        (image, image_size), (layers, size) = (stage.bytes[name] for name in (IMAGE, MOTION))
        assert size > 0
        assert (image + layers < image_size + size) if room == 10 else image >= image_size
    assert found.peak <= card.total and found.clips == 2
    assert found.left == 0


def test_no_more_is_taken_than_comfyui_was_told():
    with Card(6 * 2**30) as card:
        found = animated(card, "SD 1.5", "LAMP", Clip(16, 512, 512))
    assert found.counted <= found.told
    assert found.peak <= card.total and found.left == 0


def test_a_card_is_full_and_who_mixes_devices_is_seen(narrow):
    with Card(TAKEN + 2**20) as card:
        x = torch.empty(2**18, device="cuda:0")
        assert card.held == TAKEN + 2**20 and comfy.model_management.get_free_memory(x.device) == 0
        with pytest.raises(RuntimeError, match="two different devices"):
            x[:4] @ torch.empty(4)
        assert card.peak_of(partial(torch.add, x, x)) == TAKEN + 2**21
        del x
        assert card.held == TAKEN


def test_a_training_begins_where_what_it_says_is_free(narrow):
    """The layers lie on the card before it is asked what is free: they are not counted twice."""

    def on_card_of(bytes_: int):
        with Card(TAKEN + bytes_) as card:
            return trained(card, "SD 1.5", Clip(4, 64, 64), rank=0, gradient_checkpointing=False)

    wide = on_card_of(4 * 2**30)
    assert not wide.refused and wide.said.startswith("Training takes about") and 0 < wide.loaded < wide.needed
    assert on_card_of(wide.needed + 2**20).said == wide.said
    assert on_card_of(wide.needed - 2**20).refused.startswith("Training needs about")


def test_a_change_of_weights_comes_back_to_whoever_uses_it():
    with Card(2**30) as card:
        change = WeightChange(torch.empty(64, 64), 1.0)
        weight = torch.empty(64, 64, device="cuda:0")
        before = card.held
        assert change(weight).device == weight.device
        assert change.change.device == weight.device and card.held == before + 64 * 64 * 4


def test_a_model_that_goes_while_there_is_a_card_is_on_no_list_of_core_s_after_it():
    """Else core dies of it as soon as it counts what it has loaded."""
    model = unets.sd_model(unets.TINY)
    comfy.model_management.load_models_gpu([model])
    model.itself = model.model.itself = model  # nothing but a collection ends the two
    with Card(6 * 2**30):
        del model
        gc.collect()
    comfy.model_management.free_memory(0, torch.device("cpu"))
    assert all(comfy.model_management.loaded_models())
