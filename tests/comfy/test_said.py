"""What nodes say on themselves: once a line, all lines of a run, and nothing outside of one."""

import sys
import types

import pytest
from comfy_execution.utils import CurrentNodeContext
from few_shot_motion.host import said
from few_shot_motion.host.sampling import advice
from few_shot_motion.host.training.advice import of_training


@pytest.fixture
def page(monkeypatch):
    """What a page is sent: (text, node)."""
    sent = []
    monkeypatch.setattr(said, "_lines", (None, []))
    server = types.ModuleType("server")
    instance = types.SimpleNamespace(send_progress_text=lambda text, node: sent.append((text, node)))
    server.PromptServer = types.SimpleNamespace(instance=instance)
    monkeypatch.setitem(sys.modules, "server", server)
    return sent


def test_lines_of_one_run_stay_together(page):
    with CurrentNodeContext("run", "7"):
        said.say("first")
        assert said.say("second").as_dict()["text"] == ("second\nfirst",)
    assert page == [("first", "7"), ("second\nfirst", "7")]


def test_warnings_stay_on_top(page):
    with CurrentNodeContext("run", "7"):
        said.say("begun")
        said.say("mind this", warning=True)
        said.say("and this", warning=True)
        said.say("done")
    assert page[-1][0].splitlines() == ["Mind: mind this", "Mind: and this", "done", "begun"]


def test_a_line_is_said_once(page, caplog):
    """As samplers say it, one run of a guider after the other; what came later stays on top of it."""
    with CurrentNodeContext("run", "7"), caplog.at_level("INFO", "few_shot_motion"):
        for _ in range(3):
            said.say("mind this", warning=True)
            said.say("going on")
    assert page == [("Mind: mind this", "7"), ("Mind: mind this\ngoing on", "7")]
    assert [record.message for record in caplog.records] == ["mind this", "going on"]


@pytest.mark.parametrize("run, node", [("run", "8"), ("next run", "7")])
def test_another_node_or_run_begins_anew(page, run, node):
    with CurrentNodeContext("run", "7"):
        said.say("first")
    with CurrentNodeContext(run, node):
        said.say("second")
    assert page[-1] == ("second", node)


def test_outside_of_a_run_the_log_alone_has_it(page, caplog):
    assert said.say("mind this", warning=True).as_dict()["text"] == ("mind this",)
    assert page == [] and [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "mind this")
    ]


@pytest.mark.parametrize("name, draws", [("euler", False), ("ddim", False), ("euler_ancestral", True),
                                         ("dpmpp_2m_sde", True), ("lcm", True)])  # fmt: skip
def test_samplers_that_draw_noise_are_told_from_others(name, draws):
    assert advice.draws_noise(name) == draws


def model(from_first_frame: bool | None = None):
    """As far as advice looks at one: how its motion was learnt; None is no motion at all."""
    stack = None if from_first_frame is None else types.SimpleNamespace(from_first_frame=from_first_frame)
    return types.SimpleNamespace(get_attachment=lambda key: stack)


@pytest.mark.parametrize(
    "motion, noise, name, said",
    [
        (model(True), None, "euler", []),
        (model(), None, "euler", ["There is no motion of this pack in the model"]),
        (model(False), None, "euler", ["The motion in the model was learnt without a first frame"]),
        (model(True), object(), "euler", ["Seed 5 is not used"]),
        (model(True), object(), "euler_ancestral", []),
    ],
)
def test_the_first_frame_sampler_says_what_does_not_count(motion, noise, name, said):
    found = [*advice.of_first_frame_sampler(motion), *advice.of_seed(noise, name, 5)]
    assert len(found) == len(said) and all(line.startswith(start) for line, start in zip(found, said, strict=True))


@pytest.mark.parametrize(
    "method, clips, captions, conditions, said",
    [
        ("LAMP", 8, ["a"] * 8, 8, []),
        ("LAMP", 3, ["a"] * 3, 3, ["3 clips will be learnt by heart"]),
        ("LAMP", 8, ["a"] * 7 + [" "], 8, ["1 of 8 captions are empty"]),
        ("LAMP", 8, [], 1, ["One caption stands for all 8 clips"]),
        ("Tune-A-Video", 1, [], 1, []),
    ],
)
def test_training_says_what_will_not_teach(method, clips, captions, conditions, said):
    found = list(of_training(method, clips, captions, conditions))
    assert len(found) == len(said) and all(line.startswith(start) for line, start in zip(found, said, strict=True))
