"""A training run on disk, so that Cancel loses nothing: `<name>.resume.safetensors` to go on with,
`<name>_<steps>_steps.safetensors` to use.
"""

from ...motion_modules.adapter import MotionAdapter
from ...motion_modules.adapter_file import save_adapter
from ...motion_modules.weights import read_weights
from ...motion_modules.writing import tensors_to, write_whole
from ...training.loop import Run
from ..files import folders
from ..files.resume_file import check_run


class Keeper:
    """Keeps one run under its name, with the settings that decide its outcome.

    Raises AdapterError for a name that leads out of output/motion_adapters.
    """

    def __init__(self, name: str, settings: str, every: int, resume: bool):
        self.name, self.settings, self.every, self.resume = name, settings, every, resume
        self.file = folders.kept_file(name, ".resume")

    def restore(self, run: Run) -> None:
        """Bring a run to where it was kept, if it was and this is asked for.

        Raises ValueError where it had other settings.
        """
        if not self.resume or not self.file.exists():
            return
        tensors, said = read_weights(self.file)
        if said.get("settings") != self.settings:
            raise ValueError(
                f"The run kept as {self.name} had other settings: give this one another name, or turn resume off."
            )
        check_run(self.file.name, tensors, run.parameters)
        run.restore(tensors)

    def keep(self, run: Run, adapter: MotionAdapter) -> None:
        """Write the run, to go on with, and what it has learnt so far as an adapter, named by its steps."""
        write_whole(self.file, tensors_to(run.state(), {"settings": self.settings}))
        save_adapter(adapter, folders.kept_file(self.name, f"_{len(run.losses)}_steps"))

    def kept_as(self, run: Run) -> str:
        """The name under which Load Motion Adapter lists what `keep` kept of this run."""
        return f"{self.name}_{len(run.losses)}_steps.safetensors"
