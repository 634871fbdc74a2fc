"""The built pages as one document: collected from a browser, with a title page and a list of contents."""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TypedDict

from ntksite.citation import read_citation
from ntksite.edition import read_edition
from ntksite.records import documents
from playwright.sync_api import Page

SITE = Path("_build/html")
COLLECT = "async (name) => (await import('/tools/pdf/collect.js')).collect(name)"
WAIT = "() => [...document.querySelectorAll('[data-ntk-widget]')].every((node) => node.dataset.ntkState === 'ready')"
FONTS = {
    "source-serif-4": ("400", "400-italic", "700", "700-italic"),
    "source-sans-3": ("400", "400-italic", "600", "600-italic"),
    "source-code-pro": ("400", "600"),
}

DOCUMENT = """<!doctype html>
<html lang="en" data-theme="light">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="author" content="{authors}">
{sheets}
<style>{rules}</style>
<link rel="stylesheet" href="/tools/pdf/book.css">
<style>{running}</style>
</head>
<body>
<main class="bd-article ntk-cover">
<p class="ntk-title">{title}</p>
<p class="ntk-subtitle">{subtitle}</p>
<p>{authors}</p>
<p class="ntk-imprint">{imprint}</p>
</main>
<nav class="bd-article ntk-contents" aria-label="Contents">
<h1>Contents</h1>
{contents}
</nav>
{articles}
</body>
</html>
"""


class Heading(TypedDict):
    """A chapter (level 1) or a section, as `collect.js` gives it."""

    id: str
    level: int
    html: str
    text: str


class Part(TypedDict):
    """A page, as `collect.js` gives it."""

    headings: list[Heading]
    html: str
    sheets: list[str]
    rules: list[str]


def collect(page: Page, address: str, root: Path) -> dict[str, Part]:
    """The parts of the book by the names of their pages, in the order of the table of contents."""
    parts = {}
    for document in documents(root):
        name = Path(document).name
        page.goto(f"{address}/{SITE}/{document}.html")
        page.wait_for_function(WAIT)
        parts[name] = page.evaluate(COLLECT, name)
    return parts


def bind(root: Path, parts: dict[str, Part], folios: dict[str, int]) -> str:
    """The document to print. `folios`: the page on which each heading stands, as far as it is known."""
    citation, edition = read_citation(root), read_edition(root)
    title, _, subtitle = citation.title.partition(": ")
    links = dict.fromkeys(sheet for part in parts.values() for sheet in part["sheets"])
    fonts = [f"/node_modules/@fontsource/{family}/{cut}.css" for family, cuts in FONTS.items() for cut in cuts]
    return DOCUMENT.format(
        title=escape(title),
        subtitle=escape(subtitle),
        authors=escape(", ".join(citation.authors)),
        imprint="<br>".join(imprint(str(edition), citation.site)),
        sheets="\n".join(f'<link rel="stylesheet" href="{sheet}">' for sheet in (*fonts, *links)),
        rules="\n".join(dict.fromkeys(rule for part in parts.values() for rule in part["rules"])),
        running="\n".join(running(name, part) for name, part in parts.items()),
        contents="\n".join(contents(parts, folios)),
        articles="\n".join(
            f'<article class="bd-article" id="{name}" style="page: {name}">{part["html"]}</article>'
            for name, part in parts.items()
        ),
    )


def imprint(edition: str, site: str) -> Iterator[str]:
    yield f"{edition}."
    yield "Text and figures: CC-BY-4.0. Code: BSD-3-Clause."
    if site:
        yield f'Read online: <a href="{site}">{site}</a>'
    yield "Interactive figures are printed in their opening state. Code that only draws or records is in the notebooks."


def running(name: str, part: Part) -> str:
    """The chapter's title at the head of its pages."""
    return f"@page {name} {{ @top-left {{ content: {json.dumps(part['headings'][0]['text'], ensure_ascii=False)}; }} }}"


def contents(parts: dict[str, Part], folios: dict[str, int]) -> Iterator[str]:
    for part in parts.values():
        for heading in part["headings"]:
            name, folio = heading["id"], folios.get(heading["id"], "")
            yield (
                f'<p class="ntk-entry-{heading["level"]}"><a href="#{escape(name)}">{heading["html"]}</a>'
                f'<span aria-hidden="true"></span><a href="#{escape(name)}">{folio}</a></p>'
            )
