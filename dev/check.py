"""Everything that can be said about the sources without running them."""

import subprocess
import sys

from . import registry
from .interpreter import PYTHON, ROOT

CHECKS = {
    "lint": ("ruff", "check", "."),
    "formatting": ("ruff", "format", "--check", "."),
    "types": ("basedpyright", "--pythonpath", str(PYTHON), "--level", "error"),
    "import rules and registry hygiene": ("pytest", "-q", "tests/pure/test_rooms.py", "tests/pure/test_hygiene.py"),
}


def run() -> None:
    """Run every check, also after one has failed; exit code 1 names those that did."""
    failed = []
    for name, (tool, *arguments) in CHECKS.items():
        print(f"== {name}", flush=True)
        if subprocess.run([PYTHON, "-m", tool, *arguments], cwd=ROOT).returncode:
            failed.append(name)
    print("== registry", flush=True)
    failed += registry.findings()
    if failed:
        sys.exit(f"error: failed: {', '.join(failed)}")
