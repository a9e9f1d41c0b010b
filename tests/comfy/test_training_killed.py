"""A training process killed (SIGKILL) at any moment, in the middle of a save too: what is on disk is whole and is gone
on with to the unbroken run, bit for bit.
"""

import os
import random
import signal
import traceback

import folder_paths
import pytest
import torch
import unets
from classroom import run, same
from few_shot_motion.host.training import kept_run
from few_shot_motion.host.training import run as training_run
from few_shot_motion.motion_modules import adapter_file
from few_shot_motion.motion_modules.released import load_adapter
from safetensors import safe_open

STEPS = 5
MOMENTS = 3 * STEPS  # every step begins, and has its two files half written once
# PyTorch's engine, begun behind a torch.compile, refuses to run in a fork: it begins here, before any test
torch.ones((), requires_grad=True).backward()


@pytest.fixture(autouse=True)
def output_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path / "motion_adapters"


def learnt(resume: bool = False):
    return run(unets.sd_model(unets.NANO), name="kept", save_every=1, steps=STEPS, resume=resume)


def killed_at(moment: int) -> None:
    """In a process of its own: a training that kills itself at the moment of that number."""
    left = [moment]

    def passes() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def halved(make):
        def made(*arguments):
            write = make(*arguments)

            def write_halves(part):
                write(part)
                content = part.read_bytes()
                part.write_bytes(content[: len(content) // 2])
                passes()
                part.write_bytes(content)

            return write_halves

        return made

    train = training_run.train

    def watched(state, loss_at, *arguments, **settings):
        def at(*drawn):
            passes()
            return loss_at(*drawn)

        return train(state, at, *arguments, **settings)

    training_run.train = watched
    kept_run.tensors_to = halved(kept_run.tensors_to)
    adapter_file.content = halved(adapter_file.content)
    learnt()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("number", range(20))
def test_killed_and_gone_on_with(number, output_folder):
    moment = number + 1 if number < MOMENTS else random.Random(number).randint(1, MOMENTS)
    torch.set_num_threads(1)
    child = os.fork()
    if child == 0:
        try:
            killed_at(moment)
        except BaseException:
            traceback.print_exc()  # the parent's report has what a child says
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    for file in output_folder.glob("[!.]*.safetensors"):  # whole, every one that has its name
        with safe_open(file, "pt") as content:
            assert all(content.get_tensor(name).isfinite().all() for name in content.keys())  # noqa: SIM118
        if ".resume." not in file.name:
            assert load_adapter(file, None).metadata["steps"] in file.name
    resumed, losses = learnt(resume=True)
    whole, expected = run(unets.sd_model(unets.NANO), name="whole", steps=STEPS)
    assert losses == expected and same(resumed.tensors, whole.tensors)
