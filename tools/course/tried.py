"""Every problem set through its grader, as a student's notebook: `make grade`, or python -m course.tried.

It takes about two minutes a set. course/tried.json keeps what was tried; the tests repeat it for the first module and
for those that have changed since.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import nbformat
from ntksite.records import ROOT

from course.grade import OFF, grade
from course.problems import FIRST, read_set
from course.sets import build_set
from course.settings import Module, Settings, read_settings

RECORD = Path("course") / "tried.json"
LIMIT = 900  # seconds for a notebook: a busy machine is no fault of the set


def digest(root: Path, module: Module) -> str:
    sources = sorted((root / "course" / "modules" / module.module / "problems").glob("*.md"))
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def changed(root: Path, settings: Settings) -> list[Module]:
    """The first module with problems, and all whose problems are not those that were tried."""
    tried = json.loads((root / RECORD).read_text("utf-8"))
    first, *others = settings.with_problems
    return [first, *(module for module in others if tried.get(module.module) != digest(root, module))]


def failures(root: Path, pack: Path, settings: Settings, module: Module, rounds: int | None = None) -> list[str]:
    """What the grader of a pack gives otherwise than it should: to the reference, a blank, 32 bits, wrong answers.

    Each round takes one wrong answer of every problem; None: all of them.
    """
    problems = [problem for problem in read_set(root, settings, module) if problem.tests]
    autograder = pack / "grader" / module.module / "autograder.zip"
    questions = [f"q{number}" for number in range(1, len(problems) + 1)]
    full = dict(zip(questions, (problem.worth for problem in problems), strict=True))
    found: list[str] = []

    def expect(whose: str, answers: list[str], points: dict[str, float], *, bits: int = 64) -> None:
        with tempfile.TemporaryDirectory() as name:
            notebook = answered(pack, module.module, Path(name) / "answer.ipynb", answers, bits=bits)
            graded = grade(autograder, notebook, LIMIT)
        expected = {**points, "code": sum(points.values()), "remark": OFF if bits == 32 else ""}
        if graded != expected:
            found.append(f"{module.module}, {whose}: {graded}, and not {expected}")

    solutions = [problem.solution for problem in problems]
    nothing = dict.fromkeys(questions, 0.0)
    expect("the reference", solutions, full)
    expect("a blank", [], nothing)
    expect("32 bits", solutions, nothing, bits=32)
    for k in range(max(len(problem.wrong) for problem in problems))[:rounds]:
        wrong = [problem.wrong[k % len(problem.wrong)] for problem in problems]
        left = {
            question: full[question] - loses * problem.weight
            for question, problem, (loses, *_) in zip(questions, problems, wrong, strict=True)
        }
        expect(f"wrong answers {k + 1}", [code for *_, code in wrong], left)
    return found


def answered(
    pack: Path, module: str, path: Path, answers: list[str], *, bits: int = 64, name: str = "problems.ipynb"
) -> Path:
    """The student's notebook with these answers in code in the place of what it starts from."""
    notebook = nbformat.read(pack / "student" / module / name, as_version=4)
    tagged = [cell for cell in notebook.cells if "otter_answer_cell" in cell.metadata.get("tags", [])]
    for cell, answer in zip([cell for cell in tagged if cell.cell_type == "code"], answers, strict=False):
        cell.source = answer
    if bits == 32:
        (first,) = (cell for cell in notebook.cells if cell.source == FIRST)
        first.source = first.source.replace("ntkbook.enable_float64()", "")
    nbformat.write(notebook, path)
    return path


def main() -> None:
    settings = read_settings(ROOT)
    tried: dict[str, str] = {}
    for module in settings.with_problems:
        with tempfile.TemporaryDirectory() as name:
            build_set(ROOT, Path(name), settings, module)
            wrong = failures(ROOT, Path(name), settings, module)
        print(*wrong or [f"{module.module}: as it should be"], sep="\n", flush=True)
        tried |= {} if wrong else {module.module: digest(ROOT, module)}
    (ROOT / RECORD).write_text(json.dumps(tried, indent=1) + "\n", "utf-8")
    sys.exit(len(tried) < len(settings.with_problems))


if __name__ == "__main__":
    main()
