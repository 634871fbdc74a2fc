"""The site as one file: unpacked, and opened where there is no network."""

from __future__ import annotations

import zipfile
from pathlib import Path

import offline
import pagecheck
import pytest
from playwright.sync_api import Browser

pytestmark = [pytest.mark.site, pytest.mark.browser]


@pytest.fixture(scope="module")
def unpacked(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offline")
    with zipfile.ZipFile(offline.ARCHIVE) as archive:
        archive.extractall(folder)
    return folder / offline.FOLDER


def test_the_archive_holds_what_readers_open(site: Path, unpacked: Path) -> None:
    packed = {path.relative_to(unpacked) for path in unpacked.rglob("*") if path.is_file()}
    built = {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    assert {path.parts[0] for path in built - packed} <= offline.NOT_FOR_READERS
    assert packed <= built and all((site / path).read_bytes() == (unpacked / path).read_bytes() for path in packed)


def test_packing_twice_gives_the_same_file(site: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        offline.pack(site / "_static", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_chapter_without_a_network(chromium: Browser, unpacked: Path) -> None:
    """Formulas, interactive figures, previews and the search are all there."""
    with pagecheck.visit(chromium, unpacked.as_uri(), "book/theorem-2-3.html") as visit:
        visit.page.context.set_offline(True)
        visit.page.reload()
        problems = visit.problems + pagecheck.widgets_ready(visit.page) + pagecheck.layout(visit.page)
        for root in visit.page.locator("[data-ntk-widget]").all():
            problems += pagecheck.controls_change_picture(root)
        visit.page.locator("article a", has_text="(2.1)").first.focus()
        visit.page.locator(".ntk-preview mjx-container").first.wait_for()
        visit.page.goto(f"{unpacked.as_uri()}/search.html?q=hierarchy")
        visit.page.locator("#search-results li a").first.wait_for()
    assert problems == []
