"""Numbers of statements and equations: the paper's own for what is the paper's, a chapter and a letter for the rest.

    ```{prf:theorem} The neural tangent hierarchy
    :label: thm-hierarchy
    :paper: 2.3
    ```

is Theorem 2.3, and an equation with the label (2.3) is (2.3). What has no number of the paper gets one that cannot be
mistaken for one: Definition 3.A, equation (3.a). The statements of a chapter are counted together, as in the paper.
"""

import itertools
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx_proof.directive import ElementDirective
from sphinx_proof.proof_type import PROOF_TYPES

from ntksite.notebooks.book import PAPER, letter

logger = logging.getLogger(__name__)


class Statement(ElementDirective):
    """A statement of sphinx-proof that may be the paper's."""

    option_spec = ElementDirective.option_spec | {"paper": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        paper = self.options.get("paper", "")
        if paper and not PAPER.fullmatch(paper):
            raise self.error(f"the number of a statement in the paper is like 2.3 or A.1, not {paper!r}.")
        result: list[nodes.Node] = super().run()
        for node in result:
            entry = self.env.proof_list[node["label"]]  # type: ignore[index]
            entry["paper"] = paper
            entry["title"] = self.arguments[0] if self.arguments else ""
        return result


def refuse_tags(app: Sphinx, doctree: nodes.document) -> None:
    """A number inside the formula is known to nobody: nothing could lead to it."""
    for formula in doctree.findall(nodes.math_block):
        if r"\tag" in formula.astext():
            logger.warning(r"label the equation with its number, $$ (2.4), in place of \tag", location=formula)


def number(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write our numbers over those that Sphinx has just counted: parts of a number, which it joins by dots."""
    equations = env.get_domain("math").equations  # type: ignore[attr-defined]
    labels = {nodes.make_id(f"equation-{label}"): label for label in equations}
    for document, kinds in env.toc_fignumbers.items():
        statements: dict[str, tuple[str, Any]] = {
            label: (entry["paper"], kinds.get(entry["countertype"], {}))
            for label, entry in getattr(env, "proof_list", {}).items()
            if entry["docname"] == document and not entry["nonumber"]
        }
        renumber(statements, "statement")
        shown = kinds.get("displaymath", {})
        renumber({anchor: (labels[anchor], shown) for anchor in shown if anchor in labels}, "equation")
    return []


def renumber(found: dict[str, tuple[str, Any]], kind: str) -> None:
    """Number the anchors in their order. Each comes with its number in the paper or "", and the table that holds it."""
    own = itertools.count(1)
    for anchor, (paper, numbers) in found.items():
        if PAPER.fullmatch(paper):
            numbers[anchor] = (paper,)
        else:
            numbers[anchor] = (*numbers[anchor][:-1], letter(next(own), kind))


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("sphinx_proof")
    for kind in PROOF_TYPES:
        app.add_directive_to_domain("prf", kind, type(kind.capitalize(), (Statement,), {}), override=True)
    app.connect("doctree-read", refuse_tags)
    app.connect("env-get-updated", number, priority=900)  # after Sphinx has counted
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
