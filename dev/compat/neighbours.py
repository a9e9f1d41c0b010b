"""Beside other packs: our clips and core's image stay bit-equal, and the others' nodes are what they are without us."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import base, markdown, server
from ..trouble import Trouble
from . import pictures, versions

OURS = "FSM_"


def beside(comfyui: Path, packs: Iterable[Path]) -> tuple[str, bool]:
    """Starts ComfyUI three times: the pack alone, the others alone, all of them. A table, and whether all is well.

    Raises Trouble where a folder is no pack, or a pack cannot be imported, with or without us.
    """
    packs = list(packs)
    for pack in packs:
        if not (pack / "__init__.py").exists():
            raise Trouble(f"{pack} is no custom-node pack (no __init__.py there); name the folder that holds one")
    with server.running(comfyui, base_of("alone"), 1) as alone:
        core = alone.client.object_info()  # before there are files, which some nodes list
        ours = pictures.made(alone.client, alone.base)
    with server.running(comfyui, base_of("others", packs, ours=False), 1) as others:
        theirs = others.client.object_info()
    with server.running(comfyui, base_of("beside", packs), 1) as together:
        nodes = together.client.object_info()
        found = pictures.made(together.client, together.base)
    rows = [*clip_rows(ours, found), *node_rows(core, theirs, nodes)]
    head = ["", "without", "beside", "equal"]
    return markdown.table(head, rows), all(row[-1] == "yes" for row in rows)


def base_of(name: str, packs: Iterable[Path] = (), ours: bool = True) -> Path:
    """A base directory of its own, made anew, with other packs in it and with or without this one."""
    folder = versions.FOLDER / f"base-{name}"
    if folder.exists():
        shutil.rmtree(folder)  # links to packs go, the packs stay
    base.prepare(folder)
    if not ours:
        (folder / "custom_nodes" / base.PACK).unlink()
    for pack in packs:
        base.link(pack.resolve(), folder / "custom_nodes" / pack.name)
    return folder


def clip_rows(alone: dict[str, str], beside: dict[str, str]) -> list[list[str]]:
    """Per picture: its hash without and beside the other packs, and whether they are one."""
    return [[name, alone[name], beside[name], _yes(alone[name] == beside[name])] for name in alone]


def node_rows(core: dict[str, Any], others: dict[str, Any], together: dict[str, Any]) -> list[list[str]]:
    """How many nodes the others bring without us and beside us, and whether each declares the same; ours likewise."""
    added = {name: node for name, node in others.items() if name not in core or node != core[name]}
    kept = {name for name, node in added.items() if together.get(name) == node}
    ours = {name for name in core if name.startswith(OURS)}
    still = {name for name in ours if together.get(name) == core[name]}
    return [
        ["nodes of the others", str(len(added)), str(len(kept)), _yes(len(kept) == len(added))],
        ["nodes of ours", str(len(ours)), str(len(still)), _yes(still == ours)],
    ]


def _yes(equal: bool) -> str:
    return "yes" if equal else "no"
