"""What our nodes hand to each other: socket types, and the place in the menu where they are; what all tell core."""

from comfy_api.latest import io

CATEGORY = "few-shot motion"
Adapter = io.Custom("FSM_MOTION_ADAPTER")
TrainingSettings = io.Custom("FSM_TRAINING_SETTINGS")  # what Motion Training Settings chooses, by name
Predictor = io.Custom("FSM_MASK_PREDICTOR")
OpticalFlow = io.Custom("OPTICAL_FLOW")  # core's: a ModelPatcher around torchvision's RAFT
# From validate_inputs, for a widget that names a file: a name that is not in the list passes, and the node says in a
# sentence what to do. Core's own check says more in its log than the page shows of it.
TOLD_BY_THE_RUN = True


def options(names: list[str], what: str) -> list[str]:
    """Of a widget that names a file. Where there is none yet, what to do about it: the page takes an empty list for a
    wire that is missing.
    """
    return names or [f"nothing yet: put {what}, then press R"]
