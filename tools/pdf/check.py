"""What the PDF must be for its readers. Each check yields what is wrong, a line each."""

import ctypes
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw
from playwright.sync_api import Page
from pypdf import PdfReader
from pypdf.generic import DictionaryObject, IndirectObject

TEXT_WIDTH = int((210 - 2 * 27) / 25.4 * 96)  # pixels: A4 without the margins of book.css

WIDE = """
() => {
  const width = document.documentElement.clientWidth;
  const wide = [];
  for (const node of document.querySelectorAll("body *")) {
    if (node.closest("svg")?.contains(node.parentElement) && node.tagName !== "text") continue;
    const { left, right } = node.getBoundingClientRect();
    if (left < -1 || right > width + 1) {
      const beyond = Math.round(Math.max(-left, right - width));
      wide.push(`${node.closest("[id]")?.id}: ${beyond} pixels too wide: ${node.outerHTML.slice(0, 70)}`);
    }
  }
  return wide;
}
"""


def problems(pdf: Path) -> Iterator[str]:
    """All that is wrong with the PDF at this path."""
    reader, document = PdfReader(pdf), pdfium.PdfDocument(pdf)
    for check in (untold, dead_links, wrong_outline, loose_fonts, rasters):
        yield from check(reader)
    yield from unnamed_figures(document)


def resolve(value: Any) -> Any:
    return value.get_object() if isinstance(value, IndirectObject) else value


def untold(pdf: PdfReader) -> Iterator[str]:
    """Screen readers need tags, a language and a title."""
    catalog = pdf.root_object
    if not resolve(catalog.get("/MarkInfo", {})).get("/Marked") or "/StructTreeRoot" not in catalog:
        yield "the PDF is not tagged"
    if not catalog.get("/Lang"):
        yield "the PDF does not say its language"
    if not (pdf.metadata and pdf.metadata.title):
        yield "the PDF has no title"


def annotations(pdf: PdfReader) -> Iterator[tuple[int, DictionaryObject]]:
    """The links, each with the number of its page."""
    for number, page in enumerate(pdf.pages, 1):
        for annotation in resolve(page.get("/Annots", [])):
            link = resolve(annotation)
            if link.get("/Subtype") == "/Link":
                yield number, link


def dead_links(pdf: PdfReader) -> Iterator[str]:
    """A link leads to a place of the book, or into the world."""
    places = {name.removeprefix("/") for name in pdf.named_destinations}
    inside = 0
    for number, link in annotations(pdf):
        action = resolve(link.get("/A", {}))
        address = str(action.get("/URI", ""))
        if re.match(r"(file:|https?://(127\.|localhost))", address):
            yield f"page {number}: a link to {address}"
        if not address:
            place = str(link.get("/Dest", action.get("/D", ""))).removeprefix("/")
            inside += 1
            if place not in places:
                yield f"page {number}: a link to {place!r}, which is no place of the book"
    if not inside:
        yield "no link leads to a place of the book"


def used(pdf: PdfReader, kind: str) -> Iterator[tuple[int, Any]]:
    """What the pages use of one kind, inside of the groups that they draw as well, with the number of the page."""

    def within(holder: Any) -> Iterator[Any]:
        resources = resolve(holder.get("/Resources", {}))
        yield from map(resolve, resolve(resources.get(kind, {})).values())
        for thing in map(resolve, resolve(resources.get("/XObject", {})).values()):
            if thing["/Subtype"] == "/Form":
                yield from within(thing)

    for number, page in enumerate(pdf.pages, 1):
        for thing in within(page):
            yield number, thing


def loose_fonts(pdf: PdfReader) -> Iterator[str]:
    """Every font comes with its letters: in a file, or drawn one by one (Type3)."""
    for number, font in used(pdf, "/Font"):
        if font["/Subtype"] == "/Type3":
            continue
        holder = resolve(resolve(font["/DescendantFonts"])[0]) if "/DescendantFonts" in font else font
        if not any(key.startswith("/FontFile") for key in resolve(holder.get("/FontDescriptor", {}))):
            yield f"page {number}: the font {font.get('/BaseFont')} is not embedded"


def rasters(pdf: PdfReader) -> Iterator[str]:
    """Figures are drawn, not painted."""
    for number, thing in used(pdf, "/XObject"):
        if thing["/Subtype"] == "/Image":
            yield f"page {number}: an image of {thing['/Width']} x {thing['/Height']} pixels"


def wrong_outline(pdf: PdfReader) -> Iterator[str]:
    """Each entry of the outline leads to the page that holds its title."""
    if not pdf.outline:
        yield "the PDF has no outline"
    for entry in entries(pdf.outline):
        number = pdf.get_destination_page_number(entry)
        if number is None or squeezed(entry.title) not in squeezed(pdf.pages[number].extract_text()):
            yield f"the outline leads to page {number and number + 1} for {entry.title!r}, which is not there"


def entries(outline: Any) -> Iterator[Any]:
    """Those of all levels: what stands below an entry is a list behind it."""
    for entry in outline:
        if isinstance(entry, list):
            yield from entries(entry)
        else:
            yield entry


def squeezed(text: str) -> str:
    return re.sub(r"\W+", "", text)


def unnamed_figures(document: pdfium.PdfDocument) -> Iterator[str]:
    """Formulas and figures have words for those who do not see them."""
    for number, page in enumerate(document, 1):
        tree = raw.FPDF_StructTree_GetForPage(page)
        tops = (raw.FPDF_StructTree_GetChildAtIndex(tree, k) for k in range(raw.FPDF_StructTree_CountChildren(tree)))
        for element in (below for top in tops for below in descend(top)):
            if told(raw.FPDF_StructElement_GetType, element) == "Figure":
                if not told(raw.FPDF_StructElement_GetAltText, element).strip():
                    yield f"page {number}: a figure or formula has no words for those who do not see it"
        raw.FPDF_StructTree_Close(tree)


def descend(element: Any) -> Iterator[Any]:
    yield element
    for k in range(raw.FPDF_StructElement_CountChildren(element)):
        child = raw.FPDF_StructElement_GetChildAtIndex(element, k)
        if child:
            yield from descend(child)


def told(ask: Callable[..., int], element: Any) -> str:
    """What a function of PDFium says of an element, in its UTF-16."""
    size = ask(element, None, 0)
    text = ctypes.create_string_buffer(size)
    ask(element, text, size)
    return text.raw.decode("utf-16-le").rstrip("\0")


def beyond_margins(page: Page) -> Iterator[str]:
    """No line, formula or program is wider than the text, in a document as it is laid out to be printed.

    Of the PDF it cannot be seen: Chromium cuts what stands in the margins, or prints the whole document smaller.
    """
    page.set_viewport_size({"width": TEXT_WIDTH, "height": 900})
    page.emulate_media(media="print")
    yield from page.evaluate(WIDE)
