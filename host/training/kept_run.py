"""A training run on disk, so that nothing that was learnt is lost: `<name>.resume.safetensors` to go on with,
`<name>_<steps>_steps.safetensors` to use.
"""

import json
import logging
import shutil
from pathlib import Path

import folder_paths

from ...motion_modules.adapter import AdapterError, MotionAdapter
from ...motion_modules.adapter_file import save_adapter
from ...motion_modules.weights import read_weights
from ...motion_modules.writing import tensors_to, write_whole
from ...training.loop import Run
from ..files import folders
from ..files.resume_file import check_run
from ..said import say
from .identity import differences

_LOG = logging.getLogger("few_shot_motion")
_RESUME, _USE = 12, 2  # bytes per trained number in the two files
_GIB = 2**30


class Keeper:
    """Keeps one run under its name, with the identity of what it learns from (identity.py).

    Raises AdapterError, before anything is learnt, for a name that leads out of output/motion_adapters or is no
    file's name.
    """

    def __init__(self, name: str, every: int, resume: bool):
        self.name, self.every, self.resume, self.identity = name, every, resume, {}
        folders.kept_file(name, "_1000000_steps")  # the longest of its files' names
        self.file = folders.kept_file(name, ".resume")

    @property
    def folder(self) -> Path:
        """Where samples, losses and settings of the run go."""
        return self.file.with_name(self.file.name.removesuffix(".resume.safetensors"))

    def check(self, trained: int) -> None:
        """Raises AdapterError where a run of so many trained numbers could not be kept."""
        probe = self.file.with_name(f"{self.file.name}.check")
        write_whole(probe, lambda part: Path(part).write_bytes(b""))
        probe.unlink()
        twice = bool(self.every) or self.file.exists()  # a new resume file is written beside the one before
        free, needed = shutil.disk_usage(self.file.parent).free, trained * (_RESUME * (1 + twice) + _USE)
        if free < needed:
            raise AdapterError(
                f"Keeping this run takes {needed / _GIB:.2f} GiB, {self.file.parent} has {free / _GIB:.2f} GiB free: "
                "free some space, or choose a low rank."
            )

    def restore(self, run: Run) -> None:
        """Bring a run to where it was kept, if it was and this is asked for.

        Raises ValueError where it was learnt from something else.
        """
        if not self.resume or not self.file.exists():
            return
        tensors, noted = read_weights(self.file)
        if "identity" not in noted:
            raise ValueError(
                f"The run kept as {self.name} does not say what it was learnt from, an older version kept it: give "
                "this one another name, or turn resume off."
            )
        if found := differences(noted["identity"], self.identity):
            raise ValueError(
                f"The run kept as {self.name} had other {', '.join(found)}: give this one another name, or turn "
                "resume off."
            )
        check_run(self.file.name, tensors, run.parameters)
        run.restore(tensors)

    def keep(self, run: Run, adapter: MotionAdapter) -> str:
        """Write both files, the adapter first; says what was written.

        Raises AdapterError where one of them could not be.
        """
        return self._write(run, adapter, self.file)

    def keep_on_the_way(self, run: Run, adapter: MotionAdapter) -> None:
        """The same in the middle of a run, which goes on where nothing can be written."""
        try:
            _LOG.info(self.keep(run, adapter))
        except AdapterError as error:
            say(f"The training goes on, but step {len(run.losses)} is not kept: {error}", warning=True)

    def keep_at_the_end(self, run: Run, adapter: MotionAdapter) -> None:
        """The same for a run that is ending early, elsewhere if need be: in any folder of motion adapters that takes
        it. Raises nothing: what ended the run is what its user must see.
        """
        roots = [Path(root) for root in folder_paths.get_folder_paths(folders.NAME)]
        for file in (self.file, *(root / self.file.name for root in roots if root != folders.saved_folder())):
            try:
                say(self._write(run, adapter, file))
                return
            except AdapterError as error:
                say(f"What was learnt could not be kept: {error}", warning=True)

    def _write(self, run: Run, adapter: MotionAdapter, file: Path) -> str:
        use = file.with_name(file.name.replace(".resume.", f"_{len(run.losses)}_steps."))
        save_adapter(adapter, use)
        write_whole(file, tensors_to(run.state(), {"identity": json.dumps(self.identity)}))
        return f"Kept after {len(run.losses)} steps: {use.name} to use, and to go on with resume; in {file.parent}."
