"""ComfyUI's page in headless Chromium, as a user sees and handles it; driven by playwright."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import page_scripts
from .trouble import Trouble

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
RENDERERS = {"classic": False, "nodes 2.0": True}  # the canvas, and nodes as elements of the page
_SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Release.Status": "skip", "Comfy.VueNodes.AutoScaleLayout": False,
             "Comfy.Workflow.ShowMissingModelsWarning": True, "Comfy.EnableTooltips": False,
             "Comfy.Execution.PreviewMethod": "latent2rgb"}  # fmt: skip
_READY = "() => window.app && window.app.graph && window.app.extensionManager && window.LiteGraph"
TITLE = 30  # px: a node's title, above its position


def chromium() -> str:
    """Debian's Chromium, installed where it is missing and may be. Raises Trouble where it cannot be had."""
    found = shutil.which("chromium")
    if not found and shutil.which("apt-get") and os.geteuid() == 0:
        for words in (["update", "-qq"], ["install", "-y", "-qq", "chromium"]):
            subprocess.run(
                ["apt-get", *words], capture_output=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            )
        found = shutil.which("chromium")
    if not found:
        raise Trouble("Chromium cannot be had on this machine: install it (on Debian: apt-get install chromium)")
    return found


@dataclass(frozen=True)
class Page:
    """One tab. Node boxes are (x, y, width, height) in the graph's own units, the title included."""

    tab: Any  # playwright's Page
    url: str

    def settle(self, milliseconds: float) -> None:
        """Wait until the page has nothing left to do, and reads and draws its nodes as it did so long before."""
        before = None
        for _ in range(100):
            if before == (now := self.tab.evaluate(page_scripts.IDLE)):
                return
            before = now
            self.tab.wait_for_timeout(milliseconds)

    def load(self, workflow: Path | dict, name: str = "workflow.json") -> None:
        """Drop a workflow on the page, as a user does with a file."""
        text = workflow.read_text(encoding="utf-8") if isinstance(workflow, Path) else json.dumps(workflow)
        name = workflow.name if isinstance(workflow, Path) else name
        self.tab.evaluate("() => window.app.graph.clear()")
        self.tab.evaluate(page_scripts.DROP, [text, name])
        self.tab.wait_for_function("() => window.app.graph._nodes.length > 0")
        self.settle(500)

    def nodes(self) -> list[dict[str, Any]]:
        """Every node: id, title, type, known, box as drawn."""
        return self.tab.evaluate(page_scripts.NODES)

    def groups(self) -> dict[str, list[float]]:
        """Box of each group by its title."""
        return self.tab.evaluate(
            "() => Object.fromEntries(app.graph._groups.map(g => [g.title, Array.from(g._bounding)]))"
        )

    def fit(self) -> None:
        """Show the whole graph."""
        self.tab.evaluate(page_scripts.FIT)
        self.settle(250)

    def say(self, text: str) -> None:
        """Show a text on each of our nodes, as host/said.py does."""
        self.tab.evaluate(page_scripts.SAY, text)
        self.settle(300)

    def search(self, words: str) -> list[str]:
        """Names that the page's node search offers for these words, the first first."""
        self.tab.evaluate("() => window.app.graph.clear()")
        results, size = self.tab.get_by_test_id("result-item"), self.tab.viewport_size
        while not results.count():  # a double click that came while the last search was closing does nothing
            self.tab.mouse.dblclick(size["width"] // 2, size["height"] - 150)
            self.settle(700)
        self.tab.keyboard.type(words)
        self.settle(700)
        found = results.all_inner_texts()
        self.tab.keyboard.press("Escape")
        self.settle(300)
        return [text.splitlines()[0] for text in found]

    def help_of(self, kind: str, width: int) -> dict[str, Any]:
        """A node type's help page as the panel shows it at a width in px: its text, how wide it would like to be, and
        how many pictures did not load.
        """
        self.tab.evaluate(page_scripts.SELECT_NEW, kind)
        self.settle(150)
        if not self.tab.locator(".node-help-content").count():
            self.tab.get_by_test_id("info-button").click()
        self.settle(500)
        return self.tab.evaluate(page_scripts.HELP, width)

    def error(self, sentence: str) -> str:
        """What the page tells of the last failure, its details opened: once the sentence is among it, or after all the
        time a busy page may take.
        """
        details, opened, told = self.tab.get_by_text("View details"), False, ""
        for _ in range(100):
            if not opened and (opened := details.count() > 0):
                details.first.click()
            self.settle(400)
            told = self.tab.evaluate(page_scripts.TEXTS)
            if sentence in told:
                break
            self.tab.wait_for_timeout(400)
        return told

    def texts(self, title: str) -> str:
        """What can be read on the page with this node in front, at its full size."""
        self.tab.evaluate(page_scripts.SHOW, title)
        self.settle(400)
        return self.tab.evaluate(page_scripts.TEXTS)

    def previews(self) -> int:
        """How many different preview pictures the last run has shown."""
        return self.tab.evaluate("() => new Set(window.fsmPreviews).size")

    def api_form(self) -> dict[str, Any]:
        """What the page exports for the API."""
        return self.tab.evaluate("async () => (await app.graphToPrompt()).output")

    def run(self, timeout: float) -> str:
        """Press Run and wait for the end: "" or what went wrong. Raises Trouble after `timeout` seconds."""
        return self.start(timeout) or self.end(timeout)

    def start(self, timeout: float) -> str:
        """Press Run: "" once the server has taken it, or why it has not."""
        self.tab.evaluate(page_scripts.LISTEN)
        with self.tab.expect_response(lambda answer: answer.url.endswith("/prompt"), timeout=timeout * 1000) as answer:
            self.tab.get_by_test_id("queue-button").click()
        if answer.value.status != 200:  # refused before it begins
            self.settle(700)
            return json.dumps(answer.value.json())
        return ""

    def end(self, timeout: float) -> str:
        """Wait for the end of what was started: "" or what went wrong."""
        self.tab.wait_for_function("() => window.fsmEnd !== undefined", timeout=timeout * 1000)
        self.settle(700)
        return self.tab.evaluate("() => window.fsmEnd")


@contextmanager
def opened(
    url: str, renderer: str = "classic", size: tuple[int, int] = (1600, 1000), language: str = "en"
) -> Iterator[Page]:
    """A browser with ComfyUI's page in it, with the renderer and the language asked for."""
    from playwright.sync_api import sync_playwright  # only in .venv, for the tier page

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            tab = browser.new_page(viewport={"width": size[0], "height": size[1]})
            for key, value in {
                **_SETTINGS,
                "Comfy.VueNodes.Enabled": RENDERERS[renderer],
                "Comfy.Locale": language,
            }.items():
                tab.request.post(f"{url}/api/settings/{key}", data=json.dumps(value))
            tab.set_default_timeout(600_000)  # a machine may be busy with other things
            tab.goto(url, wait_until="domcontentloaded")
            tab.wait_for_function(_READY)
            page = Page(tab, url)
            page.settle(1500)
            for _ in range(3):
                tab.keyboard.press("Escape")
            yield page
        finally:
            browser.close()
