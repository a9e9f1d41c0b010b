"""On a ComfyUI that is too old the pack says so in one sentence, registers nothing and imports nothing of it."""

import importlib.util
import logging
import re
import sys
import types
from pathlib import Path

import pytest
from few_shot_motion.host.version import OLDEST

ROOT = Path(__file__).parents[2]


class Guard:
    """A finder that notes what is asked for and finds nothing: an old ComfyUI, whose modules lack what ours import."""

    def __init__(self):
        self.asked = []

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("comfy", "comfy_api", "comfy_extras", "comfy_execution", "folder_paths", "nodes"):
            self.asked.append(name)
            raise ImportError(f"an old ComfyUI has no {name}")
        return None


@pytest.fixture
def load(monkeypatch):
    """Runs the pack's entry as ComfyUI does, on a ComfyUI of this version; returns it and what it asked ComfyUI for."""

    def load(version: str | None):
        for name in [name for name in sys.modules if name.split(".")[0] in ("comfy_api", "as_a_node")]:
            monkeypatch.delitem(sys.modules, name)
        module = None if version is None else types.ModuleType("comfyui_version")
        if module:
            module.__version__ = version
        monkeypatch.setitem(sys.modules, "comfyui_version", module)  # None: importing it fails
        guard = Guard()
        monkeypatch.setattr(sys, "meta_path", [guard, *sys.meta_path])
        spec = importlib.util.spec_from_file_location("as_a_node", ROOT / "__init__.py")
        pack = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "as_a_node", pack)
        try:
            spec.loader.exec_module(pack)
        except ImportError:
            pass
        return pack, guard.asked

    return load


@pytest.mark.parametrize("version", ["0.18.2", "0.25.9", "0.3", "0.4.0", None])
def test_an_old_comfyui_gets_one_sentence_and_no_nodes(load, caplog, version):
    with caplog.at_level(logging.DEBUG):
        pack, asked = load(version)
    (said,) = caplog.records
    assert said.levelno == logging.ERROR
    there = f"this is {version}" if version else "this one is too old to name its version"
    assert said.getMessage() == (
        f"Few-Shot Motion needs ComfyUI {OLDEST} or newer and {there}, so none of its nodes are there: update ComfyUI."
    )
    assert pack.NODE_CLASS_MAPPINGS == {} and not hasattr(pack, "comfy_entrypoint")
    assert not hasattr(pack, "WEB_DIRECTORY")
    assert asked == []


@pytest.mark.parametrize("version", [OLDEST, "0.30.0", "0.31.0-dev2", "0.100.0", "1.0"])
def test_a_supported_comfyui_gets_the_nodes(load, caplog, version):
    pack, asked = load(version)
    assert caplog.records == [] and not hasattr(pack, "NODE_CLASS_MAPPINGS")
    assert asked  # of ComfyUI: its nodes are on their way


def test_every_place_that_names_the_oldest_version_names_the_same():
    assert f'requires-comfyui = ">={OLDEST}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.search(r"ComfyUI (\d+\.\d+(?:\.\d+)?) or newer", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert named and OLDEST.startswith(named[1])


def test_requirements_of_a_version_are_its_own_but_for_pins_that_are_replaced():
    from dev.compat.versions import requirements

    asked = (
        "comfyui-frontend-package==1.2\ncomfyui_workflow_templates==3\ntorch\n\n#more\npydantic~=2.0\ncomfy-kitchen>=1"
    )
    assert requirements(asked) == "comfyui-frontend-package==1.2\ntorch\n#more\npydantic~=2.0\ncomfy-kitchen>=1\n"
    assert requirements(asked, ("comfy-kitchen==9",)) == (
        "comfyui-frontend-package==1.2\ntorch\n#more\npydantic~=2.0\ncomfy-kitchen==9\n"
    )
