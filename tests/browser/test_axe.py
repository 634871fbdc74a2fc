"""axe-core finds no barrier on any page: in light and dark, on a desktop and on a phone, with all folds open."""

from __future__ import annotations

import pagecheck
import pytest
from ntksite.records import ROOT, documents
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.site, pytest.mark.browser]

PAGES = [*(f"{document}.html" for document in documents()), "search.html", "404.html"]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"

RUN = """
async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, impact, nodes }) => nodes.map(({ html }) => `${id} (${impact}): ${html}`));
}
"""


def barriers(page: Page) -> list[str]:
    problems = []
    page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
    page.evaluate("document.querySelector('#pst-back-to-top')?.style.setProperty('display', 'block')")
    page.evaluate(AXE.read_text())
    for viewport in (pagecheck.DESKTOP, pagecheck.PHONE):
        page.set_viewport_size(viewport)
        page.mouse.move(150, 200 if viewport is pagecheck.DESKTOP else 0)  # it rests on the contents
        page.wait_for_timeout(600)  # then what scrolls now has become a stop of the Tab key
        for theme in ("light", "dark"):
            page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
            page.wait_for_timeout(250)  # colours fade from one to the other
            found = page.evaluate(RUN)
            problems += [f"{theme}, {viewport['width']} pixels: {problem[:200]}" for problem in found]
    return problems


@pytest.mark.parametrize("path", PAGES)
def test_no_barrier(chromium: Browser, served: str, path: str) -> None:
    with pagecheck.visit(chromium, served, path) as visit:
        assert barriers(visit.page) == []


def test_no_barrier_where_something_was_read(chromium: Browser, served: str) -> None:
    """The toggles are pressed, and the first page shows all that it can, before and after it was forgotten."""
    with pagecheck.visit(chromium, served, "book/networks.html") as visit:
        for button in visit.page.locator("button[aria-pressed]").all():
            button.click()
        assert barriers(visit.page) == []
        visit.page.goto(f"{served}/book/index.html")
        assert barriers(visit.page) == []
        visit.page.get_by_role("button", name="Forget what I read").click()
        assert barriers(visit.page) == []
