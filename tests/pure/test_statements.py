"""What pages and tooltips say of the pack, where a calculation can hold it."""

import re
from pathlib import Path

import pytest
from few_shot_motion.host.sampling.presets import PRESETS
from few_shot_motion.samplers.slides import plan_slides

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "web" / "docs").rglob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]


def words_of(page: Path) -> str:
    """A page without what shows where a long word may be broken."""
    words = page.read_text(encoding="utf-8")
    for unseen in ("<wbr>", "<code>", "</code>"):
        words = words.replace(unseen, "")
    return words


def text(name: str) -> str:
    """A help page in one line."""
    return " ".join(words_of(ROOT / "web" / "docs" / f"{name}.md").split())


# ------------------------------------------------------- "a longer clip begins like a shorter one": when it does


def slides(length: int, known: int, window: int, context: int, new_frames: int) -> list:
    return plan_slides([frame < known for frame in range(length)], window, context, new_frames)


@pytest.mark.parametrize("window", [2, 3, 8, 16])
@pytest.mark.parametrize("known", [1, 2, 15, 20])
def test_with_one_new_frame_and_all_the_context_a_longer_clip_begins_like_a_shorter_one(known, window):
    """The slides of every length are the first slides of the longest: the same frames seen under the same draws."""
    longest = slides(known + 40, known, window, window - 1, 1)
    for length in range(known + 1, known + 40):
        assert slides(length, known, window, window - 1, 1) == longest[: length - known]


def test_with_more_new_frames_or_less_context_it_does_not():
    """As the tooltip's conditions say; *fast*, at even lengths, makes the last frame in another window."""
    fast = PRESETS["fast"].new_frames
    longest = slides(41, 1, 16, 16 - fast, fast)
    begins_alike = {
        length: slides(length, 1, 16, 16 - fast, fast) == longest[: length // fast] for length in range(20, 40)
    }
    assert begins_alike == {length: length % 2 == 1 for length in range(20, 40)}
    longest = slides(41, 1, 16, 8, 1)
    assert not any(slides(length, 1, 16, 8, 1) == longest[: length - 1] for length in range(20, 40))


def test_tooltip_and_page_name_the_conditions():
    source = (ROOT / "nodes" / "repeat_and_slide.py").read_text(encoding="utf-8")
    tooltip = "".join(re.findall(r'"(.*)"', source.split("_SEED = (")[1].split(")\n")[0]))
    for words in (tooltip, text("FSM_RepeatAndSlideSampler").replace("`", "")):
        assert re.search("[Ww]ith one new frame per slide and context 0 a longer clip begins like a shorter one", words)


# ---------------------------------------------------------------- windows, commands, pages


def test_all_pages_of_a_first_frame_recommend_the_windows_that_the_study_measures():
    study = (ROOT / "dev" / "studies" / "long.py").read_text(encoding="utf-8")
    overlap = re.search(r'"context windows": (\d+)', study)[1]
    how = '"standard_static", 1, False, "pyramid", 0, True, latent_retain_index_list="0", causal_window_fix=True'
    assert how in " ".join(study.split())
    for name in ("FSM_FirstFrameKSampler", "FSM_FirstFrameConditioning"):
        words = re.sub(r"[*`]", "", text(name)).lower()
        for said in (r"dim 0", r"length 16", rf"overlap {overlap}\b", "standard_static", "pyramid", "freenoise on",
                     "latent_retain_index_list 0", "causal_window_fix on",
                     "sliding contexts of other packs"):  # fmt: skip
            assert re.search(said, words), (name, said)


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_commands_and_pages_that_are_named_exist(page):
    """A figure's command is one that there is."""
    words = words_of(page)
    studies = {file.stem for file in (ROOT / "dev" / "studies").glob("*.py")}
    assert set(re.findall(r"python3 dev study (\w+)", words)) <= studies
    for path in re.findall(r"(?:benchmarks|docs)/\w+\.\w+", words):
        assert (ROOT / path).is_file(), path
