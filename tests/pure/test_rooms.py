"""Who may import whom: read from the sources, nothing is imported."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = {"torch", "einops"}
HOST = {
    "comfy",
    "comfy_api",
    "comfy_extras",
    "comfy_execution",
    "comfyui_version",
    "folder_paths",
    "node_helpers",
    "nodes",
    "server",
    "latent_preview",
}
# room -> (other rooms, packages beyond the standard library); all of them come with ComfyUI
RULES = {
    "motion_modules": (set(), PURE | {"safetensors", "numpy"}),
    "samplers": (set(), PURE),
    "training": ({"motion_modules", "samplers"}, PURE | {"safetensors", "numpy"}),
    "metrics": (set(), PURE | {"numpy", "scipy", "kornia"}),
    "host": (
        {"motion_modules", "samplers", "training", "metrics"},
        PURE | HOST | {"safetensors", "numpy", "PIL", "av"},
    ),
    "nodes": ({"host", "motion_modules", "samplers", "training", "metrics"}, PURE | HOST),
    "__init__": ({"nodes", "host"}, set()),
}


def imports(source: str, inside: tuple[str, ...]) -> Iterator[str]:
    """Every import of a module that lies in the packages `inside`, in words: "torch" or, for a room of ours,
    ".samplers".
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level + 1]
            module = node.module.split(".") if node.module else []
            yield from ("." + [*above, *module, alias.name][0] for alias in node.names)


def violations(room: str, source: str, inside: tuple[str, ...]) -> list[str]:
    rooms, packages = RULES[room]
    allowed = {f".{name}" for name in {room, *rooms}} | packages | set(sys.stdlib_module_names)
    return [name for name in imports(source, inside) if name not in allowed]


SOURCES = [("__init__", ROOT / "__init__.py")]
SOURCES += [(room, path) for room in RULES for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize(("room", "path"), SOURCES, ids=[str(path.relative_to(ROOT)) for _, path in SOURCES])
def test_imports_run_one_way(room, path):
    inside = path.relative_to(ROOT).parent.parts
    assert violations(room, path.read_text(encoding="utf-8"), inside) == []


@pytest.mark.parametrize(
    ("room", "source", "wrong"),
    [
        ("samplers", "import torch\nfrom . import noise\nfrom .noise import draw", []),
        ("samplers", "from ..motion_modules.attention import x", [".motion_modules"]),
        ("samplers", "from .. import training", [".training"]),
        ("training", "from ..samplers import noise", []),
        ("training", "from ..nodes import bridge", [".nodes"]),
        ("metrics", "def late():\n    import comfy.utils", ["comfy"]),
        ("metrics", "from samplers import noise", ["samplers"]),  # only relative imports find our rooms under ComfyUI
        ("host", "from ..nodes import motion", [".nodes"]),
        ("host", "from ..samplers.noise import frame_noise\nimport comfy.utils", []),
        ("nodes", "import nodes, folder_paths\nfrom comfy_api.latest import io\nfrom ..metrics import frechet", []),
        ("nodes", "import diffusers", ["diffusers"]),
    ],
)
def test_rule_is_told_from_breach(room, source, wrong):
    assert violations(room, source, (room,)) == wrong
