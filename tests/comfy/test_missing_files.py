"""Files that widgets name and nobody has: the node's own sentence, and a list that is empty says what to do."""

import pytest
from few_shot_motion.nodes import clips, frechet_metrics, modelscope, motion

from dev.client import PromptFailed

NODES = {  # node -> the widget that names a file, what is said of one that is not there
    "FSM_LoadMotionAdapter": ("adapter", "There is no motion adapter 'away' in .+: put the file there and refresh"),
    "FSM_LoadClips": ("folder", "There is no folder 'away' in .+: put the clips there and refresh"),
    "FSM_LoadModelScope": ("unet", "There is no file 'away' in models/diffusion_models: put ModelScope's UNet there"),
    "FSM_ClipVideoMetrics": ("clip_file", "There is no file 'away' in models/clip_vision .+: put it there"),
    "FSM_FrechetVideoDistance": ("i3d", "There is no file 'away' in models/i3d: put I3D's weights there and refresh"),
}


@pytest.mark.parametrize("kind", NODES)
def test_a_file_that_is_not_there_is_told_by_the_run(server, kind):
    name, sentence = NODES[kind]
    with pytest.raises(PromptFailed, match=f"{kind} failed: .*{sentence}"):
        server.client.run(prompt_of(server, kind, name, "away"))


@pytest.mark.parametrize(
    "node, place, lists, widget",
    [(motion.LoadMotionAdapter, motion.folders, "adapter_names", "adapter"),
     (clips.LoadClips, clips, "clip_folders", "folder"),
     (modelscope.LoadModelScope, modelscope.folder_paths, "get_filename_list", "unet"),
     (frechet_metrics.FrechetVideoDistance, frechet_metrics.video_features, "networks", "i3d")],
)  # fmt: skip
def test_an_empty_list_says_what_to_do(monkeypatch, node, place, lists, widget):
    """The page fills a new node's widget with the only choice; an empty list it takes for a missing wire."""
    monkeypatch.setattr(place, lists, lambda *_: [])
    (found,) = [given for given in node.define_schema().inputs if given.id == widget]
    (only,) = found.options
    assert only.startswith("nothing yet: put ") and only.endswith(", then press R")


def prompt_of(server, kind: str, name: str, value: str) -> dict:
    """The node alone, with pictures and a model where it wants them, and somebody who wants what it makes."""
    inputs, info = {name: value}, server.client.object_info()[kind]
    wanted = {**info["input"]["required"], **({"reference": ["IMAGE"]} if kind == "FSM_FrechetVideoDistance" else {})}
    for key, (type_, *options) in wanted.items():
        if type_ == "MODEL":
            inputs[key] = ["checkpoint", 0]
        elif "IMAGE" in type_:
            inputs[key] = ["pictures", 0]
        elif key != name:
            inputs[key] = options[0].get("default", (options[0].get("options") or [""])[0])
    return {
        "checkpoint": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "miniature.safetensors"}},
        "pictures": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 9, "color": 0}},
        "node": {"class_type": kind, "inputs": inputs},
        "shown": {"class_type": "PreviewAny", "inputs": {"source": ["node", 0]}},
    }
