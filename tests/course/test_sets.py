"""The problem sets as they are handed out, and what grading makes of known submissions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbclient
import nbformat
import pytest
from reader import Environment
from release import versions

pytest.importorskip("otter")

from course.problems import CANARY, read_set  # noqa: E402
from course.settings import Module, read_settings  # noqa: E402

from course import packages, sets, trial, tried  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = read_settings(ROOT)
CHANGED = tried.changed(ROOT, SETTINGS)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("course")]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("course")
    for module in CHANGED:
        sets.build_set(ROOT, out, SETTINGS, module)
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
    for module in CHANGED:
        handed = texts(pack / "student" / module.module / "problems.ipynb")
        solved = texts(pack / "teacher" / module.module / "solved.ipynb")
        for problem in read_set(ROOT, SETTINGS, module):
            secrets = [problem.solution, problem.answer, *(test.code for test in problem.tests if test.hidden)]
            lines = {line.strip() for secret in secrets for line in secret.splitlines()} - set(
                problem.start.splitlines()
            )
            for line in (line for line in lines if len(line) > 40 and line not in problem.start):
                assert json.dumps(line)[1:-1] not in handed, line
            assert all(json.dumps(line)[1:-1] in solved for line in problem.solution.splitlines())


@pytest.mark.parametrize("module", CHANGED, ids=lambda module: module.module)
def test_grading(pack: Path, module: Module) -> None:
    """All points to the reference, none to a blank, and from known wrong answers what they are said to lose."""
    assert tried.failures(ROOT, pack, SETTINGS, module, rounds=1) == []  # the other wrong answers: below, and nightly


@pytest.mark.parametrize("module", SETTINGS.with_problems, ids=lambda module: module.module)
def test_every_answer_gets_what_its_source_says(module: Module) -> None:
    assert trial.failures(read_set(ROOT, SETTINGS, module)) == []


def test_a_browsers_notebook_brings_its_tests(pack: Path, tmp_path: Path) -> None:
    """Colab has no file of the notebook that runs: it is the only one in its folder, and answered rightly."""
    module = CHANGED[0]
    path = tried.answered(
        pack,
        module.module,
        tmp_path / "colab.ipynb",
        [read_set(ROOT, SETTINGS, module)[0].solution],
        name="colab.ipynb",
    )
    notebook = nbformat.read(path, as_version=4)
    last = next(place for place, cell in enumerate(notebook.cells) if cell.source == 'grader.check("q1")')
    notebook.cells = notebook.cells[: last + 1]
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    assert "passed!" in sets.said(notebook.cells[-1])


def test_a_loop_is_stopped_and_the_next_submission_graded(pack: Path, tmp_path: Path) -> None:
    """By the script that lies beside the autograder, from its own folder."""
    name = CHANGED[0].module
    (tmp_path / "a").mkdir()
    tried.answered(pack, name, tmp_path / "a" / "loops.ipynb", ["while True:\n    pass"])
    (tmp_path / "b-broken.ipynb").write_text("{")
    tried.answered(pack, name, tmp_path / "c-blank.ipynb", [])
    script = pack / "grader" / name / "grade.py"
    subprocess.run([sys.executable, script, tmp_path, "--limit", "25"], check=True, timeout=300)
    head, whole, looped, broken, blank = (tmp_path / "grades.csv").read_text().splitlines()
    assert head == "notebook,q1,q2,q3,q4,q5,q6,code,remark" and whole.startswith("out of,2.0,2.0,2.0,2.0,6.0,6.0,8.0,")
    assert looped.startswith("a/loops.ipynb,0.0,0.0,0.0,0.0,,,") and "stopped after 25 s" in looped
    assert "does not run" in broken and blank == "c-blank.ipynb,0.0,0.0,0.0,0.0,,,0.0,"


def test_a_folder_without_notebooks_is_refused(pack: Path, tmp_path: Path) -> None:
    script = pack / "grader" / CHANGED[0].module / "grade.py"
    run = subprocess.run([sys.executable, script, tmp_path / "none"], capture_output=True, text=True)
    assert run.returncode == 2 and "none holds no notebook" in run.stderr


def test_the_students_notebook_runs_unanswered_where_there_is_only_its_pack(pack: Path, tmp_path: Path) -> None:
    """From the wheel, in a fresh environment, within a minute a cell; whoever opens it has not answered yet."""
    packages.build(ROOT, pack)
    student = Environment(tmp_path / "student")
    pins = tmp_path / "pins.txt"
    pins.write_text("".join(f"{name}=={version}\n" for name, version in versions.lock(ROOT).items()))
    install = ["pip", "install", "--quiet", "-c", pins, "-r", "requirements.txt"]
    student.run(*install, folder=pack / "student")
    for module in CHANGED:
        folder = tmp_path / module.module
        shutil.copytree(pack / "student" / module.module, folder)
        student.execute(folder / "problems.ipynb")
