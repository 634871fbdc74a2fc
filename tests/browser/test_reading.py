"""What was read and solved is remembered in the browser: across pages and tabs, and nowhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pagecheck
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from serving import serve

pytestmark = [pytest.mark.site, pytest.mark.browser]

FIRST, SECOND = "book/networks", "book/deriving"
READ = {"read": [FIRST], "solved": ["ex-sizes", "ex-bias"]}
PLACE = [FIRST, "the-frozen-kernel"]
KEYS = "const key = `ntk-reading-1 ${new URL('..', location).pathname}`; const keys = [key, `${key} last`];"
KEEP = f"(kept) => {{ {KEYS} keys.forEach((key, k) => localStorage.setItem(key, kept[k])); }}"
KEPT = f"() => {{ {KEYS} return keys.map((key) => JSON.parse(localStorage.getItem(key))); }}"


@contextmanager
def reader(browser: Browser, **settings: object) -> Iterator[BrowserContext]:
    """A browser that remembers nothing yet, and whose pages may have no error."""
    context = browser.new_context(reduced_motion="reduce", **settings)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert errors == []


def opened(context: BrowserContext, base: str, name: str) -> Page:
    page = context.new_page()
    page.goto(f"{base}/{name}.html")
    return page


def remembering(
    context: BrowserContext, base: str, name: str = "book/index", marks: str = json.dumps(READ), place: object = PLACE
) -> Page:
    """A page of a browser with something under the book's keys."""
    page = opened(context, base, "book/bibliography")
    page.evaluate(KEEP, [marks, place if isinstance(place, str) else json.dumps(place)])
    page.goto(f"{base}/{name}.html")
    return page


def chapter_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Mark chapter as read")


def in_contents(page: Page, name: str) -> Locator:
    return page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile(name))


def expect_progress(page: Page, first: str = "", second: str = "") -> None:
    """What the first page's table says below its chapters; nothing from the third on."""
    notes = page.locator("article table tbody tr td:nth-child(2) .ntk-reading-progress")
    expect(notes).to_have_text([first, second, *[""] * 5])


def test_a_chapter_marked_as_read_is_so_after_a_reload_and_on_other_pages(chromium: Browser, served: str) -> None:
    with reader(chromium) as context:
        page = opened(context, served, FIRST)
        expect(in_contents(page, "^1. .* read$")).to_have_count(0)
        chapter_button(page).focus()
        page.keyboard.press("Space")
        for name in (FIRST, SECOND, "book/glossary", "search"):
            page.goto(f"{served}/{name}.html")
            expect(in_contents(page, "^1. .* read$")).to_be_visible()
            expect(in_contents(page, " read$")).to_have_count(1)
        page.goto(f"{served}/{FIRST}.html")
        expect(chapter_button(page)).to_have_attribute("aria-pressed", "true")
        chapter_button(page).click()
        expect(chapter_button(page)).to_have_attribute("aria-pressed", "false")
        expect(in_contents(page, " read$")).to_have_count(0)
        assert page.evaluate(KEPT)[0] == {"read": [], "solved": []}


def test_first_page_shows_how_far_one_has_come(chromium: Browser, served: str) -> None:
    with reader(chromium) as context:
        page = opened(context, served, SECOND)
        toggles = page.get_by_role("button", name=re.compile(r"^Solved: Exercise 2\.\d$"))
        total = page.locator("div.exercise").count()
        expect(toggles).to_have_count(total)
        for k in (0, 2):
            toggles.nth(k).click()
            expect(toggles.nth(k)).to_have_attribute("aria-pressed", "true")
        page.goto(f"{served}/book/index.html")
        expect_progress(page, second=f"2 of {total} solved")
        page.goto(f"{served}/{SECOND}.html")
        toggles.nth(2).click()
        chapter_button(page).click()
        page.goto(f"{served}/book/index.html")
        expect_progress(page, second=f"read · 1 of {total} solved")


def test_continue_leads_to_the_section_that_was_in_view(chromium: Browser, served: str) -> None:
    with reader(chromium) as context:
        page = opened(context, served, "book/index")
        expect(page.get_by_text("Continue:")).to_be_hidden()
        page.goto(f"{served}/{FIRST}.html")
        page.locator("#the-frozen-kernel").evaluate("(node) => node.scrollIntoView()")
        page.goto(f"{served}/book/glossary.html")  # at once, and no chapter
        page.goto(f"{served}/book/index.html")
        line = page.get_by_text("Continue:")
        expect(line).to_have_text(
            "Continue: 1. Networks, gradient flow and the neural tangent kernel — The frozen kernel"
        )
        line.get_by_role("link").click()
        page.wait_for_url(f"{served}/{FIRST}.html#the-frozen-kernel")

        page.goto(f"{served}/{SECOND}.html")
        page.wait_for_timeout(500)  # more than a glimpse
        page.goto(f"{served}/book/index.html")
        expect(line).to_have_text("Continue: 2. Deriving the hierarchy")
        expect(line.get_by_role("link")).to_have_attribute("href", f"{served}/{SECOND}.html")


