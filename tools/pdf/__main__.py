"""Print the built site as one PDF, and check it.

python -m pdf            # _build/pdf/ntkbook.pdf, from _build/html
python -m pdf --check    # only check the PDF that is there
"""

import argparse
import sys
from pathlib import Path

import browser
from ntksite.citation import read_citation
from ntksite.records import ROOT
from playwright.sync_api import Page, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import BooleanObject, NameObject
from serving import serve

from pdf.bind import Part, bind, collect
from pdf.check import beyond_margins, problems

PDF = Path("_build/pdf/ntkbook.pdf")
PASSES = 4  # the numbers in the contents may move what follows them


def folios(pdf: Path) -> dict[str, int]:
    """The number of the page, from 1, on which each place that is linked to stands."""
    reader = PdfReader(pdf)
    numbers = {page.indirect_reference: number for number, page in enumerate(reader.pages, 1)}
    return {
        name.removeprefix("/"): numbers[place.raw_get("/Page")] for name, place in reader.named_destinations.items()
    }


def write(root: Path, page: Page, address: str) -> None:
    """Print until the numbers in the contents are those of the pages."""
    (root / PDF).parent.mkdir(parents=True, exist_ok=True)
    parts = collect(page, address, root)
    found: dict[str, int] = {}
    for _ in range(PASSES):
        source = root / PDF.with_suffix(".html")
        source.write_text(bind(root, parts, found))
        page.goto(f"{address}/{PDF.with_suffix('.html')}")
        page.evaluate("document.fonts.ready")
        if wide := list(beyond_margins(page)):
            raise ValueError("\n".join(["this does not fit on the page:", *wide]))
        page.pdf(path=root / PDF, prefer_css_page_size=True, print_background=True, tagged=True)
        before, found = found, folios(root / PDF)
        if found == before:
            finish(root, parts, found)
            return
    raise RuntimeError(f"the page numbers of the contents still change after {PASSES} passes")


def finish(root: Path, parts: dict[str, Part], found: dict[str, int]) -> None:
    """The outline, whose entries Chromium would write twice, and what readers' programs show of a file."""
    writer = PdfWriter(clone_from=root / PDF)
    for part in parts.values():
        chapter, *sections = part["headings"]
        above = writer.add_outline_item(title=chapter["text"], page_number=found[chapter["id"]] - 1)
        for section in sections:
            writer.add_outline_item(title=section["text"], page_number=found[section["id"]] - 1, parent=above)
    writer.add_metadata({"/Author": ", ".join(read_citation(root).authors), "/Creator": "ntkbook"})
    writer.page_mode = "/UseOutlines"
    writer.create_viewer_preferences()[NameObject("/DisplayDocTitle")] = BooleanObject(True)
    writer.write(root / PDF)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pdf", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="check the PDF that is there")
    if not parser.parse_args().check:
        with serve(ROOT) as address, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser.find(), args=["--no-sandbox"])
            write(ROOT, chromium.new_page(), address)
    wrong = list(problems(ROOT / PDF))
    print(*wrong, sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
