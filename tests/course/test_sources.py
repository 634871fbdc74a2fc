"""The sources of the problem sets: what each problem must hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("pydantic")

from course.problems import CANARY, Problem, master, read_problem, read_set, split  # noqa: E402
from course.settings import BadSetting, read_settings  # noqa: E402
from course.trial import defined_twice  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "course").glob("modules/*/problems/*.md"))
SECRET = ("solution", "answer", "rubric", "specimen")


def read(path: Path) -> Problem:
    return read_problem(path, seed=1)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_what_is_secret_says_so(path: Path) -> None:
    statement, blocks = split(path.read_text().split("---\n", 2)[2])
    assert CANARY not in statement
    for block in blocks:
        secret = block.name in SECRET or (block.name == "test" and block.argument.endswith("hidden"))
        assert (CANARY in block.body) == secret, (block.name, block.argument)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_problem_is_whole(path: Path) -> None:
    problem = read(path)
    assert problem.statement and problem.solution and problem.head.minutes <= 60
    if problem.head.kind == "code":
        assert problem.start and len(problem.wrong) >= 2 and {test.hidden for test in problem.tests} == {True, False}
        assert all(0 < points <= problem.points for points, *_ in problem.wrong)
    else:
        levels = [line for line in problem.rubric.splitlines() if line.startswith("|")][0]
        assert levels.count("|") == 6, "a part and four levels"
        assert len(problem.specimens) >= 2 and len({points for points, _ in problem.specimens}) >= 2


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_marks_of_a_specimen_add_up(path: Path) -> None:
    for points, text in read(path).specimens:
        said = text.rpartition(f"*Marked {points:g}: ")[2]
        assert said != text
        assert (
            sum(float(number) for number in re.findall(r"(?<![\w.])(\d(?:\.5)?)(?= for|,)", said.replace("\n", " ")))
            == points
        )


def test_a_function_that_two_problems_define_is_told() -> None:
    first, second = (read(path) for path in SOURCES[:2])
    assert defined_twice([first, second]) == []
    second.solution += first.solution
    assert defined_twice([first, second]) == ["ntk"]


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.md"
    path.write_text("---\ntitle: T\nkind: code\nminutes: 5\n---\nDo.\n\n```{test} some public\nx\n```\n")
    with pytest.raises((BadSetting, ValueError)):
        read(path)
    path.write_text("---\ntitle: T\nkind: essay\nminutes: 5\n---\nDo.\n\n```{start}\nx\n```\n")
    with pytest.raises(BadSetting, match="kind"):
        read(path)


def test_the_same_settings_give_the_same_master() -> None:
    settings = read_settings(ROOT)
    module = settings.with_problems[0]
    problems = read_set(ROOT, settings, module)
    assert master(settings, module, problems) == master(settings, module, problems)


def test_the_seed_changes_the_variant() -> None:
    (path,) = (source for source in SOURCES if source.stem == "6-measure")
    assert "key(7)" in read_problem(path, seed=7).start and "{{" not in read_problem(path, seed=7).start
