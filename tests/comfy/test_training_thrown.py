"""Errors, out of memory and Cancel inside the UNet of a training: what was learnt is kept, and gone on with to the
unbroken run. `python3 dev faults` does it oftener, and on disks that are full or closed.
"""

import random
from collections import Counter

import folder_paths
import pytest
from few_shot_motion.host.files import folders

from dev import training_faults


@pytest.mark.parametrize("method", training_faults.METHODS)
def test_what_was_learnt_is_kept_and_gone_on_with(method, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    training_faults.load_miniature()
    found = Counter()
    training_faults.ended(training_faults.Lessons(method), 1, random.Random(0), found)
    assert found == {**dict.fromkeys(training_faults.ENDS, 1), "kept": 3, "gone on with, bit-equal": 3}
    assert not any(file.suffix == ".part" for file in folders.saved_folder().iterdir())
