"""Every page of the built site in a browser: served and from disk, on a desktop and on a phone."""

from __future__ import annotations

from pathlib import Path

import pagecheck
import pytest
from ntksite.records import documents
from playwright.sync_api import Browser

pytestmark = [pytest.mark.site, pytest.mark.browser]

PAGES = [f"{document}.html" for document in documents()]


@pytest.mark.parametrize("path", PAGES)
def test_page_on_desktop(chromium: Browser, served: str, path: str) -> None:
    with pagecheck.visit(chromium, served, path) as visit:
        problems = visit.problems + pagecheck.layout(visit.page)
        for root in visit.page.locator("[data-ntk-widget]").all():
            problems += pagecheck.controls_change_picture(root)
    assert problems == []


@pytest.mark.parametrize("path", PAGES)
def test_page_on_phone(chromium: Browser, served: str, path: str) -> None:
    """Nothing is wider than the screen, what is folded away included."""
    with pagecheck.visit(chromium, served, path, pagecheck.PHONE) as visit:
        problems = visit.problems + pagecheck.layout(visit.page)
        visit.page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
        problems += pagecheck.layout(visit.page)
    assert problems == []


@pytest.mark.parametrize("path", PAGES)
def test_page_from_disk(chromium: Browser, site: Path, path: str) -> None:
    """Without a server all works as well; in dark mode the figures, black on nothing, are turned round."""
    with pagecheck.visit(chromium, site.as_uri(), path) as visit:
        problems = visit.problems + pagecheck.layout(visit.page)
        visit.page.evaluate("document.documentElement.dataset.theme = 'dark'")
        filters = visit.page.eval_on_selector_all(
            ".bd-article figure img", "(images) => images.map((image) => getComputedStyle(image).filter)"
        )
    assert problems == []
    assert all("invert(1)" in text for text in filters)


def test_front_door_leads_to_the_first_page(chromium: Browser, site: Path, served: str) -> None:
    for base in (served, site.as_uri()):
        page = chromium.new_page()
        page.goto(f"{base}/index.html")
        page.wait_for_url(f"{base}/{PAGES[0]}")
        page.close()


def test_a_question_answers_in_the_page(chromium: Browser, site: Path) -> None:
    """By pointer and by keyboard; the reply to the chosen answer is seen, and no other."""
    page = chromium.new_page()
    page.goto(f"{site.as_uri()}/book/networks.html")
    question = page.locator("fieldset.ntk-check").first
    buttons, replies = question.get_by_role("radio"), question.locator(".ntk-reply")

    def visible() -> list[bool]:
        return [replies.nth(k).is_visible() for k in range(replies.count())]

    assert visible() == [False, False, False]
    question.locator("label").nth(1).click()
    assert visible() == [False, True, False] and replies.nth(1).inner_text().startswith("Right.")
    page.keyboard.press("ArrowDown")
    assert buttons.nth(2).is_checked()
    assert visible() == [False, False, True] and replies.nth(2).inner_text().startswith("Not quite.")
    page.close()


def test_graph_fades_what_a_result_does_not_need(chromium: Browser, site: Path) -> None:
    page = chromium.new_page(reduced_motion="reduce")
    page.goto(f"{site.as_uri()}/book/dependencies.html")

    def faded() -> set[str]:
        boxes = "(nodes) => nodes.filter((node) => getComputedStyle(node).opacity < 0.5).map((n) => n.dataset.name)"
        page.wait_for_timeout(300)
        return set(page.eval_on_selector_all(".ntk-graph a", boxes))

    assert faded() == set()
    page.locator("[data-name=hierarchy]").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")  # focus that is seen
    assert {"rules", "truncation"} <= faded() and not {"hierarchy", "ntk", "flow", "smooth"} & faded()
    page.keyboard.press("Enter")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    assert "#result-hierarchy" in page.url and "rules" in faded() and "ntk" not in faded()
    page.close()
