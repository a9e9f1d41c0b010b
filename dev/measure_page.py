"""Measures how large the page draws every node of our workflows, and keeps it in dev/page_sizes.json."""

import json
from pathlib import Path
from typing import Any

from . import base, browser, layout, samples, server, workflows
from .interpreter import STATE

# whose results make a node grow: a video, the loss curve, in one renderer also a sampler's last preview
_RUN = ("text_to_video_zero", "train_motion_lamp", "animate_image_lamp", "text_to_video_recurrent",
        "predict_video_ti2v_zero", "edit_video_tune_a_video")  # fmt: skip
_RUN_WITHIN = 600  # s
_SAID = "A line that is as long as what our nodes say of themselves, so that it is wrapped once,\nand a remark below it"


def run(comfyui: Path, only: list[str]) -> None:
    """Drop every workflow on the page in both renderers, published and for the miniature, let our nodes say something,
    and keep the largest height of each type. With names of workflows only those, added to what was measured before.
    """
    folder = STATE / "measure-page"
    base.prepare(folder)
    samples.fill(folder / "input")
    kept = dict(layout.SIZES) if only else {}
    layout.SIZES.clear()  # small boxes: the page makes them as large as they must be
    with server.running(comfyui, folder) as running:
        names = {name: info["display_name"] for name, info in running.client.object_info().items()}
        for renderer in browser.RENDERERS:
            with browser.opened(running.client.url, renderer) as page:
                for name in only or workflows.names():
                    print(f"{renderer}: {name}", flush=True)
                    for small in (False, True):
                        page.load(workflows.graph(name, small).browser_form())
                        page.say(_SAID)
                        _grow(kept, page)
                    if name in _RUN:
                        if wrong := page.run(_RUN_WITHIN):
                            print(f"  ended with: {wrong}", flush=True)
                        _grow(kept, page)
    kept = {kind: {"name": names.get(kind) or kind, "height": size["height"]} for kind, size in sorted(kept.items())}
    layout.FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    layout.SIZES.update(kept)  # what is laid out next is laid out by them


def _grow(kept: dict[str, Any], page: browser.Page) -> None:
    """Raise kept heights to what the page shows now; a note's is its text's."""
    page.fit()
    for node in page.nodes():
        if node["type"] != "MarkdownNote":
            size = kept.setdefault(node["type"], {"height": 0})
            size["height"] = max(size["height"], round(node["box"][3]) - layout.TITLE)
