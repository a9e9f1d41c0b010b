"""Files of every kind with one thing wrong in them: read, or refused in a sentence; the whole ones are read."""

import folder_paths
import pytest

from dev import mutants, mutations

CASES = 12  # of each kind; `python3 dev faults` reads more


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutants")
    before = folder_paths.get_output_directory(), dict(folder_paths.folder_names_and_paths)
    yield folder, mutants.kinds(folder)
    folder_paths.set_output_directory(before[0])
    folder_paths.folder_names_and_paths.clear()
    folder_paths.folder_names_and_paths.update(before[1])
    folder_paths.filename_list_cache.clear()


NAMES = ["adapter", "adapter with a memory", "motion module", "motion module, pickled", "motion LoRA", "release",
         "resume", "CLIP", "I3D", "features", "table", "lines of a table", "video"]  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # torch's own, about pickles of another protocol
@pytest.mark.parametrize("name", NAMES)
def test_mutants(kinds, name):
    folder, made = kinds
    assert list(made) == NAMES
    kind = made[name]
    file, what = mutations.write(kind, folder, None)
    assert (what, *mutations.outcome(kind, file)) == ("whole", "read", "")
    for seed in range(CASES // 4 if name == "I3D" else CASES):
        file, what = mutations.write(kind, folder, seed)
        found, text = mutations.outcome(kind, file)
        assert found != "raw", f"seed {seed}, {what}: {text}"
