"""What links lead to is shown in place: by pointer, by keyboard, by tap, served and from disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pagecheck
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

pytestmark = [pytest.mark.site, pytest.mark.browser]

EQUATION = "article p a[href='theorem-2-3.html#equation-2-2']"


@contextmanager
def opened(browser: Browser, base: str, name: str, **settings: object) -> Iterator[Page]:
    page = browser.new_page(**settings)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{base}/book/{name}.html")
    page.evaluate("window.MathJax?.startup?.promise")  # else what is pointed at moves away
    yield page
    page.close()
    assert errors == []


def bring(page: Page, selector: str) -> Locator:
    link = page.locator(selector).first
    link.evaluate("(node) => node.scrollIntoView({ block: 'center' })")
    return link


@pytest.fixture(params=["served", "disk"])
def base(request: pytest.FixtureRequest, served: str, site: Path) -> str:
    return served if request.param == "served" else site.as_uri()


def test_pointing_at_a_link_shows_the_equation(chromium: Browser, base: str) -> None:
    with opened(chromium, base, "corollary-2-4") as page:
        link, box = bring(page, EQUATION), page.locator("#ntk-preview")
        link.hover()
        expect(box.locator("mjx-container")).to_be_visible()
        assert box.get_attribute("role") == "tooltip" and link.get_attribute("aria-describedby") == "ntk-preview"
        assert "(2.2)" in box.inner_text() and box.locator("[id], [tabindex], a").count() == 0

        box.hover()  # it stays while it is pointed at
        page.wait_for_timeout(500)
        expect(box).to_be_visible()
        page.keyboard.press("Escape")
        expect(box).to_be_hidden()
        assert link.get_attribute("aria-describedby") is None

        page.mouse.move(0, 0)
        link.hover()
        expect(box).to_be_visible()
        page.mouse.move(0, 0)  # leaving closes it
        expect(box).to_be_hidden()


def test_keyboard_focus_shows_and_leaves(chromium: Browser, base: str) -> None:
    with opened(chromium, base, "corollary-2-4") as page:
        link, box = bring(page, EQUATION), page.locator("#ntk-preview")
        link.focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")  # focus that is seen
        expect(box.locator("mjx-container")).to_be_visible()
        page.wait_for_timeout(500)  # what was to close it when the link was left does not
        expect(box).to_be_visible()
        page.keyboard.press("Escape")
        expect(box).to_be_hidden()
        expect(link).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("theorem-2-3.html#equation-2-2"))


def test_a_tap_shows_and_a_second_one_follows(chromium: Browser, base: str) -> None:
    with opened(chromium, base, "theorem-2-6", viewport=pagecheck.PHONE, has_touch=True) as page:
        link, box = bring(page, "article p a[href='theorem-2-3.html#thm-hierarchy']"), page.locator("#ntk-preview")
        link.tap()
        expect(box.locator("mjx-container").first).to_be_visible()
        assert box.get_attribute("role") == "dialog" and "Theorem 2.3" in box.inner_text()
        frame = box.bounding_box()
        assert frame and frame["x"] >= 0 and frame["x"] + frame["width"] <= page.viewport_size["width"]
        assert frame["y"] >= 0 and frame["y"] + frame["height"] <= page.viewport_size["height"]
        onwards = box.get_by_role("link", name="Go there")
        expect(onwards).to_be_in_viewport()
        assert pagecheck.layout(page) == []

        page.touchscreen.tap(4, 730)  # a tap elsewhere closes it
        expect(box).to_be_hidden()
        link.tap()
        onwards.tap()
        page.wait_for_url(re.compile("theorem-2-3.html#thm-hierarchy"))
        page.go_back()
        link.tap()
        expect(box).to_be_visible()
        link.tap()
        page.wait_for_url(re.compile("theorem-2-3.html#thm-hierarchy"))


@pytest.mark.parametrize(
    ("name", "selector", "text"),
    [
        ("networks", "a.ntk-word[href$='#term-gradient-flow']", r"gradient flow\s+Gradient descent with steps"),
        ("networks", "p a[href*='bibliography.html#']", "Dynamics of deep neural networks"),
        ("networks", "p a[href='#why-frozen']", "Why the kernel freezes"),
        ("corollary-2-4", "p a.internal[href*='theorem-2-3.html#fig-']", r"Fig\. 3\.\d"),
        ("theorem-2-6", "p.ntk-claim a[href='#equation-2-9']", r"\(2\.9\)"),
        ("errata", "p a[href$='#paper-c-20']", r"\(C\.20\)\s+a bound for the error"),
    ],
)
def test_each_kind_of_target(chromium: Browser, site: Path, name: str, selector: str, text: str) -> None:
    with opened(chromium, site.as_uri(), name) as page:
        page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
        bring(page, f"article {selector}").hover()
        expect(page.locator("#ntk-preview")).to_contain_text(re.compile(text))
        pictures = page.locator("#ntk-preview img")
        if pictures.count():
            expect(pictures.first).to_have_js_property("complete", True)
            assert pictures.first.evaluate("(image) => image.naturalWidth") > 0


def test_formulas_are_set_on_a_page_that_has_none(chromium: Browser, site: Path) -> None:
    with opened(chromium, site.as_uri(), "dependencies") as page:
        page.evaluate("delete window.MathJax")  # as on such a page
        bring(page, "article a[href$='#equation-1-3']").hover()
        expect(page.locator("#ntk-preview mjx-container")).to_be_visible()
