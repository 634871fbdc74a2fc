"""Machinery out of view: claims and quotes of a section are one line, which opens to their code and their results.

A cell shows what teaches. Its statements that only claim or quote numbers stand with their outputs in a fold after the
last such cell of the section. Notebooks have every cell whole.
"""

import ast
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

RECORDING = {"claim", "quote"}
NOTHING_CHECKED = "Numbers that the text quotes"


def records(statement: ast.stmt) -> bool:
    """Whether a statement is a claim or a quote, or a loop of these and of the assignments that they need."""
    match statement:
        case ast.Expr(ast.Call(ast.Name(name))):
            return name in RECORDING
        case ast.For(body=body, orelse=[]):
            others = [inner for inner in body if not records(inner)]
            return len(others) < len(body) and all(isinstance(inner, ast.Assign) for inner in others)
    return False


def split(source: str) -> tuple[str, str]:
    """What a cell shows, and what it records; a comment goes with the statement below it."""
    lines, recording = source.splitlines(), set()
    for statement in ast.parse(source).body:
        if records(statement):
            first = statement.lineno - 1
            while first and lines[first - 1].startswith("#"):
                first -= 1
            recording |= set(range(first, statement.end_lineno or first + 1))
    parts = ([line for k, line in enumerate(lines) if (k in recording) == chosen] for chosen in (False, True))
    shown, recorded = (re.sub(r"\n{3,}", "\n\n", "\n".join(part)).strip("\n") for part in parts)
    return shown, recorded


def part_of(cell: nodes.Element, name: str) -> nodes.Element | None:
    return next((part for part in cell if isinstance(part, nodes.Element) and part.get("nb_element") == name), None)


def is_claim(output: nodes.Node) -> bool:
    return any('class="ntk-claim"' in raw.astext() for raw in output.findall(nodes.raw))


def take(cell: nodes.Element) -> list[nodes.Element]:
    """Take out of a cell the code that records, and its results. What is left may be nothing."""
    source, output = (part_of(cell, name) for name in ("cell_code_source", "cell_code_output"))
    taken = []
    if source is not None:
        (code,) = source.findall(nodes.literal_block)
        shown, recorded = split(code.astext())
        if recorded:
            taken.append(like(source, block(code, recorded)))
            source[:] = [block(code, shown)] if shown else []
    if output is not None and (results := [one for one in output if is_claim(one)]):
        output[:] = [one for one in output if one not in results]
        taken.append(like(output, *results))
    for part in (source, output):
        if part is not None and not len(part):
            cell.remove(part)
    return taken


def like(part: nodes.Element, *children: nodes.Node) -> nodes.Element:
    copy = part.copy()
    copy += list(children)
    return copy


def block(source: nodes.Element, text: str) -> nodes.Element:
    copy = like(source, nodes.Text(text))
    copy.rawsource = text  # else it is not highlighted
    return copy


def fold(content: list[nodes.Element]) -> list[nodes.Node]:
    number = sum(is_claim(one) for part in content for one in part.children)
    passed = f'<span aria-hidden="true">✓</span> {number} check{"s" if number > 1 else ""} passed'
    opening = f'<details class="ntk-checks"><summary>{passed if number else NOTHING_CHECKED}</summary>'
    return [nodes.raw("", opening, format="html"), *content, nodes.raw("", "</details>", format="html")]


def fold_checks(app: Sphinx, doctree: nodes.document) -> None:
    """One fold for each section, or other part of the page, whose cells record."""
    sections: dict[int, list[nodes.Element]] = {}
    for node in list(doctree.findall(nodes.container)):
        if node.get("nb_element") == "cell_code":
            sections.setdefault(id(node.parent), []).append(node)
    for cells in sections.values():
        taken = {k: parts for k, cell in enumerate(cells) if (parts := take(cell))}
        if not taken:
            continue
        last, parent = cells[max(taken)], cells[0].parent
        place = parent.index(last) + 1
        parent[place:place] = fold([part for parts in taken.values() for part in parts])
        for k in taken:
            if not len(cells[k]):
                parent.remove(cells[k])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", fold_checks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
