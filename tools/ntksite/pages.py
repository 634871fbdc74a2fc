"""What stands around the text of a page, and the files beside the pages that hosts and search engines ask for."""

import re
import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, cast

from docutils import nodes
from sphinx.application import Sphinx

WITHOUT_SCRIPTS = (
    '<noscript><p class="ntk-noscript">Formulas and interactive figures on this page need JavaScript. '
    "Without it, formulas stand here as TeX.</p></noscript>"
)
COVER = "ntk-cover.png"
WORDS = 160  # letters that a search engine shows of a description

DOOR = """<!doctype html>
<html lang="{language}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{title}</title>
{head}    <style>
      :root {{ color-scheme: light dark; }}
      body {{ margin: 15vh auto; max-width: 30em; padding: 0 1em; font: 1.1rem/1.6 sans-serif; }}
    </style>
  </head>
  <body>
    <main>
      <h1>{title}</h1>
      <p>{text}</p>
    </main>
  </body>
</html>
"""


def describe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """A sentence for readers without scripts, a description, and no typesetter where there is nothing to typeset."""
    body = context.get("body", "")
    if 'class="math' in body or "widget-view+json" in body:
        context["body"] = WITHOUT_SCRIPTS + body
    if 'class="math' not in body:
        context["script_files"] = [file for file in context["script_files"] if not typesets(file)]
    title = re.sub(r"<[^>]+>", "", context.get("title", ""))
    if doctree:
        text = first_words(doctree) or title
        tags = {"description": text}
        if app.config.html_baseurl:
            tags |= {"og:title": title, "og:description": text, "og:type": "book"}
            tags |= {"og:url": context["pageurl"], "og:image": f"{app.config.html_baseurl}/_static/{COVER}"}
        context["metatags"] += "".join(meta(name, content) for name, content in tags.items())


def typesets(file: Any) -> bool:
    return "mathjax" in str(file.filename) or "window.MathJax" in file.attributes.get("body", "")


def meta(name: str, content: str) -> str:
    return f'\n    <meta {"property" if name.startswith("og:") else "name"}="{name}" content="{escape(content)}">'


def first_words(doctree: nodes.document) -> str:
    """The first paragraph of prose without a formula, cut where a word ends."""
    for paragraph in doctree.findall(nodes.paragraph):
        section = paragraph.parent  # of the page: those within a statement are of its box
        if isinstance(section, nodes.section) and isinstance(section.parent, nodes.section | nodes.document):
            if not any(paragraph.findall(nodes.math)):
                words = " ".join(paragraph.astext().split())
                if words.endswith("."):  # else it opens a list
                    return words if len(words) <= WORDS else words[:WORDS].rsplit(" ", 1)[0] + " \u2026"
    return ""


# -- the addresses of hints, sketches and solutions ----------------------------------------------------------------


def address_folds(app: Sphinx, doctree: nodes.document) -> None:
    """The folds that follow an exercise are found under its label and their name: ex-slopes-solution."""
    for exercise in doctree.findall(nodes.Element):
        if exercise.get("type") != "exercise":
            continue
        for fold in folds_after(exercise):
            title, last = cast(nodes.Element, fold[0]), fold[-1]
            name = f"{exercise['label']}-{title.astext().lower()}"
            title["ids"].append(name)
            link = nodes.raw(
                "", f'<a class="headerlink" href="#{name}" title="Link to this place">#</a>', format="html"
            )
            (last if isinstance(last, nodes.paragraph) else fold).append(link)


def folds_after(exercise: nodes.Element) -> Iterator[nodes.Element]:
    following = exercise.next_node(descend=False, siblings=True)
    while isinstance(following, nodes.container) and following.get("design_component") == "dropdown":
        yield following
        following = following.next_node(descend=False, siblings=True)


# -- the files beside the pages ----------------------------------------------------------------------------------


def write_files(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None:
        return
    folder, site, title = Path(app.outdir), app.config.html_baseurl, str(app.config.html_title)
    first = f"{app.config.root_doc}.html"

    def door(text: str, head: str = "") -> str:
        return DOOR.format(language=app.config.language, title=escape(title), head=head, text=text)

    refresh = f'    <meta http-equiv="refresh" content="0; url={first}">\n'
    (folder / "index.html").write_text(door(f'The book opens at its <a href="{first}">first page</a>.', refresh))
    home = f"{site}/{first}" if site else first
    missing = f'There is no page at this address. The book opens at its <a href="{home}">first page</a>.'
    (folder / "404.html").write_text(door(missing))
    (folder / ".nojekyll").touch()
    if site:
        shutil.copy(Path(app.srcdir) / "book" / "cover.png", folder / "_static" / COVER)
        addresses = "".join(f"<url><loc>{site}/{page}.html</loc></url>\n" for page in sorted(app.env.found_docs))
        opening = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        )
        (folder / "sitemap.xml").write_text(f"{opening}{addresses}</urlset>\n")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", address_folds)
    app.connect("html-page-context", describe, priority=700)  # after those that add scripts
    app.connect("build-finished", write_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
