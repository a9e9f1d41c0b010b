"""Tables of the metrics: two processes at once, a process killed between the two files, other programs' changes."""

import csv
import json
import os
import signal
import threading

import pytest
from few_shot_motion.host.files import lock, table_file
from few_shot_motion.motion_modules.adapter import AdapterError


def entry(value: float | None, *names: str) -> dict:
    numbers = dict.fromkeys(names or ("a",), value)
    return {"title": "t", "numbers": numbers, "how": ["ü", "h"], "videos": "1", "per frame": {}}


@pytest.fixture
def folder(folders):
    return folders / "output" / "metrics"


def rows(folder, name="t") -> tuple[list, list]:
    """What both files hold."""
    entries = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as lines:
        return [found["numbers"]["a"] for found in entries], [float(row["a"]) for row in csv.DictReader(lines)]


def test_both_files_say_the_same(folder):
    values = [0.1, 1 / 3, 1e-300, 12345678.9]
    for value in values:
        table_file.add("t", entry(value))
    assert rows(folder) == (values, values)
    table_file.add("u", entry(None))
    assert (folder / "u.csv").read_text() == "a,videos,how\nnan,1,ü; h\n"
    assert sorted(os.listdir(folder)) == ["t.csv", "t.json", "u.csv", "u.json"]


def test_no_row_is_lost_between_writers(folder):
    """Threads as two servers would be: each has its own handle on the lock file."""

    def writer(start: int) -> None:
        for i in range(5):
            table_file.add("t", entry(float(start + i)))

    threads = [threading.Thread(target=writer, args=(10 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries, lines = rows(folder)
    assert sorted(entries) == sorted(10.0 * i + j for i in range(4) for j in range(5)) and entries == lines


@pytest.mark.parametrize("writes", [0, 1])
def test_a_process_killed_between_the_two_files(folder, monkeypatch, writes):
    table_file.add("t", entry(1.0))
    if not (process := os.fork()):
        done, real = [], table_file.write_whole

        def dies(place, write):
            if len(done) == writes:
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(real(place, write))

        monkeypatch.setattr(table_file, "write_whole", dies)
        table_file.add("t", entry(2.0))
    os.waitpid(process, 0)
    table_file.add("t", entry(3.0))
    expected = [1.0, 2.0, 3.0] if writes else [1.0, 3.0]
    assert rows(folder) == (expected, expected)
    assert sorted(os.listdir(folder)) == ["t.csv", "t.json"]


@pytest.mark.parametrize(
    "change", [lambda text: text.decode().encode("utf-16"), lambda text: text.decode().encode("latin-1"),
               lambda text: text.replace(b",", b";"), lambda text: text + b"9.0,1,mine\n",
               lambda text: text.replace(b"1.0", b"1,0"), lambda text: b"\xef\xbb\xbf" + text],
)  # fmt: skip
def test_what_a_spreadsheet_made_of_it_is_left_alone(folder, change):
    table_file.add("t", entry(1.0))
    lines = folder / "t.csv"
    lines.write_bytes(change(lines.read_bytes()))
    before = lines.read_bytes(), (folder / "t.json").read_bytes()
    with pytest.raises(AdapterError, match="t.csv in output/metrics was made or changed by another program") as caught:
        table_file.add("t", entry(2.0))
    assert (lines.read_bytes(), (folder / "t.json").read_bytes()) == before and "\n" not in str(caught.value)
    lines.unlink()
    table_file.add("t", entry(2.0))
    assert rows(folder) == ([1.0, 2.0], [1.0, 2.0])


def test_lines_without_their_entries(folder):
    folder.mkdir(parents=True)
    (folder / "t.csv").write_text("a,videos,how\n1.0,1,h\n")
    with pytest.raises(AdapterError, match="was made or changed by another program"):
        table_file.add("t", entry(2.0))
    assert not (folder / "t.json").exists()


def test_other_columns(folder):
    table_file.add("t", entry(1.0))
    with pytest.raises(AdapterError, match=r"The table t has other columns \(a, videos, how\)"):
        table_file.add("t", entry(1.0, "b"))


def test_a_table_in_use(folder):
    file = folder / "t.json"
    with lock.locked(file), pytest.raises(AdapterError, match="has been in use by another process for 0 s"):
        with lock.locked(file, seconds=0):
            raise AssertionError("two have it")
    table_file.add("t", entry(1.0))  # and it is free again
    assert rows(folder) == ([1.0], [1.0])


def test_a_lock_ends_with_its_holder(folder):
    """However it ends: nothing has to be waited for, and nothing cleaned up."""
    file = folder / "t.json"
    if not (process := os.fork()):
        with lock.locked(file):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    assert any(folder.glob(".few_shot_motion.lock"))
    with lock.locked(file, seconds=0):
        pass
    assert not any(folder.iterdir())
