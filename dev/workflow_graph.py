"""A workflow's graph and its two forms: a template for the browser, and what ComfyUI's API takes."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .layout import Group, Rows, shown_name, size_of
from .model_files import FILES
from .node_kinds import KINDS, Kind
from .workflow_note import Note

VERSIONS = {"comfy-core": "0.30.0", "few-shot-motion": "0.1.0"}
SEEDS = {"seed", "noise_seed"}  # behind a seed's value the browser keeps what is done with it after a run
UPLOADS = {"LoadImage", "LoadVideo"}  # behind their file's name the browser keeps one value more, "image"
INPUTS = {"image", "file", "folder"}  # widgets that name something in the input folder


@dataclass(frozen=True)
class Link:
    """An output of a node, where it is connected to."""

    node: "Node"
    output: str

    @property
    def slot(self) -> int:
        """The output's number, from 0."""
        return list(self.node.kind.results).index(self.output)


@dataclass(frozen=True)
class Node:
    """A node in a graph; `node["NAME"]` is the Link from its output of that name."""

    id: int
    type: str
    title: str
    inputs: dict[str, Any]  # every widget's value, and a Link where one is connected
    after_run: str  # what the browser does to a seed: fixed, randomize

    def __getitem__(self, output: str) -> Link:
        return Link(self, output)

    @property
    def kind(self) -> Kind:
        """Its node type."""
        return KINDS[self.type]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px, without the title."""
        return size_of(self.type)

    @property
    def shown_title(self) -> str:
        """As the browser shows it: what it is here, and of what type."""
        name = shown_name(self.type)
        return name if name == self.title else f"{self.title} ({name})"

    def models(self) -> list[dict[str, str]]:
        """The public files it names, as the browser wants to know them."""
        named = [value for value in self.inputs.values() if isinstance(value, str) and value in FILES]
        return [{"name": name, "url": FILES[name][1], "directory": FILES[name][0]} for name in named]

    def sockets(self) -> Iterator[tuple[str, str]]:
        """Name and type of each socket in the browser: the type's own, then widgets that are linked."""
        yield from self.kind.sockets.items()
        linked = {name: self.inputs[name] for name in self.kind.widgets if isinstance(self.inputs[name], Link)}
        yield from ((name, link.node.kind.results[link.output]) for name, link in linked.items())

    def widget_values(self) -> Iterator[Any]:
        """As the browser keeps them: by position, with what it adds behind seeds and uploads."""
        for name, default in self.kind.widgets.items():
            yield default if isinstance(self.inputs[name], Link) else self.inputs[name]
            if name in SEEDS:
                yield self.after_run
        if self.type in UPLOADS:
            yield "image"


