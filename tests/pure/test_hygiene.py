"""What the registry would hand to users: no network, processes, environment, code from strings or scripts; a help page
per node.
"""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = {
    "subprocess", "multiprocessing", "socket", "ssl", "urllib", "http", "ftplib", "smtplib", "requests", "httpx",
           "aiohttp", "websocket",
    "websockets", "huggingface_hub", "pickle", "marshal", "shelve", "ctypes", "runpy", "webbrowser", "pip",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__"}
OS_NAMES = {"environ", "getenv", "putenv", "system", "popen", "startfile", "fork", "kill"}
SCRIPTS = {".js", ".mjs", ".ts", ".html", ".sh", ".bat", ".ps1", ".so", ".dll", ".pyd", ".exe", ".pyc"}
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:work|home|root|tmp|opt|mnt|Users)/|\b[A-Z]:[\\/]{1,2}(?:Users|Windows)")


def patterns(name: str) -> list[str]:
    lines = (line.strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    found = [line for line in lines if line and not line.startswith("#")]
    assert not [p for p in found if p.startswith("!") or "/" in p.rstrip("/")], (
        f"{name}: only plain names, this test reads no others"
    )
    return found


def left_over(folder: Path, ignored: list[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if not any(fnmatch(path.name, p.rstrip("/")) and (path.is_dir() or not p.endswith("/")) for p in ignored):
            yield from left_over(path, ignored) if path.is_dir() else [path]


ARCHIVE = list(left_over(ROOT, [".git/", ".git", *patterns(".gitignore"), *patterns(".comfyignore")]))
MODULE_FILES = [path for path in ARCHIVE if path.suffix == ".py"]


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def findings(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found += [node.module] if node.module.split(".")[0] in MODULES else []
            found += [f"os.{alias.name}" for alias in node.names if node.module == "os" and alias.name in OS_NAMES]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            found.append(node.func.id)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
            and node.attr in OS_NAMES
        ):
            found.append(f"os.{node.attr}")
    return found


@pytest.mark.parametrize("path", MODULE_FILES, ids=names(MODULE_FILES))
def test_code_stays_inside_its_process(path):
    assert findings(path.read_text(encoding="utf-8")) == []


def test_what_must_not_be_shipped_is_found():
    lines = ("import subprocess, torch", "from urllib.request import urlopen", "from os import environ", "import os")
    source = "\n".join((*lines, "os.getenv('A')", "eval('1')"))
    assert sorted(findings(source)) == ["eval", "os.environ", "os.getenv", "subprocess", "urllib.request"]
    assert findings("import os.path, re\nre.compile('a')\nmodel.eval()") == []


def test_archive_is_the_pack():
    there = {name.split("/")[0] for name in names(ARCHIVE)}
    assert {"__init__.py", "pyproject.toml", "README.md", "LICENSE", "nodes", "web"} <= there
    assert not {"dev", "tests", "miniature", "benchmarks", ".venv", ".dev"} & there


def test_archive_holds_no_scripts_or_binaries():
    assert [name for name in names(ARCHIVE) if Path(name).suffix in SCRIPTS] == []


def test_archive_names_no_machine():
    texts = [path for path in ARCHIVE if path.suffix in {".py", ".md", ".json", ".toml", ".txt", ".yaml", ".yml"}]
    assert [
        name
        for path, name in zip(texts, names(texts), strict=True)
        if MACHINE_PATH.search(path.read_text(encoding="utf-8"))
    ] == []


def test_project_asks_for_nothing():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "\ndependencies = []\n" in text
    assert "\n[build-system]" not in text
    assert not (ROOT / "requirements.txt").exists()


def test_every_node_has_a_help_page():
    ids = {
        keyword.value.value
        for path in (ROOT / "nodes").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "node_id" and isinstance(keyword.value, ast.Constant)
    }
    pages = {path.stem for path in (ROOT / "web" / "docs").glob("*.md")}
    assert ids
    assert pages == ids
    assert all(name.startswith("FSM_") for name in ids)


def test_no_two_test_files_have_one_name():
    """tests/ is no package: pytest would take the second for the first, but only where both tiers run together."""
    found = sorted(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert found == sorted(set(found))
