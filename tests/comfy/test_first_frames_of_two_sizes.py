"""First frames of two sizes, which no latent holds together: as a list each is animated by itself, in its own size."""

import io

import clips
import world
from PIL import Image
from serving import animation

from dev import prompt as workflows

ADAPTER, LENGTH = "miniature_moves_right.safetensors", 4


def test_a_list_of_first_frames_of_two_sizes_makes_a_clip_each(server, client):
    folder = server.base / "input" / "two sizes"
    folder.mkdir(exist_ok=True)
    drawn = world.draw(world.Scene("red", "ball", "grass"), world.State(4.0, 8.0))[None]
    for name, picture in (("a", drawn), ("b", drawn[:, ::2, ::2])):
        clips.write_clip(folder / f"{name}.mp4", picture)
    prompt = animation(ADAPTER, length=LENGTH)
    prompt["clips"] = {"class_type": "FSM_LoadClips", "inputs": {"folder": folder.name}}
    prompt["firsts"] = {"class_type": "GetVideoComponents", "inputs": {"video": ["clips", 0]}}
    workflows.set_inputs(prompt, "Encode", pixels=["firsts", 0])
    saver = workflows.add_frame_saver(prompt, "Save video", "two_sizes")
    files = client.run(prompt)[saver]["images"]
    sizes = [Image.open(io.BytesIO(client.download(file))).size for file in files]
    assert sizes == [(128, 128)] * LENGTH + [(64, 64)] * LENGTH
