"""`python3 dev <command>`: run the demo, the tests, a server, the checks. `python3 dev --help` lists them."""

import sys
from pathlib import Path

if sys.version_info < (3, 10):
    sys.exit("error: Few-Shot Motion needs Python 3.10 or newer; run this command with it")
sys.path[0] = str(Path(__file__).resolve().parents[1])  # a folder run by its path is no package: make it one

import argparse
import time

from dev import base, check, environment, interpreter, server, testing
from dev.trouble import Trouble


def demo(options: argparse.Namespace, comfyui: Path) -> None:
    """learn two motions from eight clips each, animate unseen first frames, measure; writes .dev/demo: [--world figures
    | moving-camera | shapes]
    """
    from dev import demo  # needs .venv

    demo.run(comfyui, options.checkpoint, options.rest)


def test(options: argparse.Namespace, comfyui: Path) -> None:
    """run the tests: [pure|comfy|golden|page] [pytest arguments]; all four tiers unless one is named"""
    testing.run(options.rest, comfyui)


def serve(options: argparse.Namespace, comfyui: Path) -> None:
    """open ComfyUI with pack, miniature, clips and pictures in it, until Ctrl-C"""
    checkpoint = _furnish(options)
    with server.running(comfyui, base.BASE) as running:
        print(
            f"ComfyUI is at {running.client.url} (checkpoint: {checkpoint}; log: {running.log}). Ctrl-C ends it.",
            flush=True,
        )
        while running.process.poll() is None:
            time.sleep(0.5)
        raise Trouble(f"ComfyUI ended by itself; the end of {running.log}:\n{running.log_tail()}")


def _furnish(options: argparse.Namespace) -> str:
    """Everything the templates for the miniature name; returns the checkpoint's name."""
    from dev import samples, workflows  # needs .venv

    checkpoint = base.prepare(base.BASE, options.checkpoint)
    samples.fill(base.BASE / "input")
    samples.link_weights(base.BASE / "models")
    workflows.offer_small(base.BASE / "custom_nodes")
    return checkpoint


def tour(options: argparse.Namespace, comfyui: Path) -> None:
    """run every template that serve offers by the page's own button; pictures in .dev/tour: [names of workflows]"""
    environment.install("what drives the page", *environment.PAGE)
    from dev import tour  # needs .venv

    _furnish(options)
    with server.running(comfyui, base.BASE) as running:
        tour.run(running, options.rest)


def checks(options: argparse.Namespace, comfyui: Path) -> None:
    """lint, formatting, types, import rules, registry hygiene, the registry's own checkers (these need git)"""
    environment.install("the checkers", *environment.CHECKS)
    check.run()


def train_miniature(options: argparse.Namespace, comfyui: Path) -> None:
    """train the miniature's weights from nothing: [arguments of miniature/train.py]"""
    base.WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    places = ("--folder", interpreter.STATE / "miniature", "--output", base.WEIGHTS)
    inside(comfyui, "train", *places, *options.rest)


def study(options: argparse.Namespace, comfyui: Path) -> None:
    """measure a method on the miniature; without a name, which there are [arguments of dev/studies/<name>.py]"""
    if not options.rest or options.rest[0] not in STUDIES:
        raise Trouble(f"name a study: {', '.join(STUDIES)}")
    own = ("--checkpoint", options.checkpoint) if options.checkpoint else ()
    inside(comfyui, f"dev.studies.{options.rest[0]}", *options.rest[1:], *own)


def inside(comfyui: Path, script: str, *arguments: str | Path) -> None:
    """Go on as a script that wants ComfyUI and the pack in its own process."""
    interpreter.become(interpreter.PYTHON, Path(__file__).with_name("inside.py"), comfyui, script, *arguments)


def workflows(options: argparse.Namespace, comfyui: Path) -> None:
    """write the shipped workflows anew from their one description"""
    from dev import workflows

    workflows.main()


def emblem(options: argparse.Namespace, comfyui: Path) -> None:
    """draw the registry's icon and banner anew"""
    from dev import emblem  # needs .venv

    emblem.main()


def measure_page(options: argparse.Namespace, comfyui: Path) -> None:
    """measure how large the page draws the nodes of the workflows: [names of workflows]"""
    environment.install("what drives the page", *environment.PAGE)
    from dev import measure_page, workflows  # needs .venv

    measure_page.run(comfyui, options.rest)
    workflows.main()


