"""Mentions of the paper's numbers become links, and `{paper-numbers}`, `{own-numbers}` make the page that lists all.

"(2.4)", "Theorem 2.3", "Corollaries 2.4 and 2.5", "Appendix A" lead to where the book states the thing, else to its
row of

    ```{paper-numbers}
    - (3.5): the words without diag, {prf:ref}`def-words`.
    - Lemma A.3: how a Gaussian matrix is distributed once some of its products are known.
    ```

A mention of a number that the book neither states nor lists is a warning; so is a number that is stated and not listed.
`{own-numbers}` lists the statements and the equations that are the book's.
"""

import html
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, cast

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx_design.dropdown import dropdown_title
from sphinx_proof.nodes import NODE_TYPES

from ntksite.notebooks.book import PAPER
from ntksite.tables import row, table

logger = logging.getLogger(__name__)

PLURALS = {"Corollaries": "Corollary", "Appendices": "Appendix"}
NUMBER = PAPER.pattern
NAME = r"(?:Theorem|Lemma|Claim|Proposition|Assumption|Definition|Remark)s?|Corollary|Corollaries"
SEVERAL = r"(?:,?\s+(?:and|or|to)\s+|,\s+)"
MENTION = re.compile(
    rf"\({NUMBER}\)|\b(?:{NAME})\s+{NUMBER}\b(?:{SEVERAL}{NUMBER}\b)*"
    rf"|\b(?:Appendix|Appendices)\s+[A-D]\b(?:{SEVERAL}[A-D]\b)*"
)
UNTOUCHED = (
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.reference,
    nodes.title,
    addnodes.desc_signature,
    dropdown_title,
)


class Place(NamedTuple):
    document: str
    anchor: str


class Mention(NamedTuple):
    """A piece of a text that stands for something of the paper: what it is called, and where the piece is."""

    name: str
    start: int
    end: int


def mentions(text: str) -> Iterator[Mention]:
    """What of the paper a text mentions; of "Corollaries 2.4 and 2.5" there are two pieces, the second "2.5"."""
    for match in MENTION.finditer(text):
        if match[0].startswith("("):
            yield Mention(match[0], *match.span())
            continue
        word = re.match(r"\w+", match[0])[0]  # type: ignore[index]
        kind = PLURALS.get(word) or word.removesuffix("s")
        start = match.start()
        for number in re.finditer(r"\b(?:[1-9A-D]\.\d+|[A-D])(?!\w)", match[0]):
            yield Mention(f"{kind} {number[0]}", start, match.start() + number.end())
            following = re.compile(SEVERAL).match(text, match.start() + number.end())
            start = following.end() if following else start


# -- what there is ---------------------------------------------------------------------------------------------


def stated(env: BuildEnvironment) -> dict[str, Place]:
    """The equations and statements of the paper that the book states."""
    equations = env.get_domain("math").equations  # type: ignore[attr-defined]
    found = {
        f"({label})": Place(document, nodes.make_id(f"equation-{label}"))
        for label, (document, _) in equations.items()
        if PAPER.fullmatch(label)
    }
    for label, entry in getattr(env, "proof_list", {}).items():
        if entry["paper"]:
            found[f"{entry['realtype'].capitalize()} {entry['paper']}"] = Place(entry["docname"], label)
    return found


def listed(env: BuildEnvironment) -> dict[str, Place]:
    """The rows of `{paper-numbers}`."""
    if not hasattr(env, "ntk_listed"):
        env.ntk_listed = {}  # type: ignore[attr-defined]
    return env.ntk_listed  # type: ignore[attr-defined]


def forget(app: Sphinx, env: BuildEnvironment, document: str) -> None:
    found = listed(env)
    for name in [name for name, place in found.items() if place.document == document]:
        del found[name]


def check(app: Sphinx, env: BuildEnvironment) -> None:
    for name, place in stated(env).items():
        if listed(env) and name not in listed(env):
            logger.warning("%s is stated and stands in no {paper-numbers}", name, location=place.document)


# -- links -----------------------------------------------------------------------------------------------------


def link(app: Sphinx, document: str, place: Place, text: str) -> nodes.reference:
    to = app.builder.get_relative_uri(document, place.document) if place.document != document else ""
    return nodes.reference("", text, internal=True, refuri=f"{to}#{place.anchor}")


def link_mentions(app: Sphinx, doctree: nodes.document, document: str) -> None:
    places = listed(app.env) | stated(app.env)

    def place_of(mention: Mention, node: nodes.Node) -> Place | None:
        if mention.name not in places:
            logger.warning("nothing is known of %s, which is mentioned here", mention.name, location=node)
        return places.get(mention.name)

    join_lines(doctree)
    for node in list(doctree.findall(nodes.Text)):
        around = list(ancestors(node))
        if any(isinstance(parent, UNTOUCHED) for parent in around):
            continue
        inside: set[str] = set().union(*(parent.get("ids", []) for parent in around))
        pieces: list[nodes.Node] = []
        done = 0
        for mention in mentions(str(node)):
            place = place_of(mention, around[0])
            if place and not (place.document == document and place.anchor in inside):
                pieces += [
                    nodes.Text(node[done : mention.start]),
                    link(app, document, place, node[mention.start : mention.end]),
                ]
                done = mention.end
        if pieces:
            node.parent.replace(node, [*pieces, nodes.Text(node[done:])])
    for raw in doctree.findall(nodes.raw):
        if "ntk-claim" in raw.astext():
            link_in_html(raw, partial(place_of, node=raw), partial(link, app, document))


