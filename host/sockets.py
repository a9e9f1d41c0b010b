"""What our nodes hand to each other: socket types, and the place in the menu where they are."""

from comfy_api.latest import io

CATEGORY = "few-shot motion"
Adapter = io.Custom("FSM_MOTION_ADAPTER")
TrainingSettings = io.Custom("FSM_TRAINING_SETTINGS")  # what Motion Training Settings chooses, by name
Predictor = io.Custom("FSM_MASK_PREDICTOR")
OpticalFlow = io.Custom("OPTICAL_FLOW")  # core's: a ModelPatcher around torchvision's RAFT
