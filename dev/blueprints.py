"""Parts of the workflows as subgraph blueprints: one node in the page's library, with its inner nodes ready to open.

ComfyUI offers `subgraphs/*.json` of every pack; the form is that of its own blueprints.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .interpreter import ROOT
from .model_files import MODULE
from .node_kinds import SIZE
from .workflow_graph import Graph, Link, Node

FOLDER = ROOT / "subgraphs"
_IN, _OUT = -10, -20  # the front end's own numbers for a subgraph's two ends


@dataclass(frozen=True)
class Outer:
    """An input of the blueprint: what it is called outside, its type, and the inner inputs it goes to."""

    name: str
    type: str
    to: tuple[tuple[Node, str], ...]
    widget: bool = False


@dataclass(frozen=True)
class Blueprint:
    """A workflow's part, with what goes in and what comes out."""

    title: str
    about: str
    graph: Graph
    inputs: tuple[Outer, ...]
    outputs: tuple[Link, ...]

    def file(self) -> dict[str, Any]:
        """As the page reads it: one node whose type is the subgraph defined beside it."""
        inner = self.graph.browser_form()
        links = [dict(zip(_LINK, link, strict=True)) for link in inner["links"]]
        nodes = {node["id"]: node for node in inner["nodes"]}
        ends: dict[str, list[int]] = {}
        for outer in self.inputs:
            ends[outer.name] = [self._enter(nodes[node.id], name, outer, links) for node, name in outer.to]
        leaving = [self._leave(nodes[link.node.id], link, slot, links) for slot, link in enumerate(self.outputs)]
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"few-shot-motion/blueprint/{self.title}"))
        subgraph = {
            "id": identity, "version": 1, "revision": 0, "config": {}, "name": self.title,
            "state": {"lastGroupId": 0, "lastNodeId": len(nodes), "lastLinkId": len(links), "lastRerouteId": 0},
            "inputNode": {"id": _IN, "bounding": [-260, 0, 160, 40 + 20 * len(self.inputs)]},
            "outputNode": {"id": _OUT, "bounding": [2600, 0, 160, 40 + 20 * len(self.outputs)]},
            "inputs": [
                {"id": _uuid(identity, outer.name), "name": outer.name, "type": outer.type,
                 "linkIds": ends[outer.name], "pos": [-120, 20 + 20 * i]}
                for i, outer in enumerate(self.inputs)
            ],
            "outputs": [
                {"id": _uuid(identity, f"out {link.output}"), "name": link.output,
                 "type": link.node.kind.results[link.output], "linkIds": [number], "pos": [2620, 20 + 20 * i]}
                for i, (link, number) in enumerate(zip(self.outputs, leaving, strict=True))
            ],
            "widgets": [], "nodes": list(nodes.values()), "groups": inner["groups"], "links": links, "extra": {},
            "category": "few-shot motion", "description": self.about,
        }  # fmt: skip
        shown = [outer for outer in self.inputs if outer.widget]
        node = {
            "id": 1, "type": identity, "pos": [0, 0], "size": [400, 320], "flags": {}, "order": 0, "mode": 0,
            "inputs": [
                {"name": outer.name, "type": outer.type, "link": None,
                 **({"widget": {"name": outer.name}} if outer.widget else {})}
                for outer in self.inputs
            ],
            "outputs": [
                {"name": link.output, "type": link.node.kind.results[link.output], "links": None}
                for link in self.outputs
            ],
            "title": self.title, "properties": {"proxyWidgets": [["-1", outer.name] for outer in shown]},
            "widgets_values": [outer.to[0][0].inputs[outer.to[0][1]] for outer in shown],
        }  # fmt: skip
        return {"revision": 0, "last_node_id": 1, "last_link_id": 0, "nodes": [node], "links": [], "version": 0.4,
                "definitions": {"subgraphs": [subgraph]}, "extra": {}}  # fmt: skip

    def _enter(self, node: dict[str, Any], name: str, outer: Outer, links: list[dict[str, Any]]) -> int:
        """A link from the subgraph's input to an inner one, which becomes a socket where it was a widget."""
        number = len(links) + 1
        socket = next((at for at, there in enumerate(node["inputs"]) if there["name"] == name), None)
        if socket is None:
            node["inputs"].append({"name": name, "type": outer.type, "widget": {"name": name}})
            socket = len(node["inputs"]) - 1
        node["inputs"][socket]["link"] = number
        slot = [other.name for other in self.inputs].index(outer.name)
        links.append(dict(zip(_LINK, (number, _IN, slot, node["id"], socket, outer.type), strict=True)))
        return number

    def _leave(self, node: dict[str, Any], link: Link, slot: int, links: list[dict[str, Any]]) -> int:
        number = len(links) + 1
        output = node["outputs"][link.slot]
        output["links"] = [*(output["links"] or []), number]
        links.append(dict(zip(_LINK, (number, node["id"], link.slot, _OUT, slot, output["type"]), strict=True)))
        return number


_LINK = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")


def _uuid(identity: str, name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(identity), name))