@dataclass
class Graph:
    """A workflow in the making. Nodes stand in an order in which they may run; groups from left to right.

    `small`: values for the form that the miniature runs, by node type or by title; None makes the published form.
    """

    name: str
    small: Mapping[str, Mapping[str, Any]] | None = None
    nodes: list[Node] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    rows: Rows = field(default_factory=Rows)
    view: dict[str, list[Any]] = field(default_factory=dict)  # what App mode shows: widgets by node and name, results

    @property
    def miniature(self) -> bool:
        """Whether this is the form that the miniature runs."""
        return self.small is not None

    def note(self, *lines: str, expect: str) -> None:
        """What to change, one line each, and what to expect of a run; which files it takes, and Chinese, are added."""
        self.notes.append(Note(lines, self.files, expect))
        self.rows.rows[-1].append([Group("", [[self.notes[-1]]])])

    def app(self, *shown: tuple[Node, str], result: Node) -> None:
        """What the page's App mode shows of it: these widgets, and the result of one node."""
        self.view = {"inputs": [[str(node.id), name] for node, name in shown], "outputs": [str(result.id)]}

    def group(self, title: str, below: bool = False) -> None:
        """What is added next stands in a group right of the one before, or below it."""
        number = sum(bool(group.title) for group in self.rows.groups()) + 1
        stack = self.rows.rows[-1][-1] if below else []
        stack.append(Group(f"{number}. {title}"))
        if not below:
            self.rows.rows[-1].append(stack)

    def column(self) -> None:
        """What is added next stands in a second column of the group."""
        self.rows.rows[-1][-1][-1].columns.append([])

    def row(self) -> None:
        """What is added next stands below everything so far."""
        self.rows.rows.append([])

    def add(self, kind: str, title: str, after_run: str = "fixed", **inputs: Any) -> Node:
        """A node more; widgets that are not named keep their type's default."""
        small = {**(self.small or {}).get(kind, {}), **(self.small or {}).get(title, {})}
        values = {**KINDS[kind].widgets, **inputs}
        small = {name: value for name, value in small.items() if not isinstance(values[name], Link)}
        node = Node(len(self.nodes) + 1, kind, title, {**values, **small}, "fixed" if self.miniature else after_run)
        self.nodes.append(node)
        self.rows.rows[-1][-1][-1].columns[-1].append(node)
        return node

    def titled(self, title: str) -> Node:
        """The node of this title."""
        return next(node for node in self.nodes if node.title == title)

    def files(self) -> list[str]:
        """Folders of ComfyUI and the files in them that this workflow takes."""
        places = [(f"models/{model['directory']}", model["name"]) for node in self.nodes for model in node.models()]
        places += [
            ("output/motion_adapters" if name == "adapter" else "input", f"{value}/" if name == "folder" else value)
            for node in self.nodes
            for name, value in node.inputs.items()
            if name in (*INPUTS, "adapter") and isinstance(value, str) and value not in FILES
        ]
        folders = {folder: sorted({file for place, file in places if place == folder}) for folder, _ in sorted(places)}
        return [line for folder, files in folders.items() for line in (f"{folder}/", *(f"  {file}" for file in files))]

    def api_form(self) -> dict[str, Any]:
        """What ComfyUI's API takes; a node's key is its number."""

        def plain(value: Any) -> Any:
            return [str(value.node.id), value.slot] if isinstance(value, Link) else value

        return {
            str(node.id): {
                "class_type": node.type,
                "inputs": {name: plain(value) for name, value in node.inputs.items()},
                "_meta": {"title": node.title},
            }
            for node in self.nodes
        }

    def browser_form(self) -> dict[str, Any]:
        """Version 0.4 of the workflow format."""
        ends = [
            (node, name) for node in self.nodes for name, _ in node.sockets() if isinstance(node.inputs.get(name), Link)
        ]
        links = {(node.id, name): number for number, (node, name) in enumerate(ends, start=1)}
        boxes, frames = self.rows.place()
        nodes = [self._browser_node(node, order, links, boxes[id(node)]) for order, node in enumerate(self.nodes)]
        nodes += [note.browser_form(len(nodes) + i, boxes[id(note)]) for i, note in enumerate(self.notes)]
        table = []
        for node, name in ends:
            link, slot = node.inputs[name], [socket for socket, _ in node.sockets()].index(name)
            table.append(
                [links[node.id, name], link.node.id, link.slot, node.id, slot, link.node.kind.results[link.output]]
            )
        groups = [
            {"id": number, "title": title, "bounding": list(box), "color": "#3f789e", "font_size": 24, "flags": {}}
            for number, (title, box) in enumerate(frames, start=1)
        ]
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"few-shot-motion/{self.name}{'/small' * self.miniature}")),
            "revision": 0, "last_node_id": len(nodes), "last_link_id": len(table), "nodes": nodes, "links": table,
            "groups": groups, "config": {}, "version": 0.4,
            "extra": {"linearData": self.view, "linearMode": False} if self.view else {},
        }  # fmt: skip

    def _browser_node(self, node: Node, order: int, links: dict, box: tuple[int, int, int, int]) -> dict[str, Any]:
        inputs = []
        for name, kind in node.sockets():
            entry = {"name": name, "type": kind, "link": links.get((node.id, name))}
            entry |= {"shape": 7} if node.kind.is_optional(name) else {}
            entry |= {"widget": {"name": name}} if name in node.kind.widgets else {}
            inputs.append(entry)
        outputs = []
        for name, kind in node.kind.results.items():
            taken = [
                number for (to, socket), number in links.items() if self.nodes[to - 1].inputs[socket] == node[name]
            ]
            outputs.append({"name": name, "type": kind, "links": taken or None})
        properties: dict[str, Any] = {
            "Node name for S&R": node.type,
            "cnr_id": node.kind.pack,
            "ver": VERSIONS[node.kind.pack],
        }
        if models := node.models():
            properties["models"] = models
        return {
            "id": node.id, "type": node.type, "pos": list(box[:2]), "size": list(box[2:]), "flags": {},
            "order": order, "mode": 0, "inputs": inputs, "outputs": outputs, "title": node.shown_title,
            "properties": properties, "widgets_values": list(node.widget_values()),
        }  # fmt: skip
