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


NODE = "io.ComfyNode"
NODE_FILES = sorted(path for path in (ROOT / "nodes").glob("*.py") if path.name != "__init__.py")  # which lists them
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


# --------------------------------------------------------------------------------------------------- what nodes/ holds


def strangers(source: str) -> list[str]:
    """What stands at the top of a file of nodes/ and is neither docstring, import, constant nor node class."""
    found = []
    for statement in ast.parse(source).body:
        is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        is_node = isinstance(statement, ast.ClassDef) and [ast.unparse(base) for base in statement.bases] == [NODE]
        if not (is_docstring or is_node or isinstance(statement, ast.Import | ast.ImportFrom | ast.Assign)):
            found.append(ast.unparse(statement).splitlines()[0])
    return found


@pytest.mark.parametrize("path", NODE_FILES, ids=lambda path: path.name)
def test_nodes_holds_node_classes_only(path):
    assert strangers(path.read_text(encoding="utf-8")) == []


def test_a_stranger_in_nodes_is_found():
    source = '"""Nodes."""\nimport torch\n_A = 1\nclass N(io.ComfyNode): pass\nNODES = [N]'
    assert strangers(source) == []
    assert strangers(source + "\ndef help(): pass\nclass Thing: pass\nregister()") == [
        "def help():",
        "class Thing:",
        "register()",
    ]


# ----------------------------------------------------------------------------------------------------------- circles


KNOWN_CIRCLES: list[set[str]] = []


def modules() -> dict[str, Path]:
    """Dotted name -> file, of every room; a package goes by its own name."""
    files = [path for room in (*RULES, "dev", "miniature") for path in sorted((ROOT / room).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def neighbours(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of ours that a module imports anywhere in it: at its top, in functions, for the type checker."""
    inside = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {f"miniature.{alias.name}" for alias in node.names}  # that room stands on the path by itself
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(f"miniature.{node.module}")
        elif isinstance(node, ast.ImportFrom):
            above = ".".join([*inside[: len(inside) - node.level + 1], *([node.module] if node.module else [])])
            found |= {x if (x := f"{above}.{alias.name}") in known else above for alias in node.names}
    return found & known.keys() - {name}


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Modules that import each other, by whatever detour."""
    reached = {name: set(targets) for name, targets in graph.items()}
    for through in graph:
        for name in graph:
            if through in reached[name]:
                reached[name] |= reached[through]
    found = {frozenset(other for other in graph if name in reached[other] and other in reached[name]) for name in graph}
    return [set(circle) for circle in found if circle]


def test_no_module_imports_itself_by_a_detour():
    known = modules()
    found = circles({name: neighbours(name, path, known) for name, path in known.items()})
    assert [circle for circle in found if circle not in KNOWN_CIRCLES] == []


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [{"b", "c"}]
    known = modules()
    assert "host.files.folders" in neighbours("nodes", known["nodes"], known)
    assert "miniature.world" in neighbours("miniature.testset", known["miniature.testset"], known)


def test_only_nodes_and_host_import_comfyui():
    assert {room for room, (_, packages) in RULES.items() if packages & HOST} == {"nodes", "host"}


SLOW = {"kornia", "scipy", "transformers", "av"}  # a second and more of imports: not for every start


@pytest.mark.parametrize(("room", "path"), SOURCES, ids=[str(path.relative_to(ROOT)) for _, path in SOURCES])
def test_nothing_slow_is_imported_at_the_start(room, path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_start = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    assert SLOW.isdisjoint(imports(ast.unparse(at_start), (room,)))
