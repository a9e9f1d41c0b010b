"""Load the pack as ComfyUI does: a package whose folder is the repository root.

The tiers comfy and golden get ComfyUI beside it.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path[:] = [p for p in sys.path if Path(p).resolve() != ROOT]  # else our nodes/ hides ComfyUI's nodes.py
sys.path.append(str(ROOT / "miniature"))  # world, measure, clips


def load_package(name: str, folder: Path) -> None:
    """Make `folder` importable as package `name` without running its __init__.py, which may need ComfyUI."""
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules[name] = importlib.util.module_from_spec(spec)


load_package("few_shot_motion", ROOT)
load_package("dev", ROOT / "dev")


def pytest_addoption(parser):
    fetched = ROOT / ".dev" / "ComfyUI"
    parser.addoption(
        "--comfyui", type=Path, default=fetched, metavar="DIR", help="ComfyUI for tests/comfy and tests/golden"
    )


def has_comfyui(config) -> bool:
    return (config.getoption("--comfyui") / "main.py").exists()


def pytest_configure(config):
    if has_comfyui(config):
        sys.path.insert(0, str(config.getoption("--comfyui").resolve()))
        from comfy.cli_args import args

        args.cpu = True  # before anything else of comfy looks for a device; the numbers are those of every machine


def pytest_report_header(config):
    there = has_comfyui(config)
    return (
        f"ComfyUI: {config.getoption('--comfyui')}"
        if there
        else "ComfyUI: none, so tests/comfy, tests/golden and tests/page are left out"
    )


def pytest_ignore_collect(collection_path, config):
    if (
        collection_path.name in ("comfy", "golden", "page")
        and collection_path.parent == ROOT / "tests"
        and not has_comfyui(config)
    ):
        return True
    return None


@pytest.fixture(scope="session")
def golden() -> Path:
    """Numbers of the official implementations; they live beside the checkout, not in it."""
    folder = ROOT.parent / "shared" / "golden"
    if not folder.is_dir():
        pytest.skip(f"no golden numbers at {folder}")
    return folder


@pytest.fixture(scope="module")
def diffusers():
    """The peer to compare with, fetched by `python3 dev test`; never a requirement."""
    folder = ROOT / ".dev" / "diffusers"
    if not (folder / "diffusers").is_dir():
        pytest.skip("diffusers is not in .dev: run python3 dev test once")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("diffusers")


@pytest.fixture(scope="session")
def server(request, tmp_path_factory):
    """One real ComfyUI with pack and miniature for the whole session: `.client`, `.base`, `.log`, `.process`."""
    from dev import base
    from dev.server import running

    folder = tmp_path_factory.mktemp("base")
    base.prepare(folder)
    with running(request.config.getoption("--comfyui").resolve(), folder) as server:
        yield server
