"""The projects: each sheet is whole, keeps its secret, and its first steps run."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
import pytest

pytest.importorskip("pydantic")

from course.problems import CANARY  # noqa: E402
from course.settings import BadSetting  # noqa: E402

from course import capstones  # noqa: E402
from course.capstones import SECRET, handed  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SHEETS = sorted((ROOT / "course" / "capstones").glob("*.md"))
EACH = pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.stem)


def test_there_are_enough_to_choose_from() -> None:
    assert len(SHEETS) >= 8


@EACH
def test_a_sheet_keeps_its_secret_and_has_first_steps(path: Path) -> None:
    notebook = handed(ROOT, path)
    assert CANARY not in nbformat.writes(notebook) and SECRET.strip() not in nbformat.writes(notebook)
    assert len([cell for cell in notebook.cells if cell.cell_type == "code"]) >= 2  # the set-up, and the first steps
    text = path.read_text()
    for section in ("## The question", "## What is known", "## Data", "## First steps", "## Traps"):
        assert section in text, section


def test_a_sheet_without_its_mark_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sheet.md"
    path.write_text(SHEETS[0].read_text().replace(CANARY, ""))
    with pytest.raises(BadSetting, match="sheet.md: what is secret stands below"):
        handed(ROOT, path)


@pytest.mark.slow
def test_teachers_get_sheets_and_plans_with_links_to_the_book(tmp_path: Path) -> None:
    capstones.build(ROOT, tmp_path)
    assert {path.stem for path in (tmp_path / "teacher" / "capstones").iterdir()} == {path.stem for path in SHEETS}
    for path in (tmp_path / "teacher").rglob("*.md"):
        assert CANARY in path.read_text() and "](networks.html" not in path.read_text()


@EACH
@pytest.mark.slow
@pytest.mark.nightly
def test_first_steps_run(path: Path) -> None:
    nbclient.NotebookClient(handed(ROOT, path), timeout=120).execute()