def animate_a_picture() -> Blueprint:
    """First frame in, clip out, with a motion learnt by LAMP."""
    g = Graph("Animate a picture (LAMP)")
    g.group("Motion")
    adapter = g.add("FSM_LoadMotionAdapter", "Motion adapter")
    noise = g.add("FSM_FrameNoise", "Noise", "randomize")
    g.group("Words")
    positive, negative = (g.add("CLIPTextEncode", title) for title in ("Prompt", "Negative prompt"))
    g.group("First frame")
    scaled = g.add("ImageScale", "Scale", **SIZE)
    latent = g.add("VAEEncode", "Encode", pixels=scaled["IMAGE"])
    g.group("Move it")
    sampler = g.add("FSM_FirstFrameKSampler", "Sampler", model=adapter["MODEL"], positive=positive["CONDITIONING"],
                    negative=negative["CONDITIONING"], first_frame=latent["LATENT"], noise=noise["NOISE"])  # fmt: skip
    frames = g.add("VAEDecode", "Decode", samples=sampler["LATENT"])
    inputs = (
        Outer("model", "MODEL", ((adapter, "model"),)), Outer("clip", "CLIP", ((positive, "clip"), (negative, "clip"))),
        Outer("vae", "VAE", ((latent, "vae"), (frames, "vae"))), Outer("image", "IMAGE", ((scaled, "image"),)),
        Outer("adapter", "COMBO", ((adapter, "adapter"),), True), Outer("text", "STRING", ((positive, "text"),), True),
        Outer("length", "INT", ((sampler, "length"),), True),
    )  # fmt: skip
    return Blueprint(g.name, "A picture becomes a clip, with a motion learnt from a few clips.", g, inputs,
                     (frames["IMAGE"],))  # fmt: skip


def teach_a_motion() -> Blueprint:
    """Clips in, adapter out and saved."""
    g = Graph("Teach a motion")
    g.group("Clips")
    clips = g.add("FSM_LoadClips", "Clips")
    captions = g.add("CLIPTextEncode", "Captions", text=clips["captions"])
    g.group("Learn")
    train = g.add("FSM_TrainMotionLoRA", "Train", clips=clips["clips"], positive=captions["CONDITIONING"],
                  captions=clips["captions"])  # fmt: skip
    g.group("Keep")
    g.add("FSM_SaveMotionAdapter", "Save adapter", adapter=train["adapter"])
    inputs = (
        Outer("model", "MODEL", ((train, "model"),)), Outer("clip", "CLIP", ((captions, "clip"),)),
        Outer("vae", "VAE", ((train, "vae"),)), Outer("folder", "COMBO", ((clips, "folder"),), True),
        Outer("steps", "INT", ((train, "steps"),), True), Outer("width", "INT", ((train, "width"),), True),
        Outer("height", "INT", ((train, "height"),), True),
    )  # fmt: skip
    return Blueprint(g.name, "A folder of clips of one motion becomes an adapter, saved for Load Motion Adapter.", g,
                     inputs, (train["adapter"], train["loss_map"]))  # fmt: skip


def animate_without_training() -> Blueprint:
    """Picture in, clip out, with a motion that knows text to video only."""
    g = Graph("Animate a picture, no training (TI2V-Zero)")
    g.group("Motion")
    adapter = g.add("FSM_LoadMotionAdapter", "Motion adapter", adapter=MODULE)
    g.group("Words")
    positive, negative = (g.add("CLIPTextEncode", title) for title in ("Prompt", "Negative prompt"))
    g.group("Repeat and slide")
    scaled = g.add("ImageScale", "Scale", **SIZE)
    sampler = g.add("FSM_RepeatAndSlideSampler", "Sampler", "randomize", model=adapter["MODEL"],
                    positive=positive["CONDITIONING"], negative=negative["CONDITIONING"],
                    frames=scaled["IMAGE"])  # fmt: skip
    inputs = (
        Outer("model", "MODEL", ((adapter, "model"),)), Outer("clip", "CLIP", ((positive, "clip"), (negative, "clip"))),
        Outer("vae", "VAE", ((sampler, "vae"),)), Outer("image", "IMAGE", ((scaled, "image"),)),
        Outer("adapter", "COMBO", ((adapter, "adapter"),), True), Outer("text", "STRING", ((positive, "text"),), True),
        Outer("length", "INT", ((sampler, "length"),), True), Outer("preset", "COMBO", ((sampler, "preset"),), True),
    )  # fmt: skip
    return Blueprint(g.name, "A picture becomes a clip, with an AnimateDiff module and nothing trained for it.", g,
                     inputs, (sampler["IMAGE"],))  # fmt: skip


def measure_a_clip() -> Blueprint:
    """Pictures in, reports out."""
    g = Graph("Measure a clip")
    g.group("Numbers")
    numbers = g.add("FSM_ClipVideoMetrics", "CLIP")
    flicker = g.add("FSM_WarpingError", "Flicker")
    jump = g.add("FSM_FirstFrameJump", "First frame")
    g.group("Reports")
    for title, node in (("CLIP report", numbers), ("Flicker report", flicker), ("First-frame report", jump)):
        g.add("PreviewAny", title, source=node["report"])
    inputs = (
        Outer("videos", "IMAGE", ((numbers, "videos"), (flicker, "videos"), (jump, "videos"))),
        Outer("clip_file", "COMBO", ((numbers, "clip_file"),), True),
    )  # fmt: skip
    return Blueprint(g.name, "Likeness of frames, flicker, the jump behind the first frame, of one clip.", g, inputs,
                     (numbers["consistency"], flicker["error"], jump["luminance_jump"]))  # fmt: skip


BLUEPRINTS: tuple[Callable[[], Blueprint], ...] = (
    animate_a_picture, teach_a_motion, animate_without_training, measure_a_clip,
)  # fmt: skip


def files() -> dict[str, str]:
    """Name under `subgraphs/` -> content."""
    made = (blueprint() for blueprint in BLUEPRINTS)
    return {f"{made_one.title}.json": json.dumps(made_one.file(), indent=2) + "\n" for made_one in made}