def compare(options: argparse.Namespace, comfyui: Path) -> None:
    """make and measure videos over adapters x prompts x seeds, one table: [--server URL] [--adapters NAME …] [--prompts
    TEXT …] [--seeds N …] …
    """
    from dev import compare  # needs .venv

    compare.run(comfyui, options.checkpoint, options.rest)


def compat(options: argparse.Namespace, comfyui: Path) -> None:
    """run four workflows on every supported ComfyUI: docs/versions.md; beside other packs: [--beside DIR …]"""
    from dev.compat import command  # needs .venv

    command.run(comfyui, options.rest)


def faults(options: argparse.Namespace, comfyui: Path) -> None:
    """damage files, kill saves, crowd and fill the disk, end trainings: [--cases N] [--kills N] [--rounds N] [--seed
    S]; figures go into docs/reliability.md
    """
    inside(comfyui, "dev.faults", *options.rest)


def fuzz(options: argparse.Namespace, comfyui: Path) -> None:
    """every node with one input at a time gone wrong, through links too: [--cases N] [--seed S] [--write]"""
    inside(comfyui, "dev.fuzz", *options.rest)


def soak(options: argparse.Namespace, comfyui: Path) -> None:
    """hundreds of mixed prompts on one server, cancels and errors inside the UNet among them: [--prompts N] [--cancels
    N] [--exceptions N] [--seed S]; figures go into docs/reliability.md
    """
    from dev import soak  # needs .venv

    soak.run(comfyui, options.rest)


def modes(options: argparse.Namespace, comfyui: Path) -> None:
    """our workflows in every start mode of ComfyUI: [names of modes, without dashes]; the table goes into
    docs/reliability.md
    """
    from dev import modes  # needs .venv

    modes.run(comfyui, options.rest)


def combinations(options: argparse.Namespace, comfyui: Path) -> None:
    """every method of motion beside every node of core that takes and gives a MODEL; writes docs/combinations.md"""
    inside(comfyui, "dev.combinations")


def bench(options: argparse.Namespace, comfyui: Path) -> None:
    """count and time every method at real models' width, beside the image model: [--only WORD …] [--frames N] [--size H
    W] [--repeats N]; writes docs/performance.md
    """
    from dev import bench  # needs .venv

    bench.run(comfyui, options.rest)


def widths(options: argparse.Namespace, comfyui: Path) -> None:
    """run every template once at real models' width: [--anew] [names]; the table goes into docs/performance.md"""
    from dev import widths  # needs .venv

    widths.run(comfyui, options.rest)


STUDIES = sorted(file.stem for file in Path(__file__).with_name("studies").glob("*.py")
                 if "\ndef main(" in file.read_text(encoding="utf-8"))  # fmt: skip
COMMANDS = {"demo": demo, "test": test, "serve": serve, "check": checks, "study": study, "compare": compare,
            "compat": compat, "combinations": combinations, "faults": faults, "fuzz": fuzz, "soak": soak,
            "modes": modes, "bench": bench, "widths": widths, "train-miniature": train_miniature,
            "workflows": workflows, "measure-page": measure_page, "tour": tour, "emblem": emblem}  # fmt: skip
# what dev does not know goes on to the program behind
WITH_REST = {"demo", "test", "study", "compare", "compat", "faults", "fuzz", "soak", "modes", "bench", "widths",
             "train-miniature", "measure-page", "tour"}  # fmt: skip


def parse(words: list[str]) -> argparse.Namespace:
    """The command, its options, and in `rest` what goes on to the program behind it; ends with usage if wrong."""
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument(
        "--comfyui", type=_existing, metavar="DIR", help="a ComfyUI checkout of your own instead of the fetched 0.30.0"
    )
    common.add_argument(
        "--checkpoint",
        type=_existing,
        metavar="FILE",
        help="a Stable Diffusion 1.x checkpoint instead of the miniature (demo, serve, study methods)",
    )
    parser = argparse.ArgumentParser(prog="python3 dev", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, function in COMMANDS.items():
        commands.add_parser(
            name, parents=[common], help=function.__doc__, description=function.__doc__, allow_abbrev=False
        )
    options, options.rest = parser.parse_known_args(words)
    if options.rest and options.command not in WITH_REST:
        parser.error(f"{options.command} does not know {' '.join(options.rest)}")
    return options


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{name} does not exist")
    return path.resolve()


def main() -> None:
    options = parse(sys.argv[1:])
    try:
        comfyui = environment.prepare(options.comfyui)
        interpreter.enter()
        COMMANDS[options.command](options, comfyui)
    except Trouble as trouble:
        sys.exit(f"error: {trouble}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
