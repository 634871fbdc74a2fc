"""The problem sets as they are handed out, and what grading makes of known submissions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from reader import Environment
from release import versions

pytest.importorskip("otter")

from course.grade import grade  # noqa: E402
from course.problems import CANARY, read_set  # noqa: E402
from course.settings import read_settings  # noqa: E402

from course import packages, sets  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
MODULES = [module.module for module in read_settings(ROOT).modules]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("course")]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("course")
    sets.build(ROOT, out)
    return out


def texts(path: Path) -> str:
    """All that a file holds, what is packed in it included."""
    if path.suffix != ".zip":
        return path.read_text(errors="ignore")
    with zipfile.ZipFile(path) as archive:
        return "".join(archive.read(name).decode(errors="ignore") for name in archive.namelist())


def test_no_secret_reaches_a_student_and_every_one_a_teacher(pack: Path) -> None:
    holding = {path.relative_to(pack).parts[0] for path in pack.rglob("*") if path.is_file() and CANARY in texts(path)}
    assert holding == {"teacher", "grader"}
    settings = read_settings(ROOT)
    for module in settings.modules:
        handed = texts(pack / "student" / module.module / "problems.ipynb")
        solved = texts(pack / "teacher" / module.module / "solved.ipynb")
        for problem in read_set(ROOT, settings, module):
            secrets = [problem.solution, problem.answer, *(test.code for test in problem.tests if test.hidden)]
            lines = {line.strip() for secret in secrets for line in secret.splitlines()} - set(
                problem.start.splitlines()
            )
            for line in (line for line in lines if len(line) > 40 and line not in problem.start):
                assert json.dumps(line)[1:-1] not in handed, line
            assert all(json.dumps(line)[1:-1] in solved for line in problem.solution.splitlines())


def write(pack: Path, module: str, path: Path, answers: list[str], *, first: str | None = None) -> Path:
    """The student's notebook with these answers in the place of what it starts from."""
    notebook = nbformat.read(pack / "student" / module / "problems.ipynb", as_version=4)
    places = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and "otter_answer_cell" in cell.metadata.get("tags", [])
    ]
    for cell, answer in zip(places, answers, strict=False):
        cell.source = answer
    if first is not None:
        (cell,) = (cell for cell in notebook.cells if "enable_float64" in cell.source)
        cell.source = cell.source.replace("ntkbook.enable_float64()", first)
    nbformat.write(notebook, path)
    return path


@pytest.mark.parametrize("name", MODULES)
def test_grading(pack: Path, tmp_path: Path, name: str) -> None:
    """All points to the reference, none to a blank, and from known wrong answers what they are said to lose."""
    settings = read_settings(ROOT)
    (module,) = (module for module in settings.modules if module.module == name)
    problems = [problem for problem in read_set(ROOT, settings, module) if problem.tests]
    autograder = pack / "grader" / name / "autograder.zip"
    full = {f"q{number}": float(problem.points) for number, problem in enumerate(problems, 1)}

    def graded(answers: list[str], **options: str) -> dict:
        return grade(autograder, write(pack, name, tmp_path / "answer.ipynb", answers, **options), limit=900)

    reference = graded([problem.solution for problem in problems])
    assert reference == {"notebook": "answer.ipynb", **full, "total": sum(full.values()), "remark": ""}
    blank = graded([])
    assert blank["total"] == 0 and blank["remark"] == ""
    for k in range(max(len(problem.wrong) for problem in problems)):
        wrong = [problem.wrong[k % len(problem.wrong)] for problem in problems]
        found = graded([code for _, code in wrong])
        expected = {question: full[question] - points for question, (points, _) in zip(full, wrong, strict=True)}
        assert {question: found[question] for question in full} == expected, k
    single = graded([problem.solution for problem in problems], first="")
    assert single["total"] == 0 and single["remark"].startswith("64-bit numbers are off")


def test_a_loop_is_stopped_and_the_next_submission_graded(pack: Path, tmp_path: Path) -> None:
    """By the script that lies beside the autograder, from its own folder."""
    name = MODULES[0]
    write(pack, name, tmp_path / "a-loops.ipynb", ["while True:\n    pass"])
    (tmp_path / "b-broken.ipynb").write_text("{")
    write(pack, name, tmp_path / "c-blank.ipynb", [])
    script = pack / "grader" / name / "grade.py"
    subprocess.run([sys.executable, script, tmp_path, "--limit", "25"], check=True, timeout=300)
    looped, broken, blank = (tmp_path / "grades.csv").read_text().splitlines()[1:]
    assert "stopped after 25 s" in looped and "does not run" in broken and blank.startswith("c-blank.ipynb,")


def test_the_students_notebook_runs_unanswered_where_there_is_only_its_pack(pack: Path, tmp_path: Path) -> None:
    """From the wheel, in a fresh environment, within a minute a cell; whoever opens it has not answered yet."""
    packages.build(ROOT, pack)
    student = Environment(tmp_path / "student")
    pins = tmp_path / "pins.txt"
    pins.write_text("".join(f"{name}=={version}\n" for name, version in versions.lock(ROOT).items()))
    install = ["pip", "install", "--quiet", "-c", pins, "-r", "requirements.txt"]
    student.run(*install, folder=pack / "student")
    for name in MODULES:
        folder = tmp_path / name
        shutil.copytree(pack / "student" / name, folder)
        student.execute(folder / "problems.ipynb")
