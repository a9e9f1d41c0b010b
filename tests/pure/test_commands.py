"""`python3 dev`: what its words become."""

import importlib
import sys
from pathlib import Path

import pytest


@pytest.fixture
def commands(monkeypatch):
    """dev/__main__.py as a module; it puts the repository first on sys.path, which is to end with the test."""
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    return importlib.import_module("dev.__main__")


def test_a_study_gets_its_own_words_and_the_checkpoint_that_is_an_option_of_every_command(commands, monkeypatch):
    began = []
    monkeypatch.setattr(commands, "inside", lambda comfyui, script, *words: began.append((script, words)))
    for words in (["--seeds", "2"], ["--seeds", "2", "--checkpoint", __file__]):
        commands.study(commands.parse(["study", "methods", *words]), Path("ComfyUI"))
    own, on_a_checkpoint = began
    assert own == ("dev.studies.methods", ("--seeds", "2"))
    assert on_a_checkpoint == ("dev.studies.methods", ("--seeds", "2", "--checkpoint", Path(__file__).resolve()))
