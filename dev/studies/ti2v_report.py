"""docs/ti2v_zero.md out of the study's figures."""

from collections.abc import Sequence

from ..interpreter import ROOT
from ..markdown import table
from .studio import CFG, calls_per_frame

FILE = ROOT / "docs" / "ti2v_zero.md"
_CALLS = {"no inversion": 10, "inversion": 10, "inversion, resample 2": 30, "exact (inversion, resample 4)": 50,
          "balanced": calls_per_frame("balanced"), "fast": calls_per_frame("fast")}  # fmt: skip
_HEAD = f"""# TI2V-Zero, measured

Made by `python3 dev study ti2v` with the miniature and its motion prior, which never saw an image-to-video task. The world is drawn by code, so the
subject's place, size and colour are known in every frame. cfg {CFG:g}, euler on ddim_uniform, 10 steps, latent queue, fixed seeds.
"""
_ABLATION = """## The paper's ablation

One exact frame, seven new ones, window 8, all eight motions. *distance*: Fréchet distance of place, size (cells of 8 px) and colour per frame to the 256
clips of the test set; lower is better. path_error in cells; the other measures are 1 at best. *calls*: of the model per new frame, prompt and negative prompt together.
"""
_PARTS = {
    "words": "## Words\n\nStraight motions, 16 frames: from the caption alone (held against the exact course from where the subject begins), and from an exact first "
    "frame at the default preset, *balanced*.\n",
    "gaps": "## Gaps\n\nFour known frames at each end of 16, all motions, *balanced*. The known frames' own error is what the autoencoder and the measuring leave.\n",
    "long": "## Long\n\nOne exact frame and 64 new ones of motions that stay in the picture, *balanced*, window 16.\n",
}  # fmt: skip


def write(found: dict[str, dict[str, float]], measures: Sequence[str]) -> None:
    """`found`: part and row -> figures; rows that are not there are left out."""
    text = _HEAD
    rows = [(row, found[f"ablation {row}"]) for row in _CALLS if f"ablation {row}" in found]
    if rows:
        lines = [
            [row, f"{_CALLS[row]:g}", f"{values['clips']:g}", f"{values['distance']:.1f}", *_values(values, measures)]
            for row, values in rows
        ]
        text += f"\n{_ABLATION}\n{table(['', 'calls', 'clips', 'distance', *measures], lines)}"
    for part, said in _PARTS.items():
        rows = [(name.removeprefix(f"{part} "), values) for name, values in found.items() if name.startswith(f"{part} ")]
        if rows:
            lines = [[row, f"{values['clips']:g}", *_values(values, measures)] for row, values in rows]
            text += f"\n{said}\n{table(['', 'clips', *measures], lines)}"
    FILE.write_text(text, encoding="utf-8")
    print(f"written: {FILE.relative_to(ROOT)}")


def _values(values: dict[str, float], measures: Sequence[str]) -> list[str]:
    return [f"{values[key]:.2f}" for key in measures]
