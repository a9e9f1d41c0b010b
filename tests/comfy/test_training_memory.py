"""What a training is said to take, against a count of what its step keeps for the backward pass, at the widths that
people have.
"""

import pytest
import torch
from few_shot_motion.training.memory import Estimate, has_room

from dev.studies.training_memory import SIZES, Setting, measured

NUMBERS = {32: (torch.float32, None), 0: (torch.float16, torch.bfloat16)}  # by rank


@pytest.mark.parametrize("family", SIZES)
@pytest.mark.parametrize("size, rank", [(0, 32), (1, 0)])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_what_is_said_is_what_is_kept(family, size, rank, checkpointing):
    said, counted = Setting(family, SIZES[family][size], checkpointing, rank, *NUMBERS[rank]).compare()
    assert said.total == pytest.approx(counted, rel=0.1)
    kept = counted - said.frozen - said.trained
    assert said.activations == pytest.approx(kept, rel=0.15)


def test_there_is_room_where_a_quarter_more_than_is_said_would_fit():
    said = Estimate(100, 200, 100)
    assert has_room(said, 500) and not has_room(said, 499)


def test_what_is_said_is_what_an_h200_took():
    """Of the peaks that dev/benching/gpu.jsonl keeps, those that the estimate's share for the way back was read off."""
    shares = {(motion, saving): float(share) for motion, saving, _, _, share in measured()}
    assert len(shares) == 8 and all(0.95 <= share <= 1.1 for share in shares.values())
    assert all(0.98 <= shares["LAMP rank 32", saving] <= 1.02 for saving in ("on", "off"))


@pytest.mark.parametrize("checkpointing", [False, True])
def test_weights_of_the_other_half_precision_cost_nothing(checkpointing):
    fp16, bf16 = (
        Setting("SD 1.5", SIZES["SD 1.5"][0], checkpointing, 32, held, torch.bfloat16).compare()
        for held in (torch.float16, torch.bfloat16)
    )
    assert fp16 == bf16
