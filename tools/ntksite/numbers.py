"""Numbers in the prose: as a printer sets them, with punctuation on the line of the formula before it."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from ntksite.notebooks.markdown import typeset


def print_numbers(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Quoted numbers as a printer sets them; punctuation stays on the line of the formula before it."""
    for node in list(doctree.findall(nodes.inline)):
        if "pasted-text" in node["classes"]:
            node[:] = [nodes.Text(typeset(node.astext()))]
    for formula in list(doctree.findall(nodes.math)):
        after = formula.next_node(descend=False, siblings=True)
        mark = re.match(r"[.,;:?!)\]]+", after) if isinstance(after, nodes.Text) else None
        if mark and isinstance(after, nodes.Text):
            kept = nodes.inline("", "", formula.deepcopy(), nodes.Text(mark[0]), classes=["ntk-kept"])
            formula.parent.replace(after, nodes.Text(after[mark.end() :]))
            formula.replace_self(kept)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", print_numbers)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
