"""What a page shows of a cell, and what it folds away."""

from __future__ import annotations

import ast
from pathlib import Path

import jupytext
import pytest
from ntksite.checks import split

BOOK = Path(__file__).parents[2] / "book"
CHAPTERS = sorted(path for path in BOOK.glob("*.md") if "kernelspec:" in path.read_text())
WIDEST = 88  # characters that fit on a page of 1280 pixels


@pytest.mark.parametrize(
    ("source", "shown", "recorded"),
    [
        ("x = 1\nclaim('a', x)", "x = 1", "claim('a', x)"),
        ("claim('a',\n      1)\ny = 2", "y = 2", "claim('a',\n      1)"),
        ("# why\nquote('a', 1)\nplot(x)", "plot(x)", "# why\nquote('a', 1)"),
        ("for k in x:\n    y = k\n    claim(k, y)", "", "for k in x:\n    y = k\n    claim(k, y)"),
        ("for k in x:\n    plot(k)\n    claim(k)", "for k in x:\n    plot(k)\n    claim(k)", ""),
        ("def f():\n    claim('a')\n\n\n\nf()", "def f():\n    claim('a')\n\nf()", ""),
        ("x.claim('a')", "x.claim('a')", ""),
    ],
)
def test_what_only_records_is_folded_away(source: str, shown: str, recorded: str) -> None:
    assert split(source) == (shown, recorded)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_no_cell_scrolls_sideways(chapter: Path) -> None:
    cells = [cell.source for cell in jupytext.read(chapter).cells if cell.cell_type == "code"]
    lines = [line for source in cells for line in split(source)[0].splitlines()]
    assert [line for line in lines if len(line) > WIDEST] == []


def names(source: str, context: type[ast.expr_context]) -> set[str]:
    nodes = ast.walk(ast.parse(source))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, context)}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_what_is_shown_does_not_rest_on_what_is_folded(chapter: Path) -> None:
    """Only loops bind names there, and of these the code in view uses none before it binds them itself."""
    hidden: set[str] = set()
    for cell in jupytext.read(chapter).cells:
        if cell.cell_type == "code":
            shown, recorded = split(cell.source)
            bound = names(shown, ast.Store) | {
                node.arg for node in ast.walk(ast.parse(shown)) if isinstance(node, ast.arg)
            }
            assert names(shown, ast.Load) & hidden <= bound, cell.source
            hidden = (hidden - bound) | names(recorded, ast.Store)
