"""The projects: a notebook for students, without what the teacher knows; the whole sheet for teachers. The plans."""

import re
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from ntksite.notebooks import for_colab, install_source

from course.material import at_the_book
from course.problems import CANARY
from course.settings import BadSetting, Strict, read_settings

CODE = re.compile(r"^```python\n(.*?)^```\n?", flags=re.M | re.S)
SECRET = "## For the teacher\n"


class Head(Strict):
    title: str
    hours: int
    team: str
    chapters: list[str]


def build(root: Path, out: Path) -> None:
    """Write student/capstones/NAME.ipynb and teacher/capstones/NAME.md, and teacher/MODULE/plan.md."""
    for whom in ("student", "teacher"):
        (out / whom / "capstones").mkdir(parents=True, exist_ok=True)
    for path in sorted((root / "course" / "capstones").glob("*.md")):
        nbformat.write(handed(root, path), out / "student" / "capstones" / f"{path.stem}.ipynb")
        whole = at_the_book(root, path.read_text("utf-8"), "../../../html")
        (out / "teacher" / "capstones" / path.name).write_text(whole, "utf-8")
    for module in read_settings(root).modules:
        target = out / "teacher" / module.module / "plan.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        plan = (root / "course" / "modules" / module.module / "plan.md").read_text("utf-8")
        plan = at_the_book(root, plan.replace("(../../capstones", "(../capstones"), "../../../html")
        target.write_text(plan if CANARY in plan else f"<!-- {CANARY} -->\n\n{plan}", "utf-8")


def handed(root: Path, path: Path) -> NotebookNode:
    """The sheet as a notebook that runs in a browser too: its text, and its first steps as a cell."""
    _, head, body = path.read_text("utf-8").split("---\n", 2)
    open_part, mark, secret = body.partition(SECRET)
    if not mark or CANARY not in secret or CANARY in open_part:
        raise BadSetting(f"{path.name}: what is secret stands below {SECRET.strip()!r}, with the mark {CANARY}")
    about = Head.model_validate(yaml.safe_load(head))
    lead = f"# {about.title}\n\nAbout {about.hours} hours for each of a team of {about.team}."
    cells = [new_markdown_cell(lead, id="lead")]
    for place, part in enumerate(CODE.split(at_the_book(root, open_part, "../../../html"))):
        make = new_code_cell if place % 2 else new_markdown_cell
        cells += [make(part.strip(), id=f"cell-{place}")] if part.strip() else []
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return for_colab(notebook, install_source(root))
