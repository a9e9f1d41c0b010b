"""The studies on the harness: every figure of their pages is what the page's writer makes of the kept results."""

import json
import re
from itertools import product

import pytest
from PIL import Image

from dev.studies import study_page, training_report
from dev.studies.drawing import Axis, Panel, round_steps

NAMES = sorted(file.stem for file in study_page.RESULTS.glob("*.json"))
SOURCES = {file.stem: file.read_text(encoding="utf-8") for file in study_page.WORDS.glob("*.py")}
WITH_PAGES = {name for name, source in SOURCES.items() if re.search(r"^STUDY = ", source, re.MULTILINE)}
QUOTED = {"with adapter": "as the nodes begin", "without adapter": "without adapter"}  # README's rows, and the study's
WITH_PAGES |= {name for source in SOURCES.values() for name in re.findall(r'study_page\.keep\("(\w+)"', source)}


def test_results_are_of_studies_all_of_which_have_words():
    assert NAMES and set(NAMES) <= WITH_PAGES
    for name in WITH_PAGES:
        assert "{table}\n\n" in (study_page.WORDS / f"{name}.md").read_text(encoding="utf-8") + "\n", name


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_what_the_results_say(name):
    assert (study_page.PAGES / f"{name}.md").read_text(encoding="utf-8") == study_page.page(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_is_of_these_results(name):
    with Image.open(study_page.PAGES / f"{name}.png") as picture:
        assert picture.text["figures"] == study_page.digest(study_page.kept(name))


@pytest.mark.parametrize("name", NAMES)
def test_there_are_three_seeds_of_every_row_and_no_mark_is_left(name):
    results = study_page.kept(name)
    for row, seeds in results["rows"].items():
        assert len(seeds) >= 3, row
        assert len({tuple(figures) for figures in seeds.values()}) == 1, row
        assert set(next(iter(seeds.values()))) <= set(results["measures"]), row
    assert set(results["drawn"]) <= set(results["measures"])
    assert not re.search(r"\{|\}", study_page.page(name))


def test_readmes_table_is_of_kept_results():
    results = study_page.kept("lamp")
    lines = (study_page.ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("| motion |  | displacement_ratio"))
    _, _, *measures = _cells(lines[head])
    for line, (motion, rows) in zip(lines[head + 2 :], product(("moves right", "falls"), QUOTED.items()), strict=False):
        said, row = rows
        row += ", falling" if motion == "falls" else ""
        assert _cells(line) == [motion, said, *(study_page.cell(results, row, measure) for measure in measures)]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_of_training_steps_is_what_its_runs_say():
    runs = training_report.kept()
    assert training_report.FILE.read_text(encoding="utf-8") == training_report.page(runs)
    assert all(len([run for run in runs if run[:2] == of]) >= 3 for of in {run[:2] for run in runs})


JUMP = {"first_frame_jump": 0.5}
RESULTS = {
    "scenes": 2, "frames": 4, "measures": ["path_error", "first_frame_jump"], "drawn": ["path_error"],
    "rows": {"one way": {"0": {"path_error": 1.0, **JUMP}, "1": {"path_error": 2.0, **JUMP}},
             "another": {"0": {"path_error": 0.25}}},
}  # fmt: skip


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of two rows, whose page is to be written."""
    for place in ("RESULTS", "WORDS", "PAGES"):
        (tmp_path / place).mkdir()
        monkeypatch.setattr(study_page, place, tmp_path / place)
    (tmp_path / "RESULTS" / "tried.json").write_text(json.dumps(RESULTS))
    (tmp_path / "WORDS" / "tried.md").write_text("{amount}:\n\n{table}\nOff by {one way: path_error} cells.\n")
    return tmp_path


def test_a_cell_is_the_mean_and_half_the_range_over_the_seeds(study):
    assert study_page.page("tried") == (
        "2 seeds, each with 2 first frames of its own; 4 frames:\n\n"
        "|  | seeds | path_error | first_frame_jump |\n| --- | --- | --- | --- |\n"
        "| one way | 2 | 1.50 ± 0.50 | 0.50 ± 0.00 |\n| another | 1 | 0.25 | – |\n"
        "Off by 1.50 ± 0.50 cells.\n"
    )


def test_words_cannot_ask_for_what_was_not_measured(study):
    (study / "WORDS" / "tried.md").write_text("{no such way: path_error}")
    with pytest.raises(KeyError):
        study_page.page("tried")


def test_words_may_quote_another_study(study):
    (study / "RESULTS" / "other.json").write_text(json.dumps(RESULTS))
    (study / "WORDS" / "tried.md").write_text("{other.another: path_error}, {another: path_error}")
    assert study_page.page("tried") == "0.25, 0.25"


def test_a_study_may_say_something_of_itself_beside_what_it_measured(study):
    (study / "RESULTS" / "tried.json").write_text(json.dumps({**RESULTS, "said": {"unet_steps": "30,000"}}))
    (study / "WORDS" / "tried.md").write_text("After {unet_steps} steps: {another: path_error}")
    assert study_page.page("tried") == "After 30,000 steps: 0.25"


def test_page_and_picture_are_written_together(study, monkeypatch):
    study_page.write("tried")
    assert (study / "PAGES" / "tried.md").read_text(encoding="utf-8") == study_page.page("tried")
    with Image.open(study / "PAGES" / "tried.png") as picture:
        assert picture.text["figures"] == study_page.digest(RESULTS)
        assert picture.width > 200 and len(picture.getcolors(100000)) > 4


def test_a_measure_that_no_row_has_yet_is_not_drawn():
    more = {**RESULTS, "drawn": ["mask_iou", "path_error"]}
    assert study_page.drawn(more).size == study_page.drawn(RESULTS).size


@pytest.mark.parametrize(
    "lowest, highest", [(0.18, 0.93), (-0.104, -0.08), (0.0, 0.0), (1.0, 1.0), (3, 4000), (0.97, 0.9701)]
)
def test_an_axis_ends_at_round_values_around_what_is_drawn(lowest, highest):
    steps = round_steps(lowest, highest)
    assert steps[0] <= lowest and highest <= steps[-1] and 2 <= len(steps) <= 7
    panel = Panel((220, 100), (10, 20, 30, 40), Axis(steps[0], steps[-1]), Axis(0, 1))
    assert panel.place((steps[0], 0)) == (10, 60) and panel.place((steps[-1], 1)) == (190, 20)


def test_a_logarithmic_axis_has_its_middle_at_the_geometric_mean_and_ends_where_it_ends():
    axis = Axis(100, 10000, logarithmic=True)
    assert axis.share(1000) == pytest.approx(0.5)
    assert (axis.share(50), axis.share(20000)) == (0, 1)
