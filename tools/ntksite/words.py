"""Words of the glossary are links where a chapter first uses them.

A word is found in its plural too. Its other forms are said in the glossary: an entry that begins "Also *limiting
kernel*, *limit*:" is found by these as well. A word with an addition in brackets, "order (of a kernel)", is not found
by itself: what is too common to be linked everywhere gets one.
"""

import re
from collections.abc import Iterator
from typing import Any, cast

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from ntksite.mentions import UNTOUCHED, Place, ancestors, join_lines, link


def entries(env: BuildEnvironment) -> Iterator[tuple[Place, list[str]]]:
    """The place of every entry of the glossary that can be found, with the forms of its word."""
    objects = env.get_domain("std").objects  # type: ignore[attr-defined]
    for document in {place[0] for (kind, _), place in objects.items() if kind == "term"}:
        for item in env.get_doctree(document).findall(nodes.definition_list_item):
            term = cast(nodes.term, item[0])
            forms = [form for form in (term.astext(), *other_forms(item)) if "(" not in form]
            if term["ids"] and forms:
                yield Place(document, term["ids"][0]), forms


def other_forms(item: nodes.definition_list_item) -> list[str]:
    paragraph = next(item.findall(nodes.paragraph))
    forms = []
    if paragraph.astext().startswith("Also "):
        for part in paragraph.children[1:]:
            if isinstance(part, nodes.emphasis):
                forms.append(part.astext())
            elif ":" in part.astext():
                break
    return forms


def pattern(forms: list[str]) -> re.Pattern[str]:
    """Any of the forms, in the plural and at the head of a sentence too."""
    spelled = [re.escape(form).replace(r"\ ", r"\s+") for form in sorted(forms, key=len, reverse=True)]
    either = [f"(?:{form[0]}|{form[0].upper()}){form[1:]}" if form[0].isalpha() else form for form in spelled]
    return re.compile(rf"(?<![\w-])(?:{'|'.join(either)})s?(?![\w-])")


def link_words(app: Sphinx, doctree: nodes.document, document: str) -> None:
    if not app.env.toc_secnumbers.get(document, {}).get(""):
        return
    words = [(place, pattern(forms)) for place, forms in entries(app.env)]
    join_lines(doctree)
    for node in list(doctree.findall(nodes.Text)):
        if any(isinstance(parent, UNTOUCHED) for parent in ancestors(node)):
            continue
        text, pieces = str(node), []
        while found := [(match, place) for place, word in words if (match := word.search(text))]:
            match, place = min(found, key=lambda pair: (pair[0].start(), -pair[0].end()))
            words = [(other, word) for other, word in words if other != place]
            reference = link(app, document, place, match[0])
            reference["classes"] = ["ntk-word"]
            pieces += [nodes.Text(text[: match.start()]), reference]
            text = text[match.end() :]
        if pieces:
            node.parent.replace(node, [*pieces, nodes.Text(text)])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", link_words, priority=460)  # after the numbers
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
