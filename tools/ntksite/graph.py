"""`{result}` and `{result-graph}`: what rests on what, as a picture and in words.

    ```{result} Corollary 2.4: the kernel moves at rate 1/m
    :name: kernel-motion
    :kind: statement
    :place: 6, 2
    :rests-on: hierarchy, sizes-along-training

    Text about it, with links to its chapter.
    ```

`place` is a row and a column of the picture; a result stands below all that it rests on. The picture is drawn from the
results of the page. Its boxes lead to the texts; a box pointed at, or one whose text was asked for, shows what it rests
on. The style sheet does that: there is no script.
"""

import html
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

KINDS = ("assumption", "step", "statement")

WIDTH, HEIGHT = 172, 50  # of a box
ACROSS, DOWN = 196, 96  # from one box to the next
MARGIN = 12
BEND = 26  # how far an arrow goes straight down at both ends


class result(nodes.container):
    """One result; its attributes are the options of the directive."""


class result_graph(nodes.General, nodes.Element):
    """Where the picture is to stand."""


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def place(text: str) -> tuple[float, float]:
    row, column = text.split(",")
    return float(row), float(column)


class Result(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {
        "name": directives.unchanged_required,
        "kind": lambda text: directives.choice(text, KINDS),
        "place": place,
        "rests-on": names,
    }

    def run(self) -> list[nodes.Node]:
        missing = {"name", "kind", "place"} - set(self.options)
        if missing:
            raise self.error(f"a result needs the options {', '.join(sorted(missing))}.")
        node = result(ids=[anchor(self.options["name"])], classes=["ntk-result"])
        for option in ("kind", "place"):
            node[option] = self.options[option]
        node["name"], node["rests"] = self.options["name"], self.options.get("rests-on", [])
        node["short"], _, node["title"] = (part.strip() for part in self.arguments[0].partition(":"))
        heading, _ = self.state.inline_text(self.arguments[0], self.lineno)
        node += nodes.paragraph("", "", *heading, classes=["ntk-result-title"])
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


class ResultGraph(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        return [result_graph()]


def anchor(name: str) -> str:
    return f"result-{name}"


# -- the relation --------------------------------------------------------------------------------------------


def check(results: dict[str, result]) -> list[str]:
    """What is wrong with the relation: unknown names, and results that stand above what they rest on."""
    wrong = []
    for name, node in results.items():
        for other in node["rests"]:
            if other not in results:
                wrong.append(f"{name!r} rests on {other!r}, which is no result of the page")
            elif results[other]["place"][0] >= node["place"][0]:
                wrong.append(f"{name!r} must stand below {other!r}, on which it rests")
    return wrong


def foundations(name: str, results: dict[str, result]) -> set[str]:
    """All that a result rests on, through others too, and itself."""
    return {name}.union(*(foundations(other, results) for other in results[name]["rests"]))


def arrows_to(name: str, results: dict[str, result]) -> list[str]:
    """What the result rests on, without what already follows from the others."""
    rests = results[name]["rests"]
    implied = set().union(*(foundations(other, results) - {other} for other in rests))
    return [other for other in rests if other not in implied]


# -- the picture ---------------------------------------------------------------------------------------------


def middle(node: result) -> tuple[float, float]:
    row, column = node["place"]
    return MARGIN + WIDTH / 2 + (column - 1) * ACROSS, MARGIN + HEIGHT / 2 + (row - 1) * DOWN


def picture(results: dict[str, result]) -> str:
    """The graph as SVG: arrows from a result to what it serves, boxes that are links."""
    below = {name: foundations(name, results) for name in results}
    serves = {name: " ".join(other for other in results if name in below[other]) for name in results}
    rows, columns = (max(node["place"][axis] for node in results.values()) for axis in (0, 1))
    width = 2 * MARGIN + WIDTH + (columns - 1) * ACROSS
    height = 2 * MARGIN + HEIGHT + (rows - 1) * DOWN
    arrows, boxes = [], []
    for name, node in results.items():
        x, y = middle(node)
        for other in arrows_to(name, results):
            u, v = middle(results[other])
            top, bottom = y - HEIGHT / 2 - 4, v + HEIGHT / 2
            path = f"M{u:g} {bottom:g}C{u:g} {bottom + BEND:g} {x:g} {top - BEND:g} {x:g} {top:g}"
            arrows.append(f'<path d="{path}" marker-end="url(#ntk-tip)" data-serves="{serves[name]}"/>')
        corner = f'x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" rx="4"'
        short, title = html.escape(node["short"]), html.escape(node["title"])
        boxes.append(
            f'<a href="#{anchor(name)}" class="ntk-{node["kind"]}" data-serves="{serves[name]}" data-name="{name}">'
            f'<rect {corner}/><text x="{x:g}" y="{y - 6:g}"><tspan class="ntk-short">{short}</tspan>'
            f'<tspan x="{x:g}" dy="18">{title}</tspan></text></a>'
        )
    tip = (
        '<defs><marker id="ntk-tip" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>'
    )
    label = "Which result rests on which; the same is said in words below the picture."
    return (
        f'<figure class="ntk-graph"><style>{highlights(results)}</style>'
        f'<svg viewBox="0 0 {width:g} {height:g}" style="min-width: {width * 0.75:g}px" role="group" '
        f'aria-label="{label}">{tip}{"".join(arrows)}{"".join(boxes)}</svg></figure>'
    )


def highlights(results: dict[str, result]) -> str:
    """For each result a rule that fades what it does not rest on, while its box is pointed at or its text asked for."""
    rules = []
    for name in results:
        faded = f'svg > [data-serves]:not([data-serves~="{name}"])'
        pointed = f'.ntk-graph:has([data-name="{name}"]:is(:hover, :focus-visible)) {faded}'
        asked = f".bd-article:has(#{anchor(name)}:target) .ntk-graph:not(:has(a:is(:hover, :focus-visible))) {faded}"
        rules.append(f"{pointed}, {asked} {{ opacity: 0.15; }}")
    return "\n".join(rules)


def links(words: str, others: list[str], results: dict[str, result]) -> nodes.paragraph:
    paragraph = nodes.paragraph("", f"{words}: ", classes=["ntk-result-links"])
    for k, other in enumerate(others):
        text = results[other]["short"]
        paragraph += nodes.Text(", " if k else "")
        paragraph += nodes.reference("", text, internal=True, refid=anchor(other))
    paragraph += nodes.Text(".")
    return paragraph


def complete(app: Sphinx, doctree: nodes.document) -> None:
    """Draw the picture, and say under each result what it rests on and what rests on it."""
    results = {node["name"]: node for node in doctree.findall(result)}
    wrong = check(results)
    for problem in wrong:
        logger.warning(problem, location=app.env.docname)
    if wrong:
        return
    for name, node in results.items():
        if node["rests"]:
            node += links("Rests on", node["rests"], results)
        used = [other for other in results if name in results[other]["rests"]]
        if used:
            node += links("Used by", used, results)
    for graph in list(doctree.findall(result_graph)):
        graph.replace_self(nodes.raw("", picture(results), format="html"))


def visit(self: Any, node: nodes.Node) -> None:
    self.visit_container(node)


def depart(self: Any, node: nodes.Node) -> None:
    self.depart_container(node)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(result, html=(visit, depart))
    app.add_node(result_graph)
    app.add_directive("result", Result)
    app.add_directive("result-graph", ResultGraph)
    app.connect("doctree-read", complete)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
