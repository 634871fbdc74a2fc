"""The problem sets: a notebook for students, the solved one for teachers, and what a grader needs."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from course import grade
from course.problems import CANARY, Problem, master, read_set, write_master
from course.settings import Module, Settings, read_settings


def build(root: Path, out: Path) -> None:
    """Write student/MODULE, teacher/MODULE and grader/MODULE for every module that is taught."""
    settings = read_settings(root)
    for module in settings.modules:
        build_set(root, out, settings, module)


def build_set(root: Path, out: Path, settings: Settings, module: Module) -> None:
    problems = read_set(root, settings, module)
    folders = {whom: out / whom / module.module for whom in ("student", "teacher", "grader")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_master(master(settings, module, problems), work / "problems.ipynb")
        assign(work)
        tidy(work / "out" / "student" / "problems.ipynb", folders["student"] / "problems.ipynb")
        shutil.copy(work / "out" / "autograder" / "problems.ipynb", folders["teacher"] / "solved.ipynb")
        (autograder,) = (work / "out" / "autograder").glob("*.zip")
        shutil.copy(autograder, folders["grader"] / "autograder.zip")
    shutil.copy(grade.__file__, folders["grader"] / "grade.py")
    for whom in ("teacher", "grader"):
        (folders[whom] / "marking.md").write_text(marking(settings, module, problems), "utf-8")


def assign(folder: Path) -> None:
    """Let otter-grader split the master, and run its tests against the reference."""
    command = [sys.executable, "-m", "otter", "assign", "--no-pdfs", "problems.ipynb", "out"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"the reference does not pass its own tests:\n{run.stdout}{run.stderr}")


def tidy(source: Path, target: Path) -> None:
    """The student's notebook without the cells that otter-grader has emptied."""
    notebook = nbformat.read(source, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    if CANARY in nbformat.writes(notebook):
        raise RuntimeError(f"{target} would hand a solution to students")
    nbformat.write(notebook, target)


def marking(settings: Settings, module: Module, problems: list[Problem]) -> str:
    """How to mark what is written: the model answer, the rubric, and answers that were marked."""
    parts = [f"<!-- {CANARY} -->", f"# Marking: {settings.title}, module {module.module}"]
    for number, problem in enumerate(problems, 1):
        parts.append(f"## {number}. {problem.head.title} ({problem.points} points)")
        if problem.head.kind == "code":
            parts.append("Graded by `grade.py`. Known wrong answers and what they lose:")
            parts += [f"{points} of {problem.points}:\n\n```python\n{code}\n```" for points, code in problem.wrong]
            continue
        parts += [problem.statement, "### Model answer"]
        parts += [f"```python\n{problem.solution}\n```" if problem.start else problem.solution, problem.answer]
        parts += ["### Rubric", problem.rubric]
        parts += [f"### An answer marked {points:g}\n\n{text}" for points, text in problem.specimens]
    return "\n\n".join(part for part in parts if part) + "\n"