def test_a_look_at_the_top_of_a_chapter_does_not_lose_the_place_in_it(chromium: Browser, served: str) -> None:
    with reader(chromium) as context:
        page = remembering(context, served, FIRST)
        page.wait_for_timeout(500)
        assert page.evaluate(KEPT) == [READ, PLACE]


def test_section_whose_title_has_a_formula_is_found_without_it(chromium: Browser, served: str) -> None:
    with reader(chromium) as context:
        page = opened(context, served, "book/index")
        chapters = json.loads(page.locator("script[data-chapters]").get_attribute("data-chapters"))
        name, chapter = next(item for item in chapters.items() if "" in item[1]["sections"].values())
        section = next(anchor for anchor, title in chapter["sections"].items() if not title)
        page = remembering(context, served, place=[name, section])
        link = page.get_by_text("Continue:").get_by_role("link")
        expect(link).to_have_text(chapter["title"])
        expect(link).to_have_attribute("href", f"{served}/{name}.html#{section}")


def test_all_is_forgotten_and_can_be_undone_until_the_page_is_left(chromium: Browser, served: str) -> None:
    with reader(chromium) as context:
        page = opened(context, served, "book/index")
        expect(page.get_by_text("is kept in this browser only and sent nowhere")).to_be_visible()
        forget = page.get_by_role("button", name="Forget what I read")
        expect(forget).to_be_hidden()  # nothing to forget

        page = remembering(context, served)
        forget, undo = (page.get_by_role("button", name=name) for name in ("Forget what I read", "Undo"))
        expect_progress(page, "read · 2 of 6 solved")
        forget.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text="Forgotten.")).to_be_visible()
        expect(undo).to_be_focused()
        expect(page.get_by_text("Continue:")).to_be_hidden()
        assert page.evaluate(KEPT) == [None, None]
        expect_progress(page)
        expect(in_contents(page, " read$")).to_have_count(0)

        page.keyboard.press("Enter")
        assert page.evaluate(KEPT) == [READ, PLACE]
        expect_progress(page, "read · 2 of 6 solved")
        expect(page.get_by_text("Continue:")).to_be_visible()
        forget.click()
        page.reload()
        assert page.evaluate(KEPT) == [None, None]
        expect(page.get_by_role("button", name=re.compile("Forget|Undo"))).to_have_count(0)


def test_two_tabs_show_the_same(chromium: Browser, served: str) -> None:
    with reader(chromium) as context:
        chapter, first = (opened(context, served, name) for name in (FIRST, "book/index"))
        chapter_button(chapter).click()
        expect(in_contents(first, "^1. .* read$")).to_be_visible()
        expect(first.get_by_text("— Further reading")).to_be_visible()  # the end, where the button stands
        first.get_by_role("button", name="Forget what I read").click()
        expect(chapter_button(chapter)).to_have_attribute("aria-pressed", "false")
        expect(in_contents(chapter, " read$")).to_have_count(0)
        chapter.get_by_role("button", name="Solved: Exercise 1.1").click()
        expect(first.get_by_text("1 of 6 solved")).to_be_visible()


def test_page_that_comes_back_shows_what_happened_since(chromium: Browser, served: str) -> None:
    """As it was left, from the browser's memory: it heard nothing meanwhile."""
    with reader(chromium) as context:
        page = opened(context, served, "book/index")
        page.evaluate(KEEP, [json.dumps(READ), json.dumps(PLACE)])
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
        expect(in_contents(page, "^1. .* read$")).to_be_visible()
        expect(page.get_by_text("Continue: 1.")).to_be_visible()


def test_pages_from_disk_remember_too(chromium: Browser, site: Path) -> None:
    """Now and then Chromium gives a page from disk an empty storage, whatever was kept; so each has a few tries."""
    with reader(chromium) as context:
        page = opened(context, site.as_uri(), FIRST)
        chapter_button(page).click()
        page.wait_for_timeout(500)
        shown = {
            "book/glossary": in_contents(page, "^1. .* read$"),
            "book/index": page.get_by_text("Continue: 1."),
            FIRST: page.locator(".ntk-reading-end [aria-pressed=true]"),
        }
        for name, seen in shown.items():
            for _ in range(5):
                page.goto(f"{site.as_uri()}/{name}.html")
                if seen.is_visible():
                    break
            expect(seen).to_be_visible()


def test_other_books_on_the_same_host_are_left_alone(chromium: Browser, site: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).symlink_to(site)
    with serve(tmp_path) as host, reader(chromium) as context:
        page = opened(context, f"{host}/one", FIRST)
        chapter_button(page).click()
        page.goto(f"{host}/two/{FIRST}.html")
        expect(chapter_button(page)).to_have_attribute("aria-pressed", "false")
        page.goto(f"{host}/two/book/index.html")
        page.get_by_role("button", name="Forget what I read").click()
        page.goto(f"{host}/one/book/index.html")
        expect_progress(page, "read")


