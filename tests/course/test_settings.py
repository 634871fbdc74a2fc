"""What a teacher sets: a bad value is told in one line that names its key and what is allowed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("pydantic")

from course.problems import master, read_set  # noqa: E402
from course.sets import marking  # noqa: E402
from course.settings import FILE, BadSetting, read_settings  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "course", tmp_path / "course")
    return tmp_path


def change(course: Path, old: str, new: str) -> None:
    text = (course / FILE).read_text()
    assert old in text
    (course / FILE).write_text(text.replace(old, new))


def test_the_settings_that_are_shipped_are_good() -> None:
    settings = read_settings(ROOT)
    for module in settings.with_problems:
        assert sum(problem.points for problem in read_set(ROOT, settings, module)) == 20, module


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed: 1", "seed: -1", "seed: got -1"),
        ("seed: 1", "sead: 1", "sead: there is no such key"),
        ("seed: 1", "", "seed: it is missing"),
        ("term: Spring 2027", "term: ''", "term: got ''"),
        ("2027-01-29", "2027-01-10", "modules.1.due: got 2027-01-10; it must be later than release, 2027-01-18"),
        ("2027-01-29", "soon", "modules.1.due: got 'soon'; a day is written YYYY-MM-DD"),
        ("2027-01-29", "2027-02-30", "day is out of range"),
        (
            "    # problems: [1-kernel, 2-frozen, 3-exponent, 4-time, 5-other-loss, 6-measure]",
            "    problems: []",
            "problems",
        ),
        (
            "module: 1-networks",
            "module: 1-network",
            "modules.1.module: got '1-network'; allowed are 0-start, 1-networks",
        ),
        (
            "# problems: [1-kernel, 2-frozen,",
            "problems: [1-kernel, 2-frosen,",
            "problems: got '2-frosen'; allowed are 1-kernel",
        ),
        ("seed: 1", "seed: [", "course.yaml is no YAML"),
    ],
)
def test_a_bad_value_is_named_in_one_line(course: Path, old: str, new: str, said: str) -> None:
    change(course, old, new)
    with pytest.raises(BadSetting) as caught:
        read_settings(course)
    assert "\n" not in str(caught.value) and said in str(caught.value), str(caught.value)


def test_a_problem_is_left_out_and_another_weighs_more(course: Path) -> None:
    change(course, "# problems: [1-kernel, 2-frozen, 3-exponent, 4-time,", "problems: [3-exponent, 4-time,")
    change(course, "# points: {5-other-loss: 8}", "points: {5-other-loss: 8, 4-time: 3}")
    settings = read_settings(course)
    problems = read_set(course, settings, settings.with_problems[0])
    assert [(problem.name, problem.worth) for problem in problems] == [
        ("3-exponent", 2),
        ("4-time", 3),
        ("5-other-loss", 8),
        ("6-measure", 6),
    ]
    cells = "\n".join(cell.source for cell in master(settings, settings.with_problems[0], problems).cells)
    assert "19 points" in cells and "which add up to 6, count 1.33333 times" in cells and "points: 1.5" in cells
    assert "What follows is out of 6; multiply by 1.33333." in marking(settings, settings.with_problems[0], problems)


def test_a_problem_wants_the_one_whose_function_it_takes(course: Path) -> None:
    change(course, "# problems: [1-kernel, 2-frozen, 3-exponent, 4-time,", "problems: [4-time,")
    settings = read_settings(course)
    with pytest.raises(BadSetting, match="6-measure takes the function of 3-exponent, which must be chosen too"):
        read_set(course, settings, settings.with_problems[0])
