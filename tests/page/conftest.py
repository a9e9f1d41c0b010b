"""The real page on a real server, with the miniature, its clips and its templates."""

import shutil

import pytest

from dev import archives, base, browser, samples, workflows
from dev.server import running
from dev.trouble import Trouble


@pytest.fixture(scope="session", autouse=True)
def chromium():
    """Skips the tier, by name, where there is no browser."""
    pytest.importorskip("playwright", reason="playwright is not installed: run python3 dev test page")
    try:
        return browser.chromium()
    except Trouble as trouble:
        pytest.skip(str(trouble))


@pytest.fixture(scope="session")
def page_base(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    base.prepare(folder)
    package = folder / "custom_nodes" / f"{base.PACK}-miniature"  # a copy, from which a test takes things away
    package.unlink()
    shutil.copytree(base.MINIATURE, package, ignore=shutil.ignore_patterns("__pycache__"))
    samples.fill(folder / "input")
    samples.link_weights(folder / "models")
    workflows.offer_small(folder / "custom_nodes")
    return folder


@pytest.fixture(scope="session")
def site(request, page_base):
    """A server with the front end that ComfyUI asks for."""
    with running(request.config.getoption("--comfyui").resolve(), page_base) as server:
        yield server


@pytest.fixture(scope="session")
def newest_site(request, page_base):
    """The same with the newest front end."""
    front_end = archives.fetch(archives.FRONT_END)
    with running(request.config.getoption("--comfyui").resolve(), page_base, front_end=front_end) as server:
        yield server
