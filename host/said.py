"""Short lines on a node itself, in the page.

The page draws a node's `ui` text for core's Preview as Text alone. What it does draw on any node is progress text, as
core's Get Image Size sends it; which node runs, the executor tells, so that no node's cache key changes for it.
"""

import logging

from comfy_api.latest import ui
from comfy_execution.utils import get_executing_context

_LOG = logging.getLogger("few_shot_motion")
_MIND = "Mind: "  # in front of a warning
_lines: tuple[object, list[str]] = (None, [])  # the node that runs, and what it has said so far in this run


def say(text: str, warning: bool = False) -> ui.PreviewText:
    """A line more on the node that runs, and in the log; the page shows two or three at once, so warnings stay on top
    and what was said last comes next. What the node has said in this run it does not say again.

    Returns all its lines, as the `ui` of a node's output, for whoever asks through the API. Outside of a run of the
    executor it goes to the log alone.
    """
    global _lines
    context = get_executing_context()
    node = context and (context.prompt_id, context.node_id)
    before = _lines[1] if context and _lines[0] == node else []
    line = _MIND + text if warning else text
    if line in before:
        return ui.PreviewText("\n".join(before))
    _LOG.log(logging.WARNING if warning else logging.INFO, text)
    if context is None:
        return ui.PreviewText(text)
    from server import PromptServer  # a module of ComfyUI's main program, which is not loaded everywhere

    warnings = [line for line in before if line.startswith(_MIND)]
    said = [*warnings, line, *(other for other in before if other not in warnings)]
    _lines = (node, said)
    if getattr(PromptServer, "instance", None) is not None:
        PromptServer.instance.send_progress_text("\n".join(said), context.node_id)
    return ui.PreviewText("\n".join(said))
