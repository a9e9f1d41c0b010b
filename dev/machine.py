"""What this machine is good at."""

from pathlib import Path

_CPU_FLAGS = Path("/proc/cpuinfo")


def training_precision() -> str:
    """Train Motion LoRA's `precision`: bf16 where a CPU computes it by itself (half the time of fp32), else the node's
    own choice.
    """
    flags = set(_CPU_FLAGS.read_text(encoding="utf-8").split()) if _CPU_FLAGS.exists() else set()
    return "bf16" if flags & {"avx512_bf16", "amx_bf16"} else "auto"
