"""The workflows as the miniature runs them, through the API; the tier page runs the fastest by the page's button."""

import pytest

from dev import base, samples, workflows
from dev.server import running

IN_THE_PAGE = {"text_to_video_zero", "predict_video_ti2v_zero", "train_motion_lamp", "animate_image_lamp",
               "text_to_video_lamp", "text_to_video_recurrent", "animate_over_background", "measure_clip",
               "animate_part_lamp", "text_to_video_zero_as_released"}  # fmt: skip


@pytest.fixture(scope="module")
def client(request, tmp_path_factory):
    """A server whose input folder is filled as by `dev serve`; other tests fill the session's with clips of theirs."""
    folder = tmp_path_factory.mktemp("served")
    base.prepare(folder)
    samples.fill(folder / "input")
    samples.link_weights(folder / "models")
    with running(request.config.getoption("--comfyui").resolve(), folder) as server:
        yield server.client


@pytest.mark.parametrize("name", sorted(set(workflows.names()) - IN_THE_PAGE))
def test_a_workflow_runs_on_the_miniature(client, name):
    prompt = workflows.graph(name, small=True).api_form()
    outputs = client.run(prompt)
    shown = {key for key, node in prompt.items() if node["class_type"] in ("SaveVideo", "PreviewImage", "PreviewAny")}
    assert shown <= outputs.keys()
