"""The shipped workflow on the miniature, through the API: the picture moves by the shift asked for, measured."""

import measure
import pytest
import world

from dev import prompt as workflows
from dev.client import PromptFailed
from dev.frames import of_saved_video

FRAMES, CELL = 4, 8  # px


def zero(**motion) -> dict:
    prompt = workflows.load("text_to_video_zero")
    workflows.set_inputs(prompt, "Checkpoint", ckpt_name="miniature.safetensors")
    workflows.set_inputs(prompt, "Prompt", text="a blue box on sand")
    workflows.set_inputs(prompt, "Size", width=128, height=128, batch_size=FRAMES)
    workflows.set_inputs(prompt, "Sampler", seed=3, steps=10, cfg=3.0, sampler_name="dpmpp_2m", scheduler="karras")
    workflows.set_inputs(prompt, "Motion", **motion)
    return prompt


@pytest.mark.parametrize("cells", [(1.0, 0.0), (-1.0, -1.0)])
def test_the_picture_moves_by_the_shift_asked_for(server, cells):
    """Three steps of a cell: the length within 20 %, the direction within 15 degrees, every frame within half a cell of
    its place, at the paper's levels for this size.
    """
    clip = of_saved_video(server.client, zero(move_x=cells[0] * CELL, move_y=cells[1] * CELL))
    first = measure.find_subject(clip[0])
    assert first is not None and (first.colour, first.shape, first.background) == ("blue", "box", "sand")
    course = [world.State(first.x + k * cells[0], first.y + k * cells[1], first.size) for k in range(FRAMES)]
    found = measure.measure_clip(clip, world.Scene("blue", "box", "sand"), course)
    assert (
        found["displacement_ratio"] == pytest.approx(1, abs=0.2)
        and found["direction_cosine"] > 0.966
        and found["path_error"] < 0.5
    )
    assert found["colour_kept"] == 1 and found["shape_iou"] > 0.9


def test_levels_the_wrong_way_round_are_told(server):
    with pytest.raises(
        PromptFailed, match="t0 is 941 and t1 is 881, but noise is added from t0 up to t1: set t1 above t0"
    ):
        server.client.run(zero(t0=941, t1=881))


def test_half_a_sampling_is_told(server):
    prompt = zero()
    workflows.set_inputs(prompt, "Sampler", denoise=0.5)
    with pytest.raises(
        PromptFailed, match="use one that starts from pure noise, with all its steps in one sampler and denoise 1"
    ):
        server.client.run(prompt)
