"""What `reading.js`, which remembers in a reader's browser what was read and solved, knows of the book.

The page of a chapter is told its name. The first page is told all chapters: their titles, sections and exercises.
"""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from ntksite.records import documents


def chapters(env: BuildEnvironment) -> dict[str, dict[str, Any]]:
    """The numbered documents in their order."""
    numbers = {name: env.toc_secnumbers.get(name, {}).get("") for name in documents(Path(env.srcdir))}
    return {name: chapter(env, name, number) for name, number in numbers.items() if number}


def chapter(env: BuildEnvironment, name: str, number: tuple[int, ...]) -> dict[str, Any]:
    exercises = getattr(env, "sphinx_exercise_registry", {}).items()
    return {
        "title": f"{'.'.join(map(str, number))}. {env.titles[name].astext()}",
        "sections": sections(env.tocs[name]),
        "exercises": [k for k, entry in exercises if entry["docname"] == name and entry["type"] == "exercise"],
    }


def sections(contents: nodes.Node) -> dict[str, str]:
    """Their titles by their anchors; "" for a title with a formula, which the first page does not typeset."""
    links = [link for link in contents.findall(nodes.reference) if link["anchorname"]]
    return {link["anchorname"][1:]: "" if any(link.findall(nodes.math)) else link.astext() for link in links}


def tell(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    known = chapters(app.env)
    data: dict[str, Any] = {"data-chapter": page} if page in known else {}
    if page == app.config.root_doc:
        data["data-chapters"] = json.dumps(known, ensure_ascii=False)
    app.add_js_file("reading.js", loading_method="defer", **data)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", tell)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
