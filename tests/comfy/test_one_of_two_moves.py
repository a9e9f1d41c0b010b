"""The miniature's own LAMP adapter on a picture with two subjects, one of them under the mask: it goes its way, the
other stays where it is.
"""

import asyncio
from pathlib import Path

import folder_paths
import measure
import nodes
import numpy as np
import pytest
import torch
import world
from few_shot_motion.nodes.motion import LoadMotionAdapter
from few_shot_motion.nodes.sampling import FirstFrameKSampler

MINIATURE = Path(__file__).parents[2] / "miniature"
ADAPTER, FRAMES, STEPS = "miniature_moves_right.safetensors", 16, 10
UPPER, LOWER = world.Scene("red", "ball", "grass"), world.Scene("blue", "box", "grass")
AWAY = world.State(-50, -50)


@pytest.fixture(scope="module")
def studio():
    asyncio.run(nodes.load_custom_node(str(MINIATURE)))
    assert ADAPTER in [Path(file).name for file in folder_paths.get_filename_list("motion_adapters")]
    model, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint("miniature.safetensors")
    words = [[[clip.encode_from_tokens(clip.tokenize(text)), {}]] for text in ("a red ball on grass moves right", "")]
    return LoadMotionAdapter.execute(model, ADAPTER, 1.0).args[0], *words, vae


def two() -> np.ndarray:
    """A picture of both, uint8: the ball above, the box below."""
    picture, box = world.draw(UPPER, world.State(4, 4, 5)), world.draw(LOWER, world.State(4, 12, 5))
    there = (box != world.draw(LOWER, AWAY)).any(-1)
    picture[there] = box[there]
    return picture


def course(frames: np.ndarray, scene: world.Scene, half: slice) -> list[float]:
    """Where the one subject in this half of the picture is in each frame, cells to the right."""
    alone = np.broadcast_to(world.draw(scene, AWAY), frames.shape).copy()
    alone[:, half] = frames[:, half]
    found = [measure.find_subject(frame, (scene.shape,)) for frame in alone]
    return [one.x if one else float("nan") for one in found]


def test_what_is_white_goes_its_way_and_what_is_black_stays(studio):
    model, positive, negative, vae = studio
    above = torch.zeros(1, 128, 128)
    above[:, :64] = 1
    later = above.repeat(FRAMES, 1, 1)
    later[8:] = 0
    with torch.inference_mode():
        first = vae.encode(torch.from_numpy(two())[None].float() / 255)
        clips = [
            FirstFrameKSampler.execute(
                model, positive, negative, {"samples": first}, FRAMES, 0, STEPS, 2.0, "euler", "normal", "none",
                motion_mask=mask,
            ).args[0]["samples"]
            for mask in (None, above, later)
        ]  # fmt: skip
        free, masked, stopped = [(vae.decode(clip) * 255).round().byte().numpy() for clip in clips]
    alone, ball, half_way = (course(frames, UPPER, slice(64)) for frames in (free, masked, stopped))
    assert (ball[-1] - ball[0]) / (alone[-1] - alone[0]) == pytest.approx(1, abs=0.15) and ball[-1] - ball[0] > 4
    assert torch.equal(clips[1][..., 8:, :], first[..., 8:, :].expand(FRAMES, -1, -1, -1))
    box = course(masked, LOWER, slice(64, None))
    assert max(box) - min(box) < 0.1, "nor does anything come over the border"
    assert half_way[7] - half_way[0] > 1.5 and torch.equal(clips[2][8:], first.expand(8, -1, -1, -1))
