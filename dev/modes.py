"""ComfyUI's start modes that change how it computes, loads or caches, with our workflows in each: every cell runs to
finite numbers or says in a sentence why not. `python3 dev modes` writes the table into docs/reliability.md.

The modes are found in ComfyUI's own list of options. One server for each, on this machine's device.
"""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import markdown, reliability, server, small_runs
from .client import Client, PromptFailed
from .trouble import Trouble

# options that say where, to whom or with which device, not how; those for devices of one maker; those that end it
OTHERS = {
    "help", "listen", "port", "tls_keyfile", "tls_certfile", "enable_cors_header", "max_upload_size", "base_directory",
    "extra_model_paths_config", "output_directory", "temp_directory", "input_directory", "auto_launch",
    "disable_auto_launch", "cuda_device", "default_device", "directml", "oneapi_device_selector", "preview_size",
    "enable_manager", "disable_manager_ui", "enable_manager_legacy_ui", "cpu", "default_hashing_function", "debug_hang",
    "dont_print_server", "quick_test_for_ci", "windows_standalone_build", "disable_metadata",
    "disable_all_custom_nodes", "whitelist_custom_nodes", "disable_api_nodes", "multi_user", "verbose", "log_stdout",
    "front_end_version", "front_end_root", "user_directory", "models_directory", "enable_compress_response_body",
    "cuda_malloc", "disable_cuda_malloc", "disable_nvml_pressure", "enable_triton_backend", "disable_triton_backend",
    "disable_xformers",
    "comfy_api_base", "database_url", "enable_assets", "enable_asset_hashing", "feature_flag", "list_feature_flags",
}  # fmt: skip
VALUES = {"cache_lru": "10", "reserve_vram": "1", "vram_headroom": "1", "preview_method": "latent2rgb"}
NAMES = ("LAMP", "Repeat-and-Slide", "Text2Video-Zero", "training with masks", "training on one clip", "metrics")
IMAGE, AFTERWARDS = "core's image", "the image again"
RUNS, SAYS, CORE, SAME = "runs", "says why not", "core cannot", "the same"
RAW, NAN, CHANGED = "RAW ERROR", "NOT FINITE", "ANOTHER"
WRONG = (RAW, NAN, CHANGED)


def modes(comfyui: Path) -> Iterator[tuple[str, ...]]:
    """Words for ComfyUI's command line: none, then each of its options that may change how it computes."""
    sys.path.insert(0, str(comfyui))
    try:
        options = importlib.import_module("comfy.cli_args").parser._actions
    finally:
        sys.path.remove(str(comfyui))
    yield ()
    for option in options:
        if option.dest not in OTHERS:
            yield (option.option_strings[-1], *([VALUES[option.dest]] if option.dest in VALUES else []))


def tried(client: Client, names: Sequence[str] = NAMES) -> dict[str, tuple[str, str]]:
    """Column -> verdict and what was said, on a server in one mode; core's own image before and after all others."""
    cells: dict[str, tuple[str, str]] = {}
    image = _image(client, 0)
    cells[IMAGE] = (RUNS, "") if isinstance(image, small_runs.Told) and image.finite else (CORE, str(image))
    for number, name in enumerate(names, start=1):
        cells[name] = _cell(client, name, number)
        if cells[name][0] in (RAW, NAN) and cells[IMAGE][0] == CORE and name != "metrics":
            cells[name] = CORE, cells[name][1]
    cells[AFTERWARDS] = (SAME, "") if _image(client, len(names) + 1) == image else (CHANGED, "")
    return cells


def _image(client: Client, number: int) -> small_runs.Told | str:
    try:
        return small_runs.image(client, number)
    except PromptFailed as failure:
        return str(failure)


def _cell(client: Client, name: str, number: int) -> tuple[str, str]:
    try:
        return (RUNS if small_runs.run(client, name, number).finite else NAN), ""
    except PromptFailed as failure:
        text = failure.details["exception_message"].strip()
        told = failure.details["exception_type"].endswith(("ValueError", "AdapterError"))
        told = told and "\n" not in text and text.endswith(".") and failure.details["node_type"].startswith("FSM_")
        return (SAYS if told else RAW), text


def page(found: dict[str, dict[str, tuple[str, str]]], idle: dict[str, str]) -> str:
    """All modes as a table, the sentences below it, and the modes that do not start here."""
    columns = [IMAGE, *NAMES, AFTERWARDS]
    sentences = list(dict.fromkeys(text for cells in found.values() for verdict, text in cells.values()
                                   if verdict == SAYS))  # fmt: skip
    rows = [[f"`{mode}`" if mode else "none", *(_shown(*cells[column], sentences) for column in columns)]
            for mode, cells in found.items()]  # fmt: skip
    text = f"`python3 dev modes`, {len(found)} modes that start on this machine:\n\n"
    text += markdown.table(["mode", *columns], rows)
    text += "".join(f"\n{i}. {sentence}" for i, sentence in enumerate(sentences, start=1)) + "\n" * bool(sentences)
    return f"{text}\nThese do not start here: {', '.join(f'`{mode}`' for mode in idle)}.\n"


def _shown(verdict: str, text: str, sentences: list[str]) -> str:
    return f"{verdict} ({sentences.index(text) + 1})" if verdict == SAYS else verdict


def run(comfyui: Path, words: list[str]) -> None:
    """The command; Trouble where a cell is wrong."""
    parser = argparse.ArgumentParser(prog="python3 dev modes", allow_abbrev=False)
    parser.add_argument("modes", nargs="*", help="only these, without their dashes; the page is left as it is")
    only = parser.parse_args(words).modes
    found, idle = {}, {}
    with tempfile.TemporaryDirectory() as place:
        small_runs.prepare(Path(place))
        for mode in modes(comfyui):
            name = " ".join(mode)
            if only and name.removeprefix("--").partition(" ")[0] not in only:
                continue
            try:
                with server.running(comfyui, Path(place), 1, flags=mode) as running:
                    found[name] = tried(running.client)
            except Trouble as trouble:
                if "while starting" not in str(trouble):
                    raise
                idle[name] = str(trouble)
            print(f"{name or 'none'}: {found.get(name) or 'does not start'}", flush=True)
    text = page(found, idle)
    print(text)
    wrong = [f"{mode}, {column}: {verdict} {text}" for mode, cells in found.items()
             for column, (verdict, text) in cells.items() if verdict in WRONG]  # fmt: skip
    if wrong:
        raise Trouble("; ".join(wrong))
    if not only:
        reliability.write(text, "modes")
