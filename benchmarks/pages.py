"""The built site: its pages in a browser, and the execution of its chapters."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import BUILD, Row


def browser_rows() -> list[Row]:
    """The site in a browser: weight of each page."""
    return each_page(weight_rows)


def each_page(rows_of: Callable[[Any, Path], list[Row]], holding: str = "") -> list[Row]:
    """The rows of every page of the built site whose text holds this, in one browser."""
    import browser as local_browser  # of tools/, as the tests use it
    from playwright.sync_api import sync_playwright

    pages = [page for page in sorted((BUILD / "html" / "book").glob("*.html")) if holding in page.read_text()]
    program = local_browser.find()
    if not pages or not program:
        print("left out: no built site (make book), or no browser (make browser)", file=sys.stderr)
        return []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        rows = [row for page in pages for row in rows_of(launched, page)]
        launched.close()
    return rows


def weight_rows(launched: Any, path: Path) -> list[Row]:
    page = launched.new_page(reduced_motion="reduce")
    loaded: dict[str, int] = {}
    page.on("response", lambda response: loaded.setdefault(response.url, len(gzip.compress(response.body()))))
    page.goto(path.as_uri(), wait_until="load")
    page.evaluate("window.MathJax?.startup?.promise")
    page.wait_for_timeout(2000)  # fonts of the mathematics, runs of the widgets in the background
    page.close()
    return [Row(f"page {path.stem}: all it loads, compressed", sum(loaded.values()) / 1e6, "MB", "at most 1.5")]


def chapter_rows() -> list[Row]:
    """How long each chapter took to execute in the last build that executed it, and its kernel's memory."""
    table = BUILD / "times.json"
    if not table.exists():
        return []
    executed = json.loads(table.read_text())
    rows = [Row(f"{name}: execution", t, "s", "at most 40") for name, t in executed["seconds"].items()]
    return [*rows, Row("largest kernel of the last build", executed["gigabytes"], "GB", "at most 1.2")]
