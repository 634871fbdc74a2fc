"""Problem sets: one Markdown file a problem, put together for otter-grader.

A source has a head (title, kind, minutes; points where it is written) and a statement, and then blocks:

- `{start}`: code that the student is given;
- `{solution}`: the whole cell that the reference gives in its place; `{answer}`: the words of the reference;
- `{test} POINTS public` or `hidden`: a function whose arguments are names of the notebook, and which asserts;
- `{wrong} POINTS WHY`: a known wrong answer with the points that it loses: for the marking guide, and `course.trial`;
- `{rubric}` and `{specimen} POINTS`: of a problem that is marked by hand.
"""

import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from ntksite.notebooks.myst import Directive, parse
from pydantic import PositiveInt, ValidationError

from course.settings import FILE, BadSetting, Module, Settings, Strict

CANARY = "ntk-canary"

FIRST = """\
import jax
import jax.numpy as jnp
import ntkbook

ntkbook.enable_float64()  # 64-bit numbers: the tests want them"""

RULES = """\
Run the cells from the top. The checks below the answers in code are a part of the tests: others, at other inputs, run
when your notebook is graded. What a function gets are JAX arrays of 64-bit numbers, where its problem does not say
otherwise, and plain numbers; what it returns may be any array or number. Hand in this notebook, with what its cells
have printed."""

# What each test begins with. otter-grader takes a function alone: what it uses it has to import itself.
BEGINNING = """\
import jax
import jax.numpy as jnp
import ntkbook

assert jax.config.jax_enable_x64, "64-bit numbers are off: run the first cell again"
"""


class Head(Strict):
    """What stands at the top of a problem; `uses` names the problems before it whose functions it calls."""

    title: str
    kind: Literal["code", "written"]
    minutes: PositiveInt
    points: PositiveInt | None = None
    uses: list[str] = []


@dataclass(frozen=True)
class Test:
    """A test of an answer in code: its points, and whether students have it."""

    points: int
    hidden: bool
    code: str


@dataclass
class Problem:
    """A problem as its source has it."""

    name: str
    head: Head
    statement: str = ""
    start: str = ""
    solution: str = ""
    answer: str = ""
    rubric: str = ""
    tests: list[Test] = field(default_factory=list)
    wrong: list[tuple[int, str, str]] = field(default_factory=list)
    specimens: list[tuple[float, str]] = field(default_factory=list)
    points: int = 0
    weight: float = 1.0

    @property
    def worth(self) -> float:
        """The points that it gives in this course."""
        return self.points * self.weight


