"""The problem sets: a notebook for students, the solved one for teachers, and what a grader needs."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbclient
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from ntksite.notebooks import for_colab, install_source
from release.versions import lock

from course import grade
from course.problems import CANARY, Problem, master, read_set, write_master
from course.settings import Module, Settings, read_settings

MARKS = re.compile(r"^(# (BEGIN|END) SOLUTION.*|<!-- (BEGIN|END) QUESTION -->)\n*", flags=re.M)


def build(root: Path, out: Path) -> None:
    """Write student/MODULE, teacher/MODULE and grader/MODULE for every module that is taught and has problems."""
    settings = read_settings(root)
    with ThreadPoolExecutor(2) as both:  # each waits for a kernel of its own
        list(both.map(lambda module: build_set(root, out, settings, module), settings.with_problems))
    shutil.copy(root / "course" / "student.md", out / "student" / "README.md")


def build_set(root: Path, out: Path, settings: Settings, module: Module) -> None:
    problems = read_set(root, settings, module)
    folders = {whom: out / whom / module.module for whom in ("student", "teacher", "grader")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_master(master(settings, module, problems), work / "problems.ipynb")
        assign(work)
        handed = tidy(work / "out" / "student" / "problems.ipynb", folders["student"] / "problems.ipynb")
        nbformat.write(in_a_browser(root, handed), folders["student"] / "colab.ipynb")
        solve(work / "out" / "autograder" / "problems.ipynb", folders["teacher"] / "solved.ipynb")
        (autograder,) = (work / "out" / "autograder").glob("*.zip")
        shutil.copy(autograder, folders["grader"] / "autograder.zip")
    shutil.copy(grade.__file__, folders["grader"] / "grade.py")
    points = {f"q{number}": problem.worth for number, problem in enumerate(problems, 1)}
    by_hand = [f"q{number}" for number, problem in enumerate(problems, 1) if not problem.tests]
    (folders["grader"] / "set.json").write_text(json.dumps({"points": points, "by hand": by_hand}), "utf-8")
    for whom in ("teacher", "grader"):
        (folders[whom] / "marking.md").write_text(marking(settings, module, problems), "utf-8")


def assign(folder: Path) -> None:
    """Let otter-grader split the master. Whether the reference passes is seen where the solved notebook runs."""
    command = [sys.executable, "-m", "otter", "assign", "--no-pdfs", "--no-run-tests", "problems.ipynb", "out"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"otter-grader does not read the problems:\n{run.stdout}{run.stderr}")


def tidy(source: Path, target: Path) -> NotebookNode:
    """The student's notebook without the cells that otter-grader has emptied."""
    notebook = nbformat.read(source, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    if CANARY in nbformat.writes(notebook):
        raise RuntimeError(f"{target} would hand a solution to students")
    nbformat.write(notebook, target)
    return notebook


def in_a_browser(root: Path, handed: NotebookNode) -> NotebookNode:
    """The student's notebook for Colab and Binder, where no file of it lies beside it from which to take its tests."""
    tests = json.dumps({"metadata": {"otter": handed.metadata.otter}, "cells": [], "nbformat": 4, "nbformat_minor": 5})
    source = f"# The tests of this notebook.\nopen('problems.ipynb', 'w').write({tests!r});"
    notebook = nbformat.from_dict({**handed, "cells": [new_code_cell(source, id="tests"), *handed.cells]})
    return for_colab(notebook, install_source(root), f"otter-grader=={lock(root)['otter-grader']}")


def solve(source: Path, target: Path) -> None:
    """The solved notebook with what it prints, without the places for answers; it has to pass its own tests."""
    notebook = nbformat.read(source, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "otter_answer_cell" not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        cell.source = MARKS.sub("", cell.source)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": source.parent}}).execute()
    for cell in notebook.cells:
        if "grader.check(" in cell.source and "passed!" not in said(cell):
            raise RuntimeError(f"{target.parent.name}: the reference does not pass its own tests:\n{said(cell)}")
    nbformat.write(notebook, target)


def said(cell: NotebookNode) -> str:
    return "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)


def marking(settings: Settings, module: Module, problems: list[Problem]) -> str:
    """How to mark what is written: the model answer, the rubric, and answers that were marked."""
    parts = [f"<!-- {CANARY} -->", f"# Marking: {settings.title}, module {module.module}"]
    for number, problem in enumerate(problems, 1):
        parts.append(f"## {number}. {problem.head.title} ({problem.worth:g} points)")
        if problem.weight != 1:
            parts.append(f"What follows is out of {problem.points}; multiply by {problem.weight:g}.")
        if problem.head.kind == "code":
            parts.append("Graded by `grade.py`. Known wrong answers:")
            for loses, why, code in problem.wrong:
                parts.append(f"Loses {loses} of {problem.points}: {why}.\n\n```python\n{code}\n```")
            continue
        parts += [problem.statement, "### Model answer"]
        parts += [f"```python\n{problem.solution}\n```" if problem.start else problem.solution, problem.answer]
        parts += ["### Rubric", problem.rubric]
        parts += [f"### An answer marked {points:g}\n\n{text}" for points, text in problem.specimens]
    return "\n\n".join(part for part in parts if part) + "\n"
