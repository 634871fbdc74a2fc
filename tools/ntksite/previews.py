"""What a link leads to, for a reader who points at it: the target's HTML, in a script beside the page.

A page opened from disk may not fetch files, but may load a script: `_static/previews/PAGE.js` holds what the links of
that page lead to, and `preview.js` loads it when it is first needed.
"""

import json
import posixpath
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.application import Sphinx

FOLDER = "_static/previews"
LINKS = "article.bd-article a.reference.internal[href*='#']"
HEADINGS = ["h1", "h2", "h3", "h4"]
LEFT_OUT = "a.headerlink, script, style, button"


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the previews of every page, from the pages as they were written."""
    if exception is not None or app.builder.name != "html":
        return
    root = Path(app.outdir)

    @cache
    def read(page: str) -> BeautifulSoup:
        return BeautifulSoup((root / page).read_text(), "html.parser")

    for document in app.env.found_docs:
        page = f"{document}.html"
        found: dict[str, str] = {}
        for address in {str(link["href"]) for link in read(page).select(LINKS)}:
            path, _, anchor = unquote(address).partition("#")
            other = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
            if shown := preview(read(other).find(id=anchor)):
                found[address] = detached(shown, other, page)
        file = root / FOLDER / f"{document}.js"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"window.ntkPreviews = {json.dumps(found, sort_keys=True, ensure_ascii=False)};\n")


def preview(target: Any) -> list[Tag]:
    """What is shown of a target: all of an equation, a statement, a figure, a cited work; the beginning of the rest."""
    if isinstance(target, Tag) and target.name == "span" and target.parent:
        target = target.parent  # a label of a section
    if not isinstance(target, Tag):
        return []
    classes = target.get_attribute_list("class")
    if target.name == "figure" or {"math", "admonition", "citation"} & set(classes):
        return [target]
    match target.name:
        case "section":
            return [*target.find_all(HEADINGS, recursive=False), *target.find_all("p", recursive=False)[:1]]
        case "dt":
            return [target, *target.find_next("dd").find_all("p")[:1]]  # type: ignore[union-attr]
        case "tr":
            return [paragraph for cell in target.find_all("td")[:2] for paragraph in cell.find_all("p")]
    return target.find_all("p", recursive=False)[:2] if "ntk-result" in classes else []


def detached(parts: list[Tag], home: str, page: str) -> str:
    """Their HTML as it can stand on another page: without ids, links and controls, with addresses from there."""
    soup = BeautifulSoup("\n".join(map(str, parts)), "html.parser")
    for node in soup.select(LEFT_OUT):
        node.decompose()
    for link in soup.find_all("a"):
        link.unwrap()
    for node in soup.find_all(True):
        for name in [name for name in node.attrs if name in ("id", "role", "tabindex") or name.startswith("aria-")]:
            del node[name]
        if node.name in (*HEADINGS, "dt"):
            node.name, node["class"] = "p", "ntk-preview-title"
        if "src" in node.attrs:
            there = posixpath.join(posixpath.dirname(home), str(node["src"]))
            node["src"] = posixpath.relpath(there, posixpath.dirname(page))
    return str(soup).strip()


def offer(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """The script that shows them, with the addresses of what it loads on demand."""
    if doctree is not None:
        addresses = {"previews": f"{FOLDER}/{pagename}.js", "mathjax": f"_static/{app.config.mathjax_path}"}
        data = {f"data-{name}": context["pathto"](address, 1) for name, address in addresses.items()}
        app.add_js_file("preview.js", loading_method="defer", **data)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", offer)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
