"""How the sources look, counted: width, length, and that everything public says what it is.

Public is a function, class or method without a leading underscore, in a class without one, in the rooms below. What is
documented elsewhere needs no docstring of its own: a node class has the description that its users read, `main` its
module's docstring, and the methods that ComfyUI and torch call their class's.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("nodes", "host", "motion_modules", "samplers", "training", "metrics")
ROOMS = (*SHIPPED, "dev", "miniature")
SOURCES = [ROOT / "__init__.py"]
SOURCES += [path for room in (*ROOMS, "tests", "benchmarks") for path in sorted((ROOT / room).rglob("*.py"))]
IN_ROOMS = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in ROOMS]
COLUMNS, LINES = 120, 250
CALLED_FROM_OUTSIDE = {"define_schema", "INPUT_TYPES", "fingerprint_inputs", "validate_inputs", "execute", "forward"}
NEW_WORDS = 2  # that a docstring has beside those of the name


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_node(definition: ast.AST) -> bool:
    return isinstance(definition, ast.ClassDef) and "io.ComfyNode" in map(ast.unparse, definition.bases)


def words(text: str) -> set[str]:
    """Lower-case words; CamelCase and snake_case are several."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+|\d+", text)}


def described(node: ast.ClassDef) -> bool:
    """Whether a node's schema has a description."""
    keywords = [keyword for call in ast.walk(node) if isinstance(call, ast.Call) for keyword in call.keywords]
    return any(keyword.arg == "description" and ast.literal_eval(keyword.value) for keyword in keywords)


def undocumented(source: str) -> Iterator[str]:
    """Names of public definitions that do not say what they are, or say nothing but their name."""
    module = ast.parse(source)

    def look(body: list[ast.stmt], inside: str = "") -> Iterator[str]:
        for definition in body:
            if not isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            full = f"{inside}{definition.name}"
            if definition.name.startswith("_") or definition.name in CALLED_FROM_OUTSIDE:
                continue
            said = ast.get_docstring(definition) or ""
            if is_node(definition):
                enough = described(definition)
            elif full == "main" and ast.get_docstring(module):
                enough = True
            else:
                enough = len(words(said) - words(definition.name)) >= NEW_WORDS
            if not enough:
                yield full
            if isinstance(definition, ast.ClassDef):
                yield from look(definition.body, f"{full}.")

    yield from look(module.body)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_lines_are_no_wider_than_a_screen(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, start=1) if len(line) > COLUMNS] == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_files_are_short(path):
    length = len(path.read_text(encoding="utf-8").splitlines())
    assert length <= LINES


@pytest.mark.parametrize("path", IN_ROOMS, ids=name)
def test_everything_public_says_what_it_is(path):
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)) or not source.strip()
    assert list(undocumented(source)) == []


def test_what_says_nothing_is_found():
    source = '''"""A module."""
def bare(): pass
def load_file(): "Load the file."
def good(): "Bytes of it, at most 4 GiB."
def _private(): pass
def main(): pass
class Thing:
    def method(self): pass
    def _own(self): pass
    def execute(self): pass
class Node(io.ComfyNode):
    def define_schema(cls): return io.Schema(description="Says what it does.")
class Silent(io.ComfyNode):
    def define_schema(cls): return io.Schema(node_id="x")
'''
    assert list(undocumented(source)) == ["bare", "load_file", "Thing", "Thing.method", "Silent"]
    assert list(undocumented("def main(): pass")) == ["main"]


CLOCKS = ("sleep(", "perf_counter(", "monotonic(", "process_time(", "time.time(", "timeit", "wait_for_timeout")
WAITS = "tests/serving.py"  # for a condition, at most half an hour


@pytest.mark.parametrize("path", [path for path in SOURCES if "tests" in path.relative_to(ROOT).parts], ids=name)
def test_no_test_depends_on_the_speed_of_the_machine(path):
    source = path.read_text(encoding="utf-8")
    found = [clock for clock in CLOCKS if clock in source]
    assert found == [] or name(path) in (WAITS, "tests/pure/test_style.py")
