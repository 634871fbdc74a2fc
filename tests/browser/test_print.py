"""A page on paper, and the whole book as a PDF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pagecheck
import pytest
from ntksite.records import documents
from pdf.__main__ import PDF
from pdf.bind import contents
from pdf.check import beyond_margins, problems
from playwright.sync_api import Browser
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject

ROOT = Path(__file__).resolve().parents[2]
PAGES = [f"{document}.html" for document in documents()]

# What a reader of paper would miss: text in a box that scrolls, a fold with words of the book, a reply.
MISSING = """
() => {
  const article = document.querySelector("article");
  const seen = (node) => node.checkVisibility() && node.getBoundingClientRect().height > 0;
  const missing = [];
  for (const node of article.querySelectorAll("details.sd-dropdown, .ntk-reply, [data-ntk-widget], .ntk-on-paper a")) {
    if (node.tagName === "DETAILS" ? !node.open : !seen(node)) missing.push(node.outerHTML.slice(0, 80));
  }
  for (const node of article.querySelectorAll("pre, .math, mjx-container, table")) {
    if (seen(node) && node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX !== "visible") {
      missing.push(`scrolls: ${node.outerHTML.slice(0, 80)}`);
    }
  }
  return missing;
}
"""

STATE = """
() => [
  document.documentElement.dataset.theme,
  document.querySelectorAll(".ntk-on-paper").length,
  ...[...document.querySelectorAll("details")].map((node) => node.open),
]
"""


# -- a page ------------------------------------------------------------------------------------------------------------


@pytest.mark.site
@pytest.mark.browser
@pytest.mark.parametrize("path", PAGES)
def test_a_page_on_paper(chromium: Browser, served: str, path: str) -> None:
    """From the dark theme: in light colours, nothing folded or scrolling; and afterwards all is as it was."""
    with pagecheck.visit(chromium, served, path, {"width": 650, "height": 900}) as visit:
        page = visit.page
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        before = page.evaluate(STATE)
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        missing = page.evaluate(MISSING)
        colour = page.evaluate("getComputedStyle(document.querySelector('article p')).color")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen")
        assert page.evaluate(STATE) == before
    assert visit.problems + missing == []
    assert max(int(part) for part in colour.strip("rgb()").split(",")) < 128


@pytest.mark.site
@pytest.mark.browser
def test_a_figure_on_paper_says_where_it_moves(chromium: Browser, served: str) -> None:
    """At the page's own address, where the site has one."""
    with pagecheck.visit(chromium, served, "book/theorem-2-3.html") as visit:
        address = "https://ada.github.io/ntkbook/book/theorem-2-3.html"
        visit.page.evaluate(
            """(href) => {
              document.querySelector("link[rel=canonical]")?.remove();
              document.head.append(Object.assign(document.createElement("link"), { rel: "canonical", href }));
            }""",
            address,
        )
        visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        links = visit.page.eval_on_selector_all(".ntk-on-paper a", "(links) => links.map((link) => link.href)")
        widgets = visit.page.eval_on_selector_all(
            "[data-ntk-widget]", "(widgets) => widgets.map((widget) => widget.id)"
        )
    assert links == [f"{address}#{name}" for name in widgets] and links


# -- the book ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book() -> PdfReader:
    assert (ROOT / PDF).exists(), "there is no PDF; run `make pdf`"
    return PdfReader(ROOT / PDF)


@pytest.mark.site
def test_the_book_as_a_pdf(book: PdfReader) -> None:
    assert list(problems(ROOT / PDF)) == []


@pytest.mark.site
def test_every_page_of_the_site_is_a_chapter_of_the_outline(book: PdfReader) -> None:
    chapters = [entry for entry in book.outline if not isinstance(entry, list)]
    assert len(chapters) == len(PAGES)
    starts = [book.get_destination_page_number(entry) for entry in chapters]
    assert starts == sorted(set(starts))


