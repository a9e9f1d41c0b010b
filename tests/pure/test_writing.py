"""One way to write: whole or not at all, under a name nobody else has, with the mode the user's umask gives."""

import os
import threading

import pytest
import torch
from few_shot_motion.motion_modules import writing
from few_shot_motion.motion_modules.adapter import AdapterError
from few_shot_motion.motion_modules.writing import tensors_to, write_numbered, write_whole
from safetensors import safe_open
from safetensors.torch import load_file


def text(content: str):
    return lambda part: part.write_text(content)


def numbered(folder):
    return (folder / f"rain_{i:05}_.txt" for i in range(1, 100))


def test_a_file_is_renamed_into_place_and_never_copied(tmp_path):
    """Who has the old file open keeps reading the old one, whole."""
    file, seen = tmp_path / "a.txt", []
    file.write_text("old")

    def write(part):
        part.write_text("new")
        seen.append(part.stat().st_ino)

    with file.open() as reader:
        write_whole(file, write)
        assert reader.read() == "old"
    assert file.stat().st_ino == seen[0] and file.read_text() == "new"
    assert write_numbered(numbered(tmp_path), write).stat().st_ino == seen[1]


def test_the_content_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    file, order = tmp_path / "a.txt", []
    monkeypatch.setattr(writing.os, "fsync", lambda handle: order.append((os.fstat(handle).st_size, file.exists())))
    write_whole(file, text("new"))
    assert order[0] == (3, False)


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_mode_is_the_users(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        files = [write_whole(tmp_path / "a.safetensors", tensors_to({"x": torch.zeros(2)}, {})),
                 write_numbered(numbered(tmp_path), text("b"))]  # fmt: skip
    finally:
        os.umask(before)
    assert [file.stat().st_mode & 0o777 for file in files] == [mode, mode]


def test_two_writers_of_one_name_never_meet(tmp_path):
    """The second begins and ends while the first is in the middle: both are whole, the last to end stands there."""
    file, parts = tmp_path / "a.txt", []

    def slow(part):
        parts.append(part)
        part.write_text("first, ")
        write_whole(file, lambda other: parts.append(other) or other.write_text("second"))
        assert file.read_text() == "second"
        with part.open("a") as more:
            more.write("whole")

    write_whole(file, slow)
    assert file.read_text() == "first, whole" and parts[0] != parts[1]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("links", [True, False])
def test_numbered_names_are_claimed(tmp_path, monkeypatch, links):
    """Whoever asks for one prefix at the same time gets a name of his own, also without hard links."""
    if not links:
        monkeypatch.setattr(writing.os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "not supported")))
    barrier, got = threading.Barrier(8), []

    def one(i: int) -> None:
        barrier.wait()
        got.append((write_numbered(numbered(tmp_path), text(f"{i}")), f"{i}"))

    threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({file for file, _ in got}) == 8 and all(file.read_text() == content for file, content in got)
    assert sorted(tmp_path.iterdir()) == sorted(file for file, _ in got)


def test_a_taken_name_is_left_alone(tmp_path):
    (tmp_path / "rain_00001_.txt").write_text("theirs")
    assert write_numbered(numbered(tmp_path), text("ours")).name == "rain_00002_.txt"
    assert (tmp_path / "rain_00001_.txt").read_text() == "theirs"
    with pytest.raises(AdapterError, match="no name like rain_00001_.txt is free"):
        write_numbered((tmp_path / f"rain_0000{i}_.txt" for i in (1, 2)), text("ours"))


def test_what_dead_processes_left_goes_and_nothing_else(tmp_path):
    dead, alive = (tmp_path / writing.PART.format(name) for name in ("1-dead", "2-alive"))
    theirs = [tmp_path / name for name in (".other.part", "few_shot_motion.part", ".few_shot_motion-x.txt")]
    for file in (dead, alive, *theirs):
        file.write_text("")
    for file in (dead, *theirs):
        os.utime(file, (0, 0))
    file = write_whole(tmp_path / "a.txt", text("new"))
    assert sorted(tmp_path.iterdir()) == sorted([alive, file, *theirs])


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("no"), KeyboardInterrupt()])
def test_nothing_half_written_stays(tmp_path, error):
    file = tmp_path / "a.txt"
    file.write_text("old")

    def fails(part):
        part.write_text("ha")
        raise error

    for write in (lambda: write_whole(file, fails), lambda: write_numbered(numbered(tmp_path), fails)):
        with pytest.raises((AdapterError, KeyboardInterrupt)):
            write()
        assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_a_name_of_the_full_length_can_be_written(tmp_path):
    file = tmp_path / ("n" * 251 + ".txt")
    assert write_whole(file, text("new")).read_text() == "new"


def test_safetensors_as_the_library_reads_them(tmp_path):
    torch.manual_seed(0)
    tensors = {
        "wide": torch.randn(3, 5, dtype=torch.float64), "x": torch.randn(2, 3), "half": torch.randn(7).half(),
        "brain": torch.randn(3).bfloat16(), "long": torch.tensor(-5), "byte": torch.arange(5, dtype=torch.uint8),
        "yes": torch.tensor([True, False]), "none": torch.zeros(0, 4), "turned": torch.randn(4, 6).t(),
        "a view": torch.randn(1).expand(4), "näme": torch.zeros(1),
    }  # fmt: skip
    file = write_whole(tmp_path / "a.safetensors", tensors_to(tensors, {"say": "“yes”"}))
    again = load_file(file)
    assert again.keys() == tensors.keys()
    for name, value in tensors.items():
        assert again[name].dtype == value.dtype and torch.equal(again[name], value)
    with safe_open(file, "pt") as content:
        assert content.metadata() == {"say": "“yes”"}
