"""Who judges clips of figures: exact ones are right in everything, others are wrong in what they are wrong in."""

from dataclasses import replace

import numpy as np
import pytest
import stage
import torch
from few_shot_motion.motion_modules.mask_predictor import resize_masks

from dev.studies import gaits, moving_masks
from dev.studies.figure_case import FigureCase
from dev.studies.figure_judge import FigureJudge
from dev.studies.judge import with_masks

MEASURES = sorted({*gaits.STUDY.measures, *moving_masks.STUDY.measures})
KINDS = [("walks", "still", 1), ("waves", "still", 1), ("walks", "follows", 1), ("waves", "pans", 1),
         ("walks", "shakes", 1), ("walks", "still", 2), ("walks", "zooms", 2)]  # fmt: skip


def case_of(motion: str, camera: str, actors: int, seed: int = 3) -> FigureCase:
    return FigureCase(stage.random_shot(np.random.default_rng([9, seed]), motion, camera, actors))


def judged(clip: np.ndarray, case: FigureCase, measures=MEASURES) -> dict[str, float]:
    return FigureJudge().of(clip, case, True, measures)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_exact_clip_is_right_in_all_that_can_be_asked_of_it(kind):
    case = case_of(*kind)
    found = judged(case.draw(), case)
    assert found["found"] == 1 and found["colours_kept"] > 0.95
    assert found["limb_correlation"] > 0.95 and found["period_error"] < 0.05 and found["path_error"] < 0.3
    assert ("second_found" in found) == (kind[2] > 1)
    assert found.get("second_found", 1) == 1
    if kind[1] == "still":
        assert found["background_change"] < 0.1 and not [name for name in found if name.startswith("flow")]
    else:
        assert found["flow_error"] < 0.25 < found["flow_length"] and found["flow_cosine"] > 0.95
        assert "background_change" not in found
    assert "mask_iou" not in found


def test_a_clip_that_stands_still_has_no_gait_and_no_flow():
    case = case_of("walks", "follows", 1)
    found = judged(case.draw()[:1].repeat(16, axis=0), case)
    assert found["limb_correlation"] < 0.3 and found["period_error"] == 1
    assert found["flow_error"] == pytest.approx(found["flow_length"], rel=0.05) and found["found"] == 1


def test_half_the_pace_is_a_whole_period_off():
    case = FigureCase(replace(case_of("waves", "still", 1).shot, frames=24))
    slow = case.draw()[np.arange(24) // 2]
    assert 0.8 < judged(slow, case)["period_error"] <= 1


def test_where_nobody_is_there_is_no_gait():
    case = case_of("walks", "still", 1)
    found = judged(np.full((16, 128, 128, 3), 255, np.uint8), case)
    assert found["found"] == found["limb_correlation"] == 0 and found["period_error"] == 1
    assert found["path_error"] == 8


def test_a_figure_off_its_course_is_no_change_of_the_background_but_what_drifts_is():
    case = case_of("waves", "still", 1)
    (who,) = case.shot.actors
    aside = FigureCase(replace(case.shot, actors=(replace(who, x=who.x + 2.5),)))
    found = judged(np.concatenate([case.draw()[:1], aside.draw()[1:]]), case)
    assert 2 < found["path_error"] < 3 and found["background_change"] < 0.1
    darker = np.concatenate([case.draw()[:1], case.draw()[1:] // 10 * 9])
    assert judged(darker, case)["background_change"] > 5


def test_a_second_figure_that_goes_is_found_no_more():
    case = case_of("walks", "still", 2)
    alone = FigureCase(replace(case.shot, actors=case.shot.actors[:1]))
    found = judged(np.concatenate([case.draw()[:4], alone.draw()[4:]]), case)
    assert found["found"] == 1 and found["second_found"] == 0.25


def test_masks_are_held_against_the_first_figure_where_the_picture_shows_it():
    case = case_of("walks", "still", 2)
    other = FigureCase(replace(case.shot, actors=case.shot.actors[::-1]))
    exact = [torch.from_numpy(np.stack([stage.body(stage.part_masks(case.shot, i), k) for i in range(16)]))
             for k in (0, 1)]  # fmt: skip
    masks = [resize_masks((mask > 0.5).float(), 16, 16) for mask in exact]
    first, second = (judged(with_masks(case.draw(), mask), case) for mask in masks)
    assert first["mask_iou"] > 0.85 and 0.5 < first["mask_iou_px"] < 1
    assert second["mask_iou"] < 0.1
    assert judged(with_masks(case.draw(), masks[1]), other)["mask_iou"] > 0.85
    sideways = judged(with_masks(case.draw(), masks[0].roll(2, dims=-1)), case)
    assert sideways["mask_iou"] < 0.5 and sideways["limb_correlation"] == first["limb_correlation"]


def test_only_what_is_asked_for_is_measured():
    case = case_of("walks", "still", 1)
    assert judged(case.draw(), case, ["found", "unet_frames"]) == {"found": 1}
    assert judged(case.draw(), case, []) == {}