@pytest.mark.site
def test_the_contents_number_the_pages(book: PdfReader) -> None:
    """Each line ends with the page on which the chapter that it names begins, as the outline has it."""
    lines = [line for page in book.pages[1:5] for line in page.extract_text().splitlines()]
    for entry in book.outline:
        if not isinstance(entry, list):
            number = book.get_destination_page_number(entry) + 1
            assert any(line.startswith(entry.title[:20]) and line.rstrip().endswith(str(number)) for line in lines)


def heading(name: str) -> dict:
    return {"id": name, "level": 1, "html": name, "text": name}


def test_contents_leave_room_for_numbers_that_are_not_known() -> None:
    parts = {"a": {"headings": [heading("a"), heading("a--b")], "html": "", "sheets": [], "rules": []}}
    first, second = contents(parts, {"a": 7})
    assert first.endswith(">7</a></p>") and second.endswith("></a></p>")


# -- what the check of the PDF sees ------------------------------------------------------------------------------------

SOUND = '<h1 id="top">Title</h1><p><a href="#top">up</a> Some words.</p><img src="{drawing}" alt="A square.">'
DRAWING = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><path d='M0,0H9V9Z'/></svg>"
PIXELS = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@pytest.fixture
def printed(chromium: Browser, tmp_path: Path) -> Callable[..., list[str]]:
    """The problems of a small document, printed as the book is."""

    def check(body: str, *, lang: str = "en", tagged: bool = True, outline: bool = True) -> list[str]:
        page = chromium.new_page()
        style = "@page { size: A4; margin: 24mm 27mm } body { margin: 0 }"
        page.set_content(f"<html lang='{lang}'><title>T</title><style>{style}</style>{body}</html>")
        page.pdf(path=tmp_path / "a.pdf", prefer_css_page_size=True, tagged=tagged, outline=outline)
        wrong = [*problems(tmp_path / "a.pdf"), *beyond_margins(page)]
        page.close()
        return wrong

    return check


@pytest.mark.browser
@pytest.mark.parametrize(
    ("body", "options", "found"),
    [
        (SOUND, {"tagged": False, "outline": False}, ["the PDF is not tagged", "the PDF has no outline"]),
        (SOUND, {"lang": ""}, ["the PDF does not say its language"]),
        (SOUND + '<a href="http://127.0.0.1/x">x</a>', {}, ["a link to http://127.0.0.1/x"]),
        (SOUND.replace("#top", "https://there.invalid"), {}, ["no link leads to a place of the book"]),
        (SOUND.replace("{drawing}", PIXELS), {}, ["an image of 1 x 1 pixels"]),
        (
            f'{SOUND}<p style="opacity: 0.5">Faint <img src="{PIXELS}" alt="A dot."></p>',
            {},
            ["an image of 1 x 1 pixels"],
        ),
        (SOUND.replace(' alt="A square."', ' alt=" "'), {}, ["has no words"]),
        (SOUND + f"<pre style='width: min-content'>{'x = 1; ' * 30}</pre>", {}, ["pixels too wide: <pre"]),
        (SOUND + "<p style='margin-left: -9mm'>early</p>", {}, ["34 pixels too wide: <p"]),
    ],
)
def test_the_check_sees(printed: Callable[..., list[str]], body: str, options: dict, found: list[str]) -> None:
    wrong = printed(body.replace("{drawing}", DRAWING), **options)
    assert all(any(text in line for line in wrong) for text in found), wrong


@pytest.mark.browser
def test_the_check_finds_nothing_in_a_sound_document(printed: Callable[..., list[str]]) -> None:
    assert printed(SOUND.replace("{drawing}", DRAWING)) == []


def test_the_check_sees_a_font_that_stays_at_home(tmp_path: Path) -> None:
    writer = PdfWriter()
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({NameObject(key): NameObject(value) for key, value in names.items()})
    fonts = DictionaryObject({NameObject("/F1"): font})
    page = writer.add_blank_page(100, 100)
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    writer.write(tmp_path / "a.pdf")
    assert "page 1: the font /Helvetica is not embedded" in problems(tmp_path / "a.pdf")
