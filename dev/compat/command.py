"""All versions, or one beside other packs: what is run, and what is said of it."""

import argparse
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from .. import archives, interpreter, markdown, server
from ..trouble import Trouble
from . import neighbours, pictures, versions

PAGE = interpreter.ROOT / "docs" / "versions.md"
_SENTENCE = "Few-Shot Motion needs ComfyUI"


def run(comfyui: Path, words: list[str]) -> None:
    """Without words: all versions, written to docs/versions.md.

    `--beside DIR …`: that ComfyUI with other packs in it.
    """
    parser = argparse.ArgumentParser(prog="python3 dev compat", allow_abbrev=False)
    parser.add_argument("--beside", nargs="+", type=Path, metavar="DIR", help="folders of other packs")
    options = parser.parse_args(words)
    if options.beside:
        table, equal = neighbours.beside(comfyui, options.beside)
        print(f"\n{table}")
        if not equal:
            sys.exit("error: something differs beside these packs")
        return
    own = comfyui != interpreter.STATE / archives.COMFYUI.name
    rows, equal = try_versions(comfyui if own else None)
    head = ["ComfyUI", *versions.COMPANIONS, pictures.IMAGE, *pictures.WORKFLOWS]
    table = markdown.table(head, rows)
    print(f"\n{table}")
    if not equal:
        sys.exit("error: the clips differ between the versions")
    refused = refusal()
    print(refused)
    if not own:
        PAGE.write_text(page(table, refused), encoding="utf-8", newline="\n")


def try_versions(checkout: Path | None) -> tuple[list[list[str]], bool]:
    """A row per supported version, and one for a checkout of the user's own; whether all clips are bit-equal."""
    tried = [(there.name, *versions.prepare(there)) for there in versions.SUPPORTED]
    if checkout:
        tried.append((str(checkout), checkout, interpreter.PYTHON))
    rows, found = [], []
    for number, (name, comfyui, python) in enumerate(tried):
        print(f"ComfyUI {name} …", flush=True)
        with server.running(comfyui, neighbours.base_of(str(number)), 1, python) as running:
            hashes = pictures.made(running.client, running.base)
        if hashes.pop(pictures.AFTERWARDS) != hashes[pictures.IMAGE]:
            raise Trouble(f"On ComfyUI {name} an image of core alone is another after our videos than before")
        found.append(hashes)
        rows.append([name, *versions.installed(python).values(), *hashes.values()])
    return rows, all(hashes == found[0] for hashes in found)


def refusal() -> str:
    """What the log of a ComfyUI that is too old says. Raises Trouble where it says more, less, or there are nodes."""
    comfyui, python = versions.prepare(versions.REFUSED)
    with server.running(comfyui, neighbours.base_of("refused"), 1, python) as running:
        said = [line for line in running.log_text().splitlines() if _SENTENCE in line]
        nodes = [name for name in running.client.object_info() if name.startswith(neighbours.OURS)]
    if len(said) != 1 or nodes:
        raise Trouble(
            f"ComfyUI {versions.REFUSED.name} says {said} and lists {nodes}; one sentence and no nodes are due"
        )
    return said[0][said[0].index(_SENTENCE) :]


def page(table: str, refused: str) -> str:
    """docs/versions.md."""
    machine = f"Python {platform.python_version()}, PyTorch {version('torch')}, on a CPU"
    return f"""# Versions

ComfyUI {versions.OLDEST.name} to {versions.NEWEST.name} is supported. Made by `python3 dev compat`: each version is a
real server with the packages its own requirements name, runs four of the shipped workflows with the miniature, and a
plain image before and after them. {machine}. The digits are the beginning of the SHA-256 of all frames, for the
training of the adapter's tensors: bit-equal in every row.

{table}
The releases are those that an archive on the Python package index carries; the ones between them were not tried. No
GPU was.

On ComfyUI {versions.REFUSED.name} the log says, and nothing is registered:

> {refused}

0.24.1 cannot load a model a second time (`clone(force_deepcopy=True)`), which training needs; {versions.OLDEST.name} is
the oldest that was tried and can. What one of the supported versions lacks is bridged: 0.26 and 0.27 have no node for a
folder of videos, so the workflows use Load Clips from Folder, the pack's own.

## Beside other packs

    python3 dev compat --beside DIR …

starts ComfyUI with folders of other packs in it and compares with the pack alone: the clips above and core's image
must be bit-equal, and every node of theirs must declare what it declares without us. What those packs require must be
in `.venv`. None of them is part of this repository.
"""