def join_lines(doctree: nodes.document) -> None:
    """A text that goes over several lines is several nodes: "Theorem" at the end of one, "2.3" in the next."""
    for parent in list(doctree.findall(nodes.TextElement)):
        for k in range(len(parent) - 1, 0, -1):
            if isinstance(parent[k - 1], nodes.Text) and isinstance(parent[k], nodes.Text):
                parent[k - 1 : k + 1] = [nodes.Text(parent[k - 1].astext() + parent[k].astext())]


def link_in_html(
    raw: nodes.raw, place_of: Callable[[Mention], Place | None], make: Callable[[Place, str], nodes.reference]
) -> None:
    """The same in the check lines, which the cells write as HTML."""
    parts = re.split(r"(<[^>]*>)", raw.astext())
    for k in range(0, len(parts), 2):
        for mention in reversed(list(mentions(parts[k]))):
            if place := place_of(mention):
                text = parts[k][mention.start : mention.end]
                address = html.escape(make(place, text)["refuri"])
                anchor = f'<a class="reference internal" href="{address}">{text}</a>'
                parts[k] = parts[k][: mention.start] + anchor + parts[k][mention.end :]
    raw[:] = [nodes.Text("".join(parts))]


def ancestors(node: nodes.Node) -> Iterator[nodes.Element]:
    while node := node.parent:
        yield node


# -- the page that lists them ----------------------------------------------------------------------------------


class own_numbers(nodes.General, nodes.Element):
    """Where the table of the book's own is to stand."""


class where(nodes.General, nodes.Inline, nodes.TextElement):
    """Where the book states something of the paper."""


class PaperNumbers(SphinxDirective):
    has_content = True

    def run(self) -> list[nodes.Node]:
        body = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, body)
        rows = []
        for item in body.findall(nodes.list_item):
            paragraph = cast(nodes.paragraph, item[0])
            name, colon, rest = str(paragraph[0]).partition(": ")
            if not colon or [mention.name for mention in mentions(name)] != [name]:
                raise self.error(f"paper-numbers wants a list of 'number: what it says', not {item.astext()!r}.")
            paragraph[0] = nodes.Text(rest)
            rows.append(row([[nodes.Text(name)], paragraph.children, [where("", name=name)]]))
            rows[-1]["ids"] = [nodes.make_id(f"paper-{name}")]
            listed(self.env)[name] = Place(self.env.docname, rows[-1]["ids"][0])
        return [table({"In the paper": 20, "What it says": 55, "In the book": 25}, rows, "ntk-numbers")]


class OwnNumbers(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        return [own_numbers()]


def fill(app: Sphinx, doctree: nodes.document, document: str) -> None:
    """Say in the rows of the paper's where the book states them, and make the table of the book's own."""
    places = stated(app.env)
    for node in list(doctree.findall(where)):
        name = node["name"]
        if name in places:
            node.replace_self(link(app, document, places[name], short_title(app.env, places[name].document)))
        else:
            part = re.search(r"\b([1-9A-D])(\.\d+)?\)?$", name)[1]  # type: ignore[index]
            node.replace_self(nodes.Text(f"only in the paper, {'Section' if part.isdigit() else 'Appendix'} {part}"))
    for node in list(doctree.findall(own_numbers)):  # type: ignore[assignment]
        rows = [
            row([[link(app, document, place, name)], [nodes.Text(title)], [nodes.Text(chapter)]])
            for name, title, chapter, place in own(app.env)
        ]
        node.replace_self(table({"Number": 20, "What it is about": 55, "Chapter": 25}, rows, "ntk-numbers"))


def short_title(env: BuildEnvironment, document: str) -> str:
    number = "".join(f"{k}. " for k in env.toc_secnumbers.get(document, {}).get("", ()))
    return number + re.split("[:,]", env.titles[document].astext())[0]


def own(env: BuildEnvironment) -> Iterator[tuple[str, str, str, Place]]:
    """The book's own statements and equations: name, title, chapter and place, in the order of the pages."""
    kinds = (nodes.math_block, *NODE_TYPES.values())
    for document in env.toc_secnumbers:
        chapter, title = short_title(env, document), ""
        numbers = env.toc_fignumbers.get(document, {})
        for node in env.get_doctree(document).findall(lambda node: isinstance(node, (nodes.section, *kinds))):
            element = cast(nodes.Element, node)
            if isinstance(element, nodes.section):
                if not any(isinstance(parent, kinds) for parent in ancestors(element)):
                    title = cast(nodes.title, element[0]).astext()
                continue
            kind = element.get("countertype", "displaymath")
            anchor = (element["ids"] or [""])[0]
            number = ".".join(map(str, numbers.get(kind, {}).get(anchor, ())))
            if not number or PAPER.fullmatch(number):
                continue
            if kind == "displaymath":
                inside = [parent for parent in ancestors(element) if isinstance(parent, kinds)]
                about = f"in {name_of(inside[0], env, document)}" if inside else title
                yield f"({number})", about, chapter, Place(document, anchor)
            else:
                about = env.proof_list[anchor]["title"]  # type: ignore[attr-defined]
                yield name_of(element, env, document), about, chapter, Place(document, anchor)


def name_of(statement: nodes.Element, env: BuildEnvironment, document: str) -> str:
    number = env.toc_fignumbers[document][statement["countertype"]][statement["ids"][0]]
    return f"{statement['realtype'].capitalize()} {'.'.join(map(str, number))}"


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(own_numbers)
    app.add_node(where)
    app.add_directive("paper-numbers", PaperNumbers)
    app.add_directive("own-numbers", OwnNumbers)
    app.connect("env-purge-doc", forget)
    app.connect("env-check-consistency", check)
    app.connect("doctree-resolved", fill, priority=400)
    app.connect("doctree-resolved", link_mentions, priority=450)
    return {"version": "1", "env_version": 1, "parallel_read_safe": False, "parallel_write_safe": True}
