"""What answers get: the tests of a set run on the reference, on a blank and on known wrong answers, here and now.

`grade.py` runs the same tests through otter-grader, notebook by notebook, which takes a hundred times as long.

python -m course.trial 1-networks    # tells what does not get what it should
"""

import ast
import inspect
import sys
from typing import Any

from ntksite.records import ROOT

from course.problems import FIRST, Problem, Test, read_set, test_function
from course.settings import Module, read_settings


def failures(problems: list[Problem]) -> list[str]:
    """Every answer of a set that does not get the points which its source says, in a line of its own."""
    found = [f"{name} is defined in two problems, and the tests run when all are" for name in defined_twice(problems)]
    for problem in (problem for problem in problems if problem.tests):
        names, full = before(problem, problems), problem.points
        answers = [("the reference", full, problem.solution), ("the blank", 0, problem.start)]
        answers += [(f"wrong: {why}", full - loses, code) for loses, why, code in problem.wrong]
        for whose, expected, code in answers:
            points = graded(problem.tests, code, dict(names))
            if points != expected:
                found.append(f"{problem.name}, {whose}: {points} of {full} points, and not {expected}")
    return found


def defined_twice(problems: list[Problem]) -> list[str]:
    """The functions that more than one cell of the notebook defines; only the last of them would be graded."""
    cells = [ast.parse(problem.solution).body for problem in problems if problem.start]
    names = [node.name for body in cells for node in body if isinstance(node, ast.FunctionDef)]
    return sorted({name for name in names if names.count(name) > 1})


def before(problem: Problem, problems: list[Problem]) -> dict[str, Any]:
    """What the notebook knows when it comes to this problem: its first cell, and the solutions that are used."""
    names: dict[str, Any] = {}
    exec(FIRST, names)
    for used in problems:
        if used.name in problem.head.uses:
            exec(used.solution, names)
    return names


def graded(tests: list[Test], code: str, names: dict[str, Any]) -> int:
    """The points of an answer: those of the tests that end without an error."""
    try:
        exec(code, names)
    except Exception:
        return 0
    return sum(test.points for test in tests if passes(test, names))


def passes(test: Test, names: dict[str, Any]) -> bool:
    scope: dict[str, Any] = {}
    exec(test_function(test), scope)
    (function,) = (thing for name, thing in scope.items() if name.startswith("test_"))
    try:
        function(*(names[name] for name in inspect.signature(function).parameters))
    except Exception:
        return False
    return True


if __name__ == "__main__":
    (name,) = sys.argv[1:]
    source = Module.model_validate({"module": name, "release": "2000-01-01", "due": "2000-01-02"})
    wrong = failures(read_set(ROOT, read_settings(ROOT), source))
    print(*wrong or ["Every answer gets what its source says."], sep="\n")
    sys.exit(bool(wrong))
