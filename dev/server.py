"""A real ComfyUI server on loopback that lives exactly as long as a `with` block."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .client import Client
from .interpreter import PYTHON
from .trouble import Trouble

READY_WITHIN = 1200  # s; about 20 on an idle machine
END_WITHIN = 10  # s


@dataclass(frozen=True)
class Server:
    """A ComfyUI of our own, while it runs."""

    client: Client
    base: Path  # its models, input, output and user folders
    log: Path
    process: subprocess.Popen[bytes]

    def log_text(self) -> str:
        """All it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def log_tail(self, lines: int = 30) -> str:
        """The last lines of what it has printed, to tell what went wrong."""
        return "\n".join(self.log_text().splitlines()[-lines:])


@contextmanager
def running(
    comfyui: Path, base: Path, threads: int | None = None, python: Path = PYTHON, front_end: Path | None = None,
    flags: Sequence[str] = (),
) -> Iterator[Server]:  # fmt: skip
    """Start ComfyUI over a prepared base directory on a free port, wait until it answers, and end it whatever happens.

    `threads`: how many of the CPU's it may compute with, all where nothing is said. `python`: whose packages it sees.
    `front_end`: an unpacked one to serve in place of the installed. `flags`: other words of its command line.
    """
    port = _free_port()
    log = base / "server.log"
    arguments = [
        "--base-directory", base, "--listen", "127.0.0.1", "--port", port, "--disable-api-nodes", "--database-url",
                 "sqlite:///:memory:",
        "--dont-print-server", *([] if has_accelerator() else ["--cpu"]),
        *(["--front-end-root", front_end] if front_end else []), *flags,
    ]  # fmt: skip
    command = [str(word) for word in (python, comfyui / "main.py", *arguments)]
    # The log keeps what was printed last; thread pools that busy-wait starve each other.
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "passive"}
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    with _terminated_like_interrupted(), log.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=environment
        )
        try:
            server = Server(Client(f"http://127.0.0.1:{port}"), base, log, process)
            _wait_until_ready(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(END_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while not server.client.is_up():
        if server.process.poll() is not None:
            raise Trouble(f"ComfyUI ended while starting; the end of {server.log}:\n{server.log_tail()}")
        if time.monotonic() > deadline:
            raise Trouble(
                f"ComfyUI did not answer within {READY_WITHIN} s; the end of {server.log}:\n{server.log_tail()}"
            )
        time.sleep(0.2)
    if "(IMPORT FAILED)" in server.log_text():
        raise Trouble(f"ComfyUI could not import a custom node; the end of {server.log}:\n{server.log_tail()}")


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM unwind the stack like Ctrl-C does, so that `finally` ends the server."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def has_accelerator() -> bool:
    """Whether torch finds a GPU or the like here."""
    import torch  # only in .venv, and slow to import

    return torch.accelerator.is_available()
