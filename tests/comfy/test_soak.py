"""Cancel and errors inside the UNet on a running server, and its start modes; `python3 dev soak` and `dev modes` do
more.
"""

import pytest

from dev import modes, small_runs
from dev.server import running
from dev.soak import Soak


@pytest.fixture
def served(request, tmp_path):
    """served(*flags): a server of our own with the small workflows' files."""
    small_runs.prepare(tmp_path)
    comfyui = request.config.getoption("--comfyui").resolve()
    return lambda *flags: running(comfyui, tmp_path, flags=flags)


def test_a_server_goes_on_as_before_after_cancels_and_errors(served):
    with served("--cache-classic") as server:
        soak = Soak(server, 0, ("LAMP", "Text2Video-Zero", "training"))
        soak.begin()
        soak.prompts(25, 3, 3, 10)
    assert soak.found["failures"] == 0
    assert soak.found["cancelled"] == 3 and soak.found["plain images, identical"] == 2
    assert soak.tensors[0] == soak.tensors[-1], "something is kept"
    assert sum(count for what, count in soak.found.items() if what.startswith("thrown")) == 3


MODES = {"--fp64-unet": ("training with masks", "training on one clip"),
         "--cache-none": ("LAMP", "Repeat-and-Slide", "Text2Video-Zero")}  # fmt: skip


@pytest.mark.parametrize("mode, names", MODES.items())
def test_workflows_run_in_a_start_mode(served, mode, names):
    with served(mode) as server:
        cells = modes.tried(server.client, names)
    assert {column: verdict for column, (verdict, _) in cells.items()} == {
        modes.IMAGE: modes.RUNS, **dict.fromkeys(names, modes.RUNS), modes.AFTERWARDS: modes.SAME}  # fmt: skip


def test_every_option_of_comfyui_is_a_mode_or_known_to_be_none(request):
    found = [" ".join(mode) for mode in modes.modes(request.config.getoption("--comfyui").resolve())]
    assert len(found) > 45 and {"", "--fp64-unet", "--cache-lru 10", "--fast"} <= set(found)
    assert not {f"--{name.replace('_', '-')}" for name in modes.OTHERS} & set(found)


def test_what_is_wrong_in_a_cell_is_seen(monkeypatch):
    """A run that gives NaN, one that ends in a raw error, one that says a sentence, and an image that changed."""
    failure = {"node_type": "FSM_TrainMotionLoRA", "exception_type": "RuntimeError", "exception_message": "size 4 vs 5"}
    said = {**failure, "exception_type": "ValueError", "exception_message": "Choose another: this does not fit.\n"}
    gives = {"nan": small_runs.Told(("a",), False, 1), "raw": failure, "said": said}

    def run(client, name, number):
        if isinstance(gives[name], dict):
            raise modes.PromptFailed(gives[name])
        return gives[name]

    monkeypatch.setattr(small_runs, "run", run)
    monkeypatch.setattr(small_runs, "image", lambda client, number: small_runs.Told((str(number),), True, 1))
    cells = modes.tried(None, tuple(gives))
    assert [verdict for verdict, _ in cells.values()] == [modes.RUNS, modes.NAN, modes.RAW, modes.SAYS, modes.CHANGED]
    sentence = "Choose another: this does not fit."
    found = {
        "--x": {column: cells.get(column, cells["said"]) for column in (modes.IMAGE, *modes.NAMES, modes.AFTERWARDS)}
    }
    assert f"1. {sentence}" in modes.page(found, {"--y": ""}) and "`--y`" in modes.page(found, {"--y": ""})
