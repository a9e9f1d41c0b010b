"""Where a workflow's nodes stand in the page: columns from left to right, in groups, by sizes the page itself has.

Sizes are measured (`python3 dev measure-page`), the larger of both renderers, with a result in place, and kept in
page_sizes.json: the page makes a node as large as its widgets need, whatever a file says, and larger when it has a
result to show.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("page_sizes.json")
SIZES: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))  # type -> its name, its height in px
TITLE = 30  # px: a node's title stands above its position
_GAP, _LANE, _ROW = 36, 90, 100  # px between nodes, between groups (where wires run), between rows
_EDGE, _HEAD = 20, 44  # px of a group around its nodes, and of its heading
_WIDTH = 360
_WIDTHS = {"CLIPTextEncode": 400, "PrimitiveStringMultiline": 400, "CheckpointLoaderSimple": 400, "LoraLoader": 400,
           "FSM_LoadMotionAdapter": 400, "FSM_TrainMotionLoRA": 430, "FSM_RepeatAndSlideSampler": 430,
           "FSM_FirstFrameKSampler": 430, "FSM_ClipVideoMetrics": 430, "FSM_FrechetVideoDistance": 430,
           "FSM_LoadClips": 400, "ControlNetLoader": 400,
           "OpticalFlowLoader": 430, "PreviewAny": 560, "MarkdownNote": 400}  # fmt: skip
_WANTED = {"CLIPTextEncode": 140, "PrimitiveStringMultiline": 140, "LoadImage": 320, "LoadVideo": 320,
           "PreviewImage": 320, "SaveVideo": 460, "PreviewAny": 300, "LossGraphNode": 320}  # fmt: skip


def shown_name(kind: str) -> str:
    """What the page calls a node type."""
    return SIZES.get(kind, {}).get("name", kind)


def size_of(kind: str) -> tuple[int, int]:
    """Width and height in px of a node of this type, without its title."""
    return _WIDTHS.get(kind, _WIDTH), max(SIZES.get(kind, {}).get("height", 100), _WANTED.get(kind, 0))


@dataclass
class Group:
    """Columns of things that belong together; `title` is empty for what stands without a frame."""

    title: str
    columns: list[list[Any]] = field(default_factory=lambda: [[]])  # of nodes or notes, all with .size

    def widths(self) -> list[int]:
        """Of its columns, px."""
        return [max((thing.size[0] for thing in column), default=0) for column in self.columns]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its frame, px."""
        tall = max(sum(thing.size[1] + TITLE + _GAP for thing in column) - _GAP for column in self.columns)
        wide = sum(self.widths()) + _LANE * (len(self.columns) - 1)
        return wide + 2 * _EDGE, tall + _EDGE + (_HEAD if self.title else 0)


@dataclass
class Rows:
    """Rows of stacks of groups."""

    rows: list[list[list[Group]]] = field(default_factory=lambda: [[]])

    def groups(self) -> Iterator[Group]:
        """All of them, in the order in which a user meets them."""
        yield from (group for row in self.rows for stack in row for group in stack)

    def place(self) -> tuple[dict[int, tuple[int, int, int, int]], list[tuple[str, tuple[int, int, int, int]]]]:
        """Box of each thing by its id(): x, y (below the title), width, height; and each group's title and box."""
        boxes, frames, y = {}, [], 0
        for row in self.rows:
            tall = max(sum(group.size[1] + _GAP for group in stack) - _GAP for stack in row)
            x = 0
            for stack in row:
                wide, top = max(group.size[0] for group in stack), y
                for group in stack:
                    height = y + tall - top if group is stack[-1] else group.size[1]
                    if group.title:
                        frames.append((group.title, (x, top, wide, height)))
                    left = x + _EDGE
                    spare = (wide - group.size[0]) // len(group.columns)
                    for column, width in zip(group.columns, group.widths(), strict=True):
                        at = top + TITLE + (_HEAD if group.title else 0)
                        for thing in column:
                            boxes[id(thing)] = (left, at, width + spare, thing.size[1])
                            at += thing.size[1] + TITLE + _GAP
                        left += width + spare + _LANE
                    top += height + _GAP
                x += wide + _LANE
            y += tall + _ROW
        return boxes, frames