def read_problem(path: Path, seed: int) -> Problem:
    """The problem of a source, in the variant of this seed."""
    _, head, text = path.read_text("utf-8").replace("{{seed}}", str(seed)).split("---\n", 2)
    try:
        problem = Problem(path.stem, Head.model_validate(yaml.safe_load(head)))
    except ValidationError as error:
        raise BadSetting(f"{path.name}: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from error
    statement, blocks = split(text)
    problem.statement = statement
    for block in blocks:
        add(problem, block)
    problem.points = problem.head.points or sum(test.points for test in problem.tests)
    return problem


def split(text: str) -> tuple[str, list[Directive]]:
    """The statement, which may hold other blocks, and the blocks of the problem."""
    names = ("start", "solution", "answer", "rubric", "test", "wrong", "specimen")
    blocks = [block for block in parse(text) if isinstance(block, Directive) and block.name in names]
    return text.partition(f"```{{{blocks[0].name}}}")[0].strip(), blocks


def add(problem: Problem, block: Directive) -> None:
    match block.name, block.argument.split(maxsplit=1):
        case "test", [points, audience]:
            problem.tests.append(Test(int(points), audience == "hidden", block.body))
        case "wrong", [points, why]:
            problem.wrong.append((int(points), why, block.body))
        case "specimen", [points]:
            problem.specimens.append((float(points), block.body))
        case "start" | "solution" | "answer" | "rubric", []:
            setattr(problem, block.name, block.body)
        case _:
            raise BadSetting(f"{problem.name}: cannot read {{{block.name}}} {block.argument}")


def read_set(root: Path, settings: Settings, module: Module) -> list[Problem]:
    """The problems of a module that the settings choose, in their order, with the weights that they have there."""
    folder = root / "course" / "modules" / module.module / "problems"
    names = module.problems or sorted(path.stem for path in folder.glob("*.md"))
    problems = [read_problem(folder / f"{name}.md", settings.seed) for name in names]
    for place, problem in enumerate(problems):
        for used in problem.head.uses:
            if used not in names[:place]:
                raise BadSetting(
                    f"{FILE}: problems of {module.module}: {problem.name} takes the function of {used}, which must be "
                    f"chosen too, and stand before it"
                )
        problem.weight = module.points.get(problem.name, problem.points) / problem.points
    return problems


# -- the master of otter-grader ----------------------------------------------------------------------------------------


def raw(*lines: str) -> NotebookNode:
    return new_raw_cell("\n".join(lines))


def marked(what: str, cells: list[NotebookNode]) -> list[NotebookNode]:
    return [raw(f"# BEGIN {what}"), *cells, raw(f"# END {what}")] if cells else []


def code(text: str, *, solves: bool = False) -> list[NotebookNode]:
    """A cell of code. Of one that solves, otter-grader takes out what stands between two comments, and no more."""
    text = f"# BEGIN SOLUTION NO PROMPT\n{text}\n# END SOLUTION" if solves else text
    return [new_code_cell(text)] if text else []


def master(settings: Settings, module: Module, problems: list[Problem]) -> NotebookNode:
    """The notebook from which otter-grader makes the student's and the grader's."""
    config = {"name": module.module, "tests": {"ok_format": False}, "export_cell": False, "runs_on": "default"}
    total, minutes = sum(problem.worth for problem in problems), sum(problem.head.minutes for problem in problems)
    head = f"# {settings.title}: problems of module {module.module}\n\n{settings.term}. Teacher: {settings.teacher}\n\n"
    head += (
        f"Due {module.due:%A, %d %B %Y}, at the end of the day. {total:g} points, about {minutes} minutes.\n\n{RULES}"
    )
    cells = [raw("# ASSIGNMENT CONFIG", yaml.safe_dump(config)), new_markdown_cell(head), new_code_cell(FIRST)]
    for number, problem in enumerate(problems, 1):
        cells += question(number, problem)
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for place, cell in enumerate(notebook.cells):
        cell.id = f"cell-{place}"  # the same at every run
    return notebook


def question(number: int, problem: Problem) -> list[NotebookNode]:
    by_hand = problem.head.kind == "written"
    settings = {"name": f"q{number}", "points": problem.worth, "manual": by_hand}
    if not by_hand:
        settings["points"] = [test.points * problem.weight for test in problem.tests]
    worth = f"{problem.worth:g} points, {problem.head.minutes} minutes."
    if by_hand and problem.weight != 1:
        worth += f" The points of its parts, which add up to {problem.points}, count {problem.weight:g} times."
    heading = f"## {number}. {problem.head.title}\n\n*{worth}*\n\n"
    solution = code(problem.solution, solves=True) if problem.start else [new_markdown_cell(problem.solution)]
    solution += [new_markdown_cell(problem.answer)] if problem.answer else []
    prompt = code(problem.start) + ([new_markdown_cell("*Your answer.*")] if by_hand else [])
    tests = [new_code_cell(test_cell(test, problem.weight)) for test in problem.tests]
    return [
        raw("# BEGIN QUESTION", yaml.safe_dump(settings)),
        new_markdown_cell(heading + problem.statement),
        *marked("PROMPT", prompt),
        *marked("SOLUTION", solution),
        *marked("TESTS", tests),
        raw("# END QUESTION"),
    ]


def test_function(test: Test) -> str:
    """The test with its imports, which first looks whether 64-bit numbers are on."""
    lines = test.code.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("def "))
    return "\n".join([*lines[: start + 1], textwrap.indent(BEGINNING, "    "), *lines[start + 1 :]])


def test_cell(test: Test, weight: float = 1.0) -> str:
    """The test as otter-grader reads it."""
    config = f"points: {test.points * weight}\nhidden: {str(test.hidden).lower()}"
    return f'""" # BEGIN TEST CONFIG\n{config}\n""" # END TEST CONFIG\n{test_function(test)}'


def write_master(notebook: NotebookNode, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
