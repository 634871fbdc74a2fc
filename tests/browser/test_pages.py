"""Every page of the built site in a browser: served and from disk, on a desktop and on a phone."""

from __future__ import annotations

from pathlib import Path

import pagecheck
import pytest
from playwright.sync_api import Browser
from records import documents

pytestmark = [pytest.mark.site, pytest.mark.browser]

PAGES = [f"{document}.html" for document in documents()]


@pytest.mark.parametrize("path", PAGES)
def test_page_on_desktop(chromium: Browser, served: str, path: str) -> None:
    with pagecheck.visit(chromium, served, path) as visit:
        problems = visit.problems + pagecheck.layout(visit.page)
        for root in visit.page.locator("[data-ntk-widget]").all():
            problems += pagecheck.controls_change_picture(root)
    assert problems == []


@pytest.mark.parametrize("path", [*PAGES, "index.html"])
def test_page_on_phone(chromium: Browser, served: str, path: str) -> None:
    with pagecheck.visit(chromium, served, path, pagecheck.PHONE) as visit:
        problems = visit.problems + pagecheck.layout(visit.page)
    assert problems == []


@pytest.mark.parametrize("path", [*PAGES, "index.html"])
def test_page_from_disk(chromium: Browser, site: Path, path: str) -> None:
    with pagecheck.visit(chromium, site.as_uri(), path) as visit:
        problems = visit.problems + pagecheck.layout(visit.page)
    assert problems == []


def test_folded_solutions_fit_a_phone(chromium: Browser, served: str) -> None:
    """What is folded away has a width too."""
    for path in PAGES:
        with pagecheck.visit(chromium, served, path, pagecheck.PHONE) as visit:
            visit.page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
            assert visit.problems + pagecheck.layout(visit.page) == [], path


def test_dark_mode_turns_figures(chromium: Browser, served: str) -> None:
    """Figures are black on nothing; in dark mode they are shown inverted."""
    for path in PAGES:
        with pagecheck.visit(chromium, served, path) as visit:
            visit.page.evaluate("document.documentElement.dataset.theme = 'dark'")
            filters = visit.page.eval_on_selector_all(
                ".bd-article figure img", "(images) => images.map((image) => getComputedStyle(image).filter)"
            )
            assert all("invert(1)" in text for text in filters), (path, filters)
