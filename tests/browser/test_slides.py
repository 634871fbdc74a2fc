"""The decks in the browser: they fit, say in words what they show, and ask nothing of another host."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

pytest.importorskip("typst")

from course.settings import read_settings  # noqa: E402

from course import slides  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
MODULES = [module.module for module in read_settings(ROOT).modules]
FRAME = {"width": 1280, "height": 720}

# How far what a slide holds reaches beyond it, in pixels.
BEYOND = """
section => {
  const frame = section.getBoundingClientRect();
  const boxes = [...section.querySelectorAll("*")].map(node => node.getBoundingClientRect());
  return Math.max(...boxes.map(box => Math.max(box.right - frame.right, box.bottom - frame.bottom)));
}"""

pytestmark = [pytest.mark.site, pytest.mark.browser, pytest.mark.xdist_group("slides")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("slides")
    slides.build(ROOT, out)
    return out / "slides"


def too_full(page: Page, deck: Path) -> list[str]:
    """The slides that hold more than fits."""
    page.goto(deck.as_uri())
    found = []
    for number, frame in enumerate(page.locator("section").element_handles(), 1):
        page.evaluate(f"location.hash = '{number}'")
        page.wait_for_function("section => section.checkVisibility() && section.offsetWidth", arg=frame)
        if frame.evaluate(BEYOND) > 1 or frame.evaluate("section => section.scrollHeight > section.clientHeight"):
            found.append(f"slide {number} is too full")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_slides_fit_and_say_in_words_what_they_show(chromium: Browser, made: Path, module: str) -> None:
    page = chromium.new_page(viewport=FRAME)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    assert too_full(page, made / f"{module}.html") == []
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    assert page.locator("html").get_attribute("lang") == "en" and page.title()
    assert page.locator("img:not([alt]), img[alt='']").count() == 0
    assert page.locator("mjx-container").count() == page.locator("[role=img][aria-label] mjx-container").count()
    page.close()


def test_a_slide_that_is_too_full_is_seen(chromium: Browser, made: Path, tmp_path: Path) -> None:
    page = chromium.new_page(viewport=FRAME)
    text = (made / f"{MODULES[0]}.html").read_text()
    for more in ("<p style='width: 2000px'>wide</p>", "<p>one more</p>" * 20):
        deck = tmp_path / "deck.html"
        deck.write_text(text.replace("<h2", f"{more}<h2", 1))
        assert too_full(page, deck) == ["slide 2 is too full"]
    page.close()