@pytest.mark.parametrize(
    ("marks", "place"),
    [
        ("", ""),
        ("{", "{"),
        ("null", "null"),
        ("7", "7"),
        ('"read"', '"book/networks"'),
        ("[[1]]", '{"0": "book/networks"}'),
        ('{"read": 3, "solved": {"ex-sizes": true}}', '[["book/networks"]]'),
        ('{"read": [null, {}, "toString", ""], "solved": [["ex-sizes"]]}', '["constructor", "x"]'),
        ("{}", '["javascript:alert(1)//", "<b>"]'),
    ],
)
def test_what_is_not_understood_counts_as_nothing(chromium: Browser, served: str, marks: str, place: str) -> None:
    with reader(chromium) as context:
        page = remembering(context, served, marks=marks, place=place)
        expect_progress(page)
        expect(page.get_by_text("Continue:")).to_be_hidden()
        expect(page.locator(".ntk-reading-mark")).to_have_count(0)
        page.goto(f"{served}/{FIRST}.html")
        chapter_button(page).click()
        page.wait_for_timeout(500)
        kept = page.evaluate(KEPT)
        assert FIRST in kept[0]["read"] and kept[1][0] == FIRST


def test_section_that_is_no_longer_there_leads_to_its_chapter(chromium: Browser, served: str) -> None:
    with reader(chromium) as context:
        page = remembering(context, served, place=[FIRST, "toString"])
        link = page.get_by_text("Continue:").get_by_role("link")
        expect(link).to_have_text("1. Networks, gradient flow and the neural tangent kernel")
        expect(link).to_have_attribute("href", f"{served}/{FIRST}.html")


DENIED = {
    "denied": "Object.defineProperty(window, 'localStorage', "
    "{ configurable: true, get() { throw new DOMException('denied', 'SecurityError'); } })",
    "absent": "Object.defineProperty(window, 'localStorage', { configurable: true, value: null })",
    "full": "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; 0",
}


@pytest.mark.parametrize("how", DENIED)
def test_nothing_is_shown_where_nothing_can_be_kept(chromium: Browser, served: str, how: str) -> None:
    context = chromium.new_context()
    context.add_init_script(DENIED[how])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
    for name in ("book/index", FIRST):
        page.goto(f"{served}/{name}.html")
        expect(page.locator(".ntk-reading")).to_have_count(0)
    context.close()
    assert [error for error in errors if "reading.js" in error] == []


def test_storage_that_fills_up_later_leaves_all_as_it_was(chromium: Browser, served: str) -> None:
    with reader(chromium) as context:
        page = opened(context, served, FIRST)
        page.evaluate(DENIED["full"])
        chapter_button(page).click()
        expect(chapter_button(page)).to_have_attribute("aria-pressed", "false")


def test_nothing_is_shown_without_scripts(chromium: Browser, served: str) -> None:
    with reader(chromium, java_script_enabled=False) as context:
        for name in ("book/index", FIRST):
            page = opened(context, served, name)
            assert page.locator(".ntk-reading").count() == 0
            assert "is kept in this browser" not in page.content()


@pytest.mark.parametrize("name", ["book/index", FIRST, "book/theorem-2-3"])
def test_it_fits_small_screens_and_fingers_and_is_not_printed(chromium: Browser, served: str, name: str) -> None:
    with reader(chromium, viewport=pagecheck.PHONE) as context:
        page = remembering(context, served, name)
        page.evaluate("window.MathJax?.startup?.promise")
        for viewport in (pagecheck.PHONE, pagecheck.ENLARGED, {"width": 640, "height": 450}):
            page.set_viewport_size(viewport)
            page.wait_for_timeout(300)
            assert pagecheck.layout(page) == []
        for button in page.locator("button.ntk-reading:visible").all():
            box = button.bounding_box()
            assert box and min(box["width"], box["height"]) >= 24
        assert page.locator(".ntk-reading:visible").count()
        page.emulate_media(media="print")
        assert page.locator(".ntk-reading:visible").count() == 0


def test_systems_own_colours_show_what_is_marked(chromium: Browser, served: str) -> None:
    with reader(chromium, forced_colors="active", color_scheme="dark") as context:
        page = remembering(context, served, FIRST)
        colour = "(node, part) => getComputedStyle(node, part).borderRightColor"
        pressed, other = page.locator("[aria-pressed=true]").first, page.locator("[aria-pressed=false]").first
        assert pressed.evaluate(colour, "::after") == pressed.evaluate(colour, "::before") == "rgb(255, 255, 255)"
        assert other.evaluate("(node) => getComputedStyle(node, '::after').content") == "none"
