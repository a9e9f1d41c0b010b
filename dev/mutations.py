"""One thing wrong in a file, drawn by a seed, and how its reader takes it: for `faults.py` and the tests."""

import random
from pathlib import Path

import torch
from few_shot_motion.motion_modules.writing import tensors_to

from dev.mutants import Kind

_TEXTS = ("", "abc", "4.0", "-1", "[]", "{}", "null", "NaN", "9" * 400, "\0", "ü", '{"beta_schedule": 1}', "[" * 2000)
_PAGE, _POINTER = b"<!DOCTYPE html><html>sign in</html>", b"version https://git-lfs.github.com/spec/v1\nsize 9\n"


class Code:
    """What a pickle must not bring in."""

    def __reduce__(self):
        return (print, ("run",))


def write(kind: Kind, folder: Path, seed: int | None) -> tuple[Path, str]:
    """A file of that kind, with one thing wrong in it that `seed` draws, whole for None; and what it is."""
    file = folder / kind.name
    for stale in (file, file.with_suffix(".json"), file.with_suffix(".csv")):
        stale.unlink(missing_ok=True)
    draw, what = random.Random(seed), "whole"
    if isinstance(kind.content, bytes):
        file.write_bytes(kind.content)
    else:
        content = [dict(part) for part in kind.content]
        if seed is not None and draw.random() < 0.6:
            wrong = draw.choice([_wrong_tensor, _wrong_tensor, _wrong_said] if content[1] else [_wrong_tensor])
            what = wrong(*content, draw)
        if file.suffix == ".safetensors":
            tensors_to(*content)(file)
        else:
            what = what if seed is None or draw.random() < 0.7 else _wrong_pickle(content[0], draw)
            torch.save(content[0], file)
    if seed is not None and what == "whole":
        what = _wrong_bytes(file, draw)
    return file, what


def _wrong_tensor(tensors: dict, said: dict, draw: random.Random) -> str:
    name = draw.choice(list(tensors))
    value = tensors[name]
    nan = value.float().clone()
    nan.view(-1)[:1] = draw.choice([float("nan"), float("inf")])
    made = {
        "dropped": None, "flat": value.flatten(), "one number": torch.zeros(()), "no number": nan,
        "empty": value[:0] if value.ndim else 0, "wider": torch.cat([value, value]) if value.ndim else value[None],
        "int8": value.to(torch.int8),
        "bool": value.bool(), "int64": value.long(), "one axis more": value[None], "renamed": value, "foreign": value,
        "half of all dropped": None, "all dropped": None,
    }  # fmt: skip
    what = draw.choice(list(made))
    if what == "foreign":
        tensors[draw.choice(["x", "", "a.b.c", name + "x", "\u2028", name.replace("0", "99999999")])] = value
    elif what == "half of all dropped":
        for other in list(tensors)[::2]:
            del tensors[other]
    elif what == "all dropped":
        tensors.clear()
    else:
        del tensors[name]
        if what != "dropped":
            new = name + "x" if draw.random() < 0.5 else name.replace("0", "999999")
            tensors[new if what == "renamed" else name] = torch.as_tensor(made[what])
    return f"{name}: {what}"


def _wrong_said(tensors: dict, said: dict, draw: random.Random) -> str:
    name = draw.choice(list(said))
    text = draw.choice([None, *_TEXTS])
    said[name] = text
    if text is None:
        del said[name]
    return f"{name} says {str(text)[:20]!r}"


def _wrong_pickle(tensors: dict, draw: random.Random) -> str:
    name = draw.choice(list(tensors) or ["x"])
    wrong = {"40 GB": torch.zeros(1).expand(10**10), "code": Code(), "a list": list(tensors.values()),
             "sparse": torch.eye(4).to_sparse(), "an int key": 1, "a text": "x" * 99,
             "meta": torch.zeros(2, device="meta")}  # fmt: skip
    what = draw.choice(list(wrong))
    tensors[5 if what == "an int key" else name] = wrong[what]
    return f"{name}: {what}"


def _wrong_bytes(file: Path, draw: random.Random) -> str:
    content = bytearray(file.read_bytes())
    ways = ["cut", "flipped", "flipped at the head"] * 2
    what = draw.choice(
        [*ways, "longer", "empty", "a page", "a pointer", "noise", "a huge header", "UTF-16", "no last line"]
    )
    if what == "cut":
        del content[draw.randrange(len(content)) :]
    elif what.startswith("flipped"):
        for _ in range(draw.randint(1, 20)):
            content[draw.randrange(min(len(content), 400 if "head" in what else len(content)))] = draw.randrange(256)
    else:
        content = {
            "longer": content + b"more", "empty": b"", "a page": _PAGE, "a pointer": _POINTER,
            "noise": draw.randbytes(3000), "a huge header": b"\xff" * 7 + bytes(content[7:]),
            "UTF-16": bytes(content).decode("latin-1").encode("utf-16"), "no last line": content[:-1],
        }[what]  # fmt: skip
    file.write_bytes(bytes(content))
    return what


def outcome(kind: Kind, file: Path) -> tuple[str, str]:
    """read, sentence or raw; and what was said."""
    try:
        kind.read(file)
    except Exception as error:
        text = str(error)
        told = type(error).__name__ in ("ValueError", "AdapterError") and text.endswith(".") and "\n" not in text
        told = told and "weights_only" not in text and "state_dict for" not in text and len(text) < 1000
        return ("sentence" if told else "raw"), f"{type(error).__name__}: {text}"
    return "read", ""
