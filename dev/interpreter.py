"""The repository's own Python, `.venv`: making it, asking its pip, and continuing inside it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from .trouble import Trouble

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".dev"  # everything fetched, made or written by these commands
VENV = ROOT / ".venv"
_PACKAGES = "import sysconfig; print(sysconfig.get_path('purelib'))"


def make() -> None:
    """Make `.venv` unless there is one whose pip answers."""
    if PYTHON.exists() and _run(PYTHON, "-m", "pip", "--version").returncode == 0:
        return
    print(f"Making {VENV.name} with Python {sys.version.split()[0]}", flush=True)
    made = _run(sys.executable, "-m", "venv", VENV)
    if made.returncode:
        raise Trouble(
            f"Python could not make {VENV}: {_last_words(made)} (Debian and Ubuntu need the package python3-venv)"
        )


def overlay(folder: Path) -> Path:
    """Make an environment in `folder` that sees all of `.venv` behind its own packages; returns its Python.

    For what differs in a few packages: another set of ComfyUI's requirements without PyTorch a second time.
    """
    python = python_of(folder)
    if not python.exists():
        made = _run(PYTHON, "-m", "venv", "--without-pip", folder)  # .venv's pip is seen there, and installs there
        if made.returncode:
            raise Trouble(f"Python could not make {folder}: {_last_words(made)}")
        behind, own = (answer(there, "-c", _PACKAGES) for there in (PYTHON, python))
        Path(own, "behind.pth").write_text(f"{behind}\n", encoding="utf-8")
    return python


def answer(python: Path, *arguments: str | Path) -> str:
    """What a Python prints."""
    done = _run(python, *arguments)
    if done.returncode:
        raise Trouble(f"{python} failed: {_last_words(done)}")
    return done.stdout.strip()


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip(what: str, *arguments: str | Path, python: Path | None = None) -> None:
    """Run an environment's pip, `.venv`'s unless another is named, with the user's own pip settings; `what` names the
    thing in the message when it fails.
    """
    done = _run(python or PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments)
    if done.returncode:
        log = STATE / "pip.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise Trouble(
            f"pip could not get {what}: {_last_words(done)}. Check that this machine reaches the package index and has "
            "disk space left, "
            f"then run the same command again; all pip said is in {log}"
        )


PYTHON = python_of(VENV)


def enter() -> None:
    """Go on inside `.venv` with the same command line."""
    if Path(sys.prefix).resolve() != VENV.resolve():
        become(PYTHON, *sys.argv)


def become(*command: str | Path) -> NoReturn:
    """Replace this process, so that Ctrl-C and signals reach the command itself and it can end what it started."""
    sys.stdout.flush()
    words = [str(word) for word in command]
    if os.name != "nt":
        os.execv(words[0], words)
    process = subprocess.Popen(words)  # Windows cannot replace a process: wait for it instead
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            pass  # the command got it too, and ends when it has tidied up


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
    )


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or [f"exit code {done.returncode}"])[-1].strip().removeprefix("ERROR: ").rstrip(".")
