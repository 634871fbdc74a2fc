"""The download button: a chapter's plain notebook, with the numbers and the outputs of this build; the whole book."""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from ntksite.notebooks import Book, write_notebooks
from ntksite.records import executed_values

FOLDER = "notebooks"
WHOLE = {"ntkbook.pdf": "The book as a PDF", "ntkbook-site.zip": "The site, to read offline"}  # beside it: make pages


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write the plain notebook of every chapter that has code."""
    if exception is not None:
        return
    root = Path(app.srcdir)
    write_notebooks(Book(root, executed_values(root)), Path(app.outdir) / FOLDER)
    for copied in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        copied.unlink()  # by the theme, beside the launch buttons: no link leads there


def offer_notebook(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Let the download button give the plain notebook; the raw source is no use to a reader."""
    name = f"{pagename.rsplit('/', 1)[-1]}.ipynb"
    notebook = {
        "type": "link",
        "url": context["pathto"](f"{FOLDER}/{name}", 1),
        "text": ".ipynb",
        "icon": "fas fa-code",
        "tooltip": "Download notebook file",
        "label": "download-notebook-button",
    }
    cells = doctree.findall(nodes.container) if doctree else ()
    executed = any(node.get("nb_element") == "cell_code" for node in cells)
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            others = [button for button in group["buttons"] if button["label"] == "download-pdf-button"]
            group["buttons"] = ([notebook] if executed else []) + others + whole(app.config.html_baseurl)


def whole(site: str) -> list[dict[str, str]]:
    """The buttons for what holds all pages, where the site has an address."""
    return [{"type": "link", "url": f"{site}/{name}", "text": text} for name, text in WHOLE.items() if site]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", offer_notebook, priority=600)  # after the theme's, which makes the buttons
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
