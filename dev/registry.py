"""The Comfy Registry's own checks, and comfy-import-guard's, on the git clone and on the archive that users get.

Both tools have an environment of their own in `.dev`, and see copies: a clone of the working tree as it stands, what
`comfy node pack` makes of it, and the comfy package of the oldest and the newest supported ComfyUI.
"""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from . import archives, environment, interpreter
from .base import PACK
from .compat import versions
from .trouble import Trouble

TOOLS = ("comfy-cli==1.23.0", "comfy-import-guard==1.3.0")
FOLDER = interpreter.STATE / "registry"
ENVIRONMENT = FOLDER / "environment"
CLEAN = "All validation checks passed successfully"  # comfy-cli's exit code says nothing about its warnings


def findings() -> list[str]:
    """What failed, `comfy node validate of the archive` say; nothing where all is well."""
    interpreter.overlay(ENVIRONMENT)
    environment.install("the registry's checkers", *TOOLS, environment=ENVIRONMENT)
    clone, archive = (_fresh(FOLDER / name / "custom_nodes" / PACK) for name in ("clone", "archive"))
    _copy_working_tree(clone)
    _comfy(clone, "pack")
    with zipfile.ZipFile(clone / "node.zip") as packed:
        packed.extractall(archive)
    (clone / "node.zip").unlink()
    failed = []
    for name, place in (("git clone", clone), ("archive", archive)):
        if CLEAN not in (said := _comfy(place, "validate")):
            print(said)
            failed.append(f"comfy node validate of the {name}")
        for version in (versions.OLDEST, versions.NEWEST):
            safe, said = _guard(place.parents[1], version)
            if not safe:
                print(said)
                failed.append(f"comfy-import-guard of the {name} on ComfyUI {version.name}")
    return failed


def _comfy(folder: Path, command: str) -> str:
    """What `comfy node <command>` says in a folder; its settings stay in `.dev` and nothing is reported to anybody."""
    home = FOLDER / "home"
    home.mkdir(exist_ok=True)
    words = ("-m", "comfy_cli", "--skip-prompt", "node", command)
    return _run(folder, interpreter.python_of(ENVIRONMENT), *words,
                HOME=str(home), USERPROFILE=str(home), XDG_CONFIG_HOME=str(home), DO_NOT_TRACK="1")[1]  # fmt: skip


def _guard(comfyui: Path, version: versions.Version) -> tuple[bool, str]:
    """Whether comfy-import-guard finds the packs in a ComfyUI folder safe on a version, warnings counted, and its
    words.
    """
    cache = FOLDER / version.name
    core = cache / "ComfyUI"
    if not (core / ".git").exists():
        source = archives.fetch(version.archive)
        _fresh(core)
        shutil.copytree(source / "comfy", core / "comfy", ignore=shutil.ignore_patterns("__pycache__"))
        _commit(core)
    command = "from comfy_import_guard.cli import main; raise SystemExit(main())"
    words = (
        "--cache-dir",
        cache,
        "--offline",
        "--quiet",
        "check",
        "--comfy-dir",
        comfyui,
        "--target",
        "HEAD",
        "--strict",
    )
    code, said = _run(FOLDER, interpreter.python_of(ENVIRONMENT), "-c", command, *words)
    return code == 0 and "1 safe" in said, said


def _copy_working_tree(place: Path) -> None:
    """The files git knows or would take, as they stand here, committed in a repository of their own."""
    code, listed = _run(interpreter.ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if code:
        raise Trouble(f"git does not list this repository's files ({listed.strip()}): run the checks in a git clone")
    for name in filter(None, listed.split("\0")):
        source, file = interpreter.ROOT / name, place / name
        if source.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, file)
    _commit(place)


def _commit(folder: Path) -> None:
    who = ("-c", "user.name=check", "-c", "user.email=check@localhost")
    for words in (("init", "-q"), ("add", "-Af", "."), (*who, "commit", "-qm", "As it stands")):
        code, said = _run(folder, "git", *words)
        if code:
            raise Trouble(f"git {words[0]} failed in {folder}: {said.strip()}")


def _fresh(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _run(folder: Path, *command: str | Path, **more: str) -> tuple[int, str]:
    """Exit code and all that was said."""
    try:
        done = subprocess.run([str(word) for word in command], cwd=folder, env={**os.environ, **more},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, encoding="utf-8", errors="replace")  # fmt: skip
    except FileNotFoundError as error:
        raise Trouble(f"{command[0]} is not installed on this machine, and the registry's checks need it") from error
    return done.returncode, done.stdout
