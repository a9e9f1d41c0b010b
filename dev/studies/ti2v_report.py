"""docs/ti2v_zero.md out of the study's figures."""

from collections.abc import Sequence

from ..interpreter import ROOT
from ..markdown import table
from .studio import CFG, calls_per_frame

FILE = ROOT / "docs" / "ti2v_zero.md"
_HEAD = f"""# TI2V-Zero, measured

Made by `python3 dev study ti2v` with the miniature and its motion prior, which never saw an image-to-video task. The world is drawn by code, so the
subject's place, size and colour are known in every frame; path_error is in cells of 8 px (a subject is 5 wide), the other measures are 1 at best. cfg {CFG:g} where
nothing else is said, euler on ddim_uniform, latent queue, fixed seeds. *calls*: of the model per new frame, prompt and negative prompt together.
"""
_ABLATION = """## The paper's ablation

One exact frame, eight new ones, window 8, all eight motions, 10 steps, cfg 1. *distance*: Fréchet distance of place, size and colour per frame to the 256
clips of the test set; *FVD*: the same of I3D's features. Lower is better.
"""
_ROWS = {"no inversion": 10, "inversion": 10, "inversion, resample 2": 30, "inversion, resample 4": 50}
_PRESETS = """## The presets, and the prior by itself

Straight motions, 16 frames: from an exact first frame, and from the caption alone (held against the exact course from where its subject begins).
"""
_ALONE = {
    "gaps": "## Gaps\n\nFour known frames at each end of 16, all motions, *balanced*. The known frames' own error is what the autoencoder and the measuring leave.\n",
    "long": "## Long\n\nOne exact frame and 64 new ones of motions that stay in the picture, *balanced*, window 16.\n",
}  # fmt: skip


def write(found: dict[str, dict[str, float]], measures: Sequence[str]) -> None:
    """`found`: row -> figures; rows that are not there are left out."""
    ablation = [
        [row, f"{calls}", f"{values['clips']:g}", f"{values['distance']:.1f}", f"{values['FVD']:.1f}", *_values(values, measures)]
        for row, calls in _ROWS.items()
        if (values := found.get(f"ablation {row}"))
    ]
    presets = [
        [preset, f"{calls_per_frame(preset):g}", f"{values['clips']:g}", *_values(values, measures)]
        for preset in ("fast", "balanced", "exact")
        if (values := found.get(f"preset {preset}"))
    ]
    if values := found.get("text"):
        presets.append(["words alone", "", f"{values['clips']:g}", *_values(values, measures)])
    text = _HEAD
    if ablation:
        text += f"\n{_ABLATION}\n{table(['', 'calls', 'clips', 'distance', 'FVD', *measures], ablation)}"
    if presets:
        text += f"\n{_PRESETS}\n{table(['', 'calls', 'clips', *measures], presets)}"
    for part, said in _ALONE.items():
        lines = [
            [name.removeprefix(part).strip() or "64 new frames", f"{values['clips']:g}", *_values(values, measures)]
            for name, values in found.items()
            if name.split()[0] == part
        ]
        if lines:
            text += f"\n{said}\n{table(['', 'clips', *measures], lines)}"
    FILE.write_text(text, encoding="utf-8")
    print(f"written: {FILE.relative_to(ROOT)}")


def _values(values: dict[str, float], measures: Sequence[str]) -> list[str]:
    return [f"{values[key]:.2f}" for key in measures]
