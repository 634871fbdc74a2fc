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
    """Nothing is wider than the screen or cut, what is folded away included, and on a desktop at 400 %."""
    with pagecheck.visit(chromium, served, path, pagecheck.PHONE) as visit:
        problems = visit.problems + pagecheck.layout(visit.page)
        visit.page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
        problems += pagecheck.layout(visit.page)
        visit.page.set_viewport_size(pagecheck.ENLARGED)
        visit.page.wait_for_timeout(300)
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


# -- readers of every kind -----------------------------------------------------------------------------------------

FORMULAS = """
() => [...document.querySelectorAll("div.math, mjx-container")].filter((node) => node.checkVisibility())
  .map((node) => [node.tabIndex === 0, node.scrollWidth > node.clientWidth + 1])
"""


def test_formula_is_a_stop_of_the_tab_key_only_where_it_scrolls(chromium: Browser, served: str) -> None:
    for viewport in (pagecheck.DESKTOP, pagecheck.ENLARGED):
        with pagecheck.visit(chromium, served, "book/theorem-2-3.html", viewport) as visit:
            visit.page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
            visit.page.wait_for_timeout(300)
            formulas = visit.page.evaluate(FORMULAS)
            assert all(stop == scrolls for stop, scrolls in formulas)
    assert any(stop for stop, _ in formulas)  # some scroll on a small screen


def test_keyboard_sees_where_it_is(chromium: Browser, served: str) -> None:
    """Every stop before the text has a ring."""
    with pagecheck.visit(chromium, served, "book/networks.html") as visit:
        ring = "() => [document.activeElement.outerHTML.slice(0, 90), getComputedStyle(document.activeElement).outline]"
        inside = "() => document.querySelector('article').contains(document.activeElement)"
        bare = []
        while not visit.page.evaluate(inside):
            visit.page.keyboard.press("Tab")
            stop, outline = visit.page.evaluate(ring)
            bare += [stop] if " none " in outline or "0px" in outline else []
    assert bare == []


def test_reply_is_announced(chromium: Browser, served: str) -> None:
    """The place of the reply is there, and announces itself, before there is a reply."""
    with pagecheck.visit(chromium, served, "book/networks.html") as visit:
        question = visit.page.locator("fieldset.ntk-check").first
        places = question.get_by_role("status")
        assert [place.inner_text() for place in places.all()] == ["", "", ""]
        question.get_by_role("radio").nth(1).check()
        assert places.nth(1).inner_text().startswith("Right.")


def test_address_of_a_solution_opens_it(chromium: Browser, served: str) -> None:
    with pagecheck.visit(chromium, served, "book/networks.html") as visit:
        fold = visit.page.locator("details[id$=-solution]").first
        assert not fold.evaluate("node => node.open")
        visit.page.goto(f"{served}/book/networks.html#{fold.get_attribute('id')}")
        visit.page.wait_for_function("document.querySelector('details:target').open")
        assert not visit.page.locator("details[id$=-solution]").nth(1).evaluate("node => node.open")


CONTRAST = """
([selector, property]) => {
  const light = (colour) => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
    const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll(selector)].map((node) => {
    const ink = light(getComputedStyle(node)[property]);
    return Math.max(ink, paper) / Math.min(ink, paper);
  });
}
"""


@pytest.mark.parametrize(
    ("path", "drawn"),
    [
        ("book/theorem-2-3.html", '[data-ntk-widget] svg path[stroke="var(--ntk-ink)"]'),
        ("book/dependencies.html", ".ntk-graph svg > path"),
    ],
)
def test_systems_own_colours(chromium: Browser, served: str, path: str, drawn: str) -> None:
    """Curves and arrows are seen on a black page though the light theme was chosen."""
    context = chromium.new_context(forced_colors="active", color_scheme="dark", reduced_motion="reduce")
    page = context.new_page()
    page.add_init_script("localStorage.setItem('mode', 'light'); localStorage.setItem('theme', 'light')")
    page.goto(f"{served}/{path}")
    page.wait_for_function("(drawn) => document.querySelector(drawn)", arg=drawn)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"
    assert min(page.evaluate(CONTRAST, [drawn, "stroke"])) > 4.5
    context.close()


def test_page_without_scripts(chromium: Browser, served: str) -> None:
    """It says what is missing, and has its colours."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served}/book/networks.html")
    assert page.locator(".ntk-noscript").is_visible()
    assert page.locator("html").get_attribute("data-theme") == "light"  # "auto" has no colours
    context.close()


def test_page_where_nothing_may_be_stored(chromium: Browser, served: str) -> None:
    """Search and the choice of colours work, without an error, though the browser keeps nothing for the page."""
    page = chromium.new_page(color_scheme="light")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', "
        "{ configurable: true, get() { throw new DOMException('denied', 'SecurityError'); } })"
    )
    page.goto(f"{served}/book/networks.html")
    theme = "document.documentElement.dataset.theme"
    page.locator(".theme-switch-button").click()
    first = page.evaluate(theme)
    page.locator(".theme-switch-button").click()
    assert {first, page.evaluate(theme)} == {"light", "dark"}
    page.keyboard.press("Control+k")
    page.locator("#pst-search-dialog input").fill("hierarchy")
    page.keyboard.press("Enter")
    page.locator("#search-results li").first.wait_for()
    assert errors == []
    page.close()


def test_copied_example_has_neither_prompts_nor_outputs(chromium: Browser, served: str) -> None:
    context = chromium.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{served}/book/api.html")
    example = page.locator(".ntk-api .highlight:has(.go)").first
    example.hover()
    example.locator("button.copybtn").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() and ">>>" not in copied and "..." not in copied
    assert example.locator(".go").first.inner_text().strip() not in copied.splitlines()
    selected = page.evaluate(
        "(node) => { getSelection().selectAllChildren(node); return `${getSelection()}`; }",
        example.locator("pre").element_handle(),
    )
    assert ">>>" not in selected
    context.close()


def test_search_finds_names_with_accents_and_quotes_the_text(chromium: Browser, served: str) -> None:
    page = chromium.new_page()
    found = {}
    for word in ("Gronwall", "Gr\u00f6nwall"):
        page.goto(f"{served}/search.html?q={word}")
        page.locator("#search-results li p.context").first.wait_for()
        found[word] = page.locator("#search-results li > a").all_inner_texts()
        for excerpt in page.locator("#search-results li p.context").all_inner_texts():
            assert not excerpt.lstrip(". ").startswith((".ipynb", "Contents", "Toggle", "Print"))
    assert found["Gronwall"] == found["Gr\u00f6nwall"] != []
    page.close()
