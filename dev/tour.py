"""Every template as `python3 dev serve` offers it, run as a user does: dropped on the page, started by its Run button,
looked at, then queued once more in the form the page exports for the API. A picture of each is kept.
"""

import time

from . import browser, workflows
from .interpreter import STATE
from .server import Server
from .trouble import Trouble

FOLDER = STATE / "tour"
_WITHIN = 600  # s


def run(server: Server, only: list[str]) -> None:
    """A line for each template, or for those named. Raises Trouble where one did not end well."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    failed, names = [], only or workflows.names()
    for name in names:
        title = workflows.template(name)
        server.client.post_json("free", {"free_memory": True, "unload_models": True})  # nothing is taken from before
        with browser.opened(server.client.url) as page:
            page.load(workflows.graph(name, small=True).browser_form(), f"{title}.json")
            exported = page.api_form()
            began = time.monotonic()
            wrong = page.run(_WITHIN)
            took = time.monotonic() - began
            page.fit()
            page.tab.screenshot(path=FOLDER / f"{title}.png")
        if not wrong:
            if not _same(workflows.graph(name, small=True).api_form(), exported):
                wrong = "the page exports another workflow for the API"
            server.client.run(exported)
        print(f"{title}: {wrong or 'ran, from the page and through the API'}, {took:.0f} s", flush=True)
        failed += [title] if wrong else []
    print(f"{len(names) - len(failed)} of {len(names)} ran to the end; pictures in {FOLDER}", flush=True)
    if failed:
        raise Trouble(f"not all templates ran: {', '.join(failed)}")


def _same(ours: dict, exported: dict) -> bool:
    """Whether the page exports what we describe; it adds inputs of its own, a video's preview for one."""
    return ours.keys() == exported.keys() and all(
        node["class_type"] == exported[key]["class_type"]
        and all(exported[key]["inputs"].get(name) == value for name, value in node["inputs"].items())
        for key, node in ours.items()
    )
