"""Everything under dev/ and miniature/ can be imported: a command whose module lost a name is told before its user."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEV = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in (ROOT / "dev").rglob("*.py")]
DEV.remove("dev.__main__")  # puts the repository first among Python's paths
MODULES = sorted([*DEV, *(file.stem for file in (ROOT / "miniature").glob("*.py") if file.stem != "__init__")])


@pytest.mark.parametrize("name", MODULES)
def test_it_loads(name):
    importlib.import_module(name.removesuffix(".__init__"))
