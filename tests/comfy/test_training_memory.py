"""What a training is said to take, against a count of what its step keeps for the backward pass, at the widths that
people have.
"""

import pytest
import torch
from few_shot_motion.training.memory import Estimate, has_room

from dev.studies.training_memory import SIZES, Setting

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
