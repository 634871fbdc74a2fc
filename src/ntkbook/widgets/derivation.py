"""Click to differentiate: the terms of K^(2), K^(3), K^(4) and the replacements (3.1) that lead to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ntkbook import terms
from ntkbook.experiments.deriving import ORDERS, term_values
from ntkbook.terms import Factor, Term, Vector
from ntkbook.widgets._base import BookWidget, module_text

__all__ = ["ClickToDifferentiate"]


class ClickToDifferentiate(BookWidget):
    r"""A term of K^(2) whose factors the reader differentiates, up to terms of K^(4), with their values.

    The derivation and the notation are those of `ntkbook.terms`, computed here and shipped as a table: the page knows
    no rule. Values are those of one network a width, at four points on the unit sphere of :math:`R^6`, one a slot.

    Parameters
    ----------
    depths, widths
        The networks offered.
    activation
        As in `ntkbook.mlp`.
    initial
        The setting shown first: any of ``depth``, ``term``, ``width``, ``path`` (what was chosen, as "1" or "1.0.2").
    id
        The name of this widget in the page's address; needed where a page holds two of a kind.

    Examples
    --------
    >>> from ntkbook.widgets import ClickToDifferentiate
    >>> widget = ClickToDifferentiate(depths=[1], widths=[8])
    >>> [len(table) for table in widget.meta["tables"][0]]
    [2, 6, 28]
    """

    _esm = module_text("derivation")

    def __init__(
        self,
        *,
        depths: Sequence[int] = (1, 2),
        widths: Sequence[int] = (16, 64, 256),
        activation: str = "tanh",
        initial: dict[str, Any] | None = None,
        id: str = "click-to-differentiate",
    ) -> None:
        pairs: dict[str, int] = {}  # the HTML of each inner product, once
        tables = [derivation(depth, pairs) for depth in depths]
        meta = {
            "id": id,
            "depths": list(depths),
            "widths": list(widths),
            "orders": list(ORDERS),
            "activation": activation,
            "tables": tables,
            "pairs": list(pairs),
            "initial": initial or {},
        }
        values = [term_values(depth=depth, width=m, activation=activation) for depth in depths for m in widths]
        super().__init__(meta, np.concatenate(values))


def derivation(depth: int, pairs: dict[str, int]) -> list[list[list[Any]]]:
    """For each order the terms: [parent, factor replaced, power of m, rule, inner products], all as numbers or text.

    Parents count in the terms of the order before, factors from left to right, inner products in `pairs`, which grows.
    """
    tables = []
    for order in ORDERS:
        parents = {} if order == 2 else {id(term): k for k, term in enumerate(terms.kernel_terms(order - 1, depth))}
        table = []
        for term in terms.kernel_terms(order, depth):
            products = [pairs.setdefault(_pair_html(pair), len(pairs)) for pair in term.products]
            if term.parent is None or term.step is None:
                parent, factor, rule = -1, -1, ""
            else:
                parent, factor = parents[id(term.parent)], list(term.parent.factors).index(term.step.place)
                rule = _name(term.parent.factors[term.step.place])
            table.append([parent, factor, _power_html(term), rule, products])
        tables.append(table)
    return tables


# ---------------------------------------------------------------------------------------------------------------------
# The notation of `Term.latex` in HTML, in which every factor that a rule can replace is a button
# ---------------------------------------------------------------------------------------------------------------------


def _power_html(term: Term) -> str:
    return "" if term.power == 0 else f"<i>m</i><sup>\u2212{-term.power}</sup>"


def _name(factor: Factor) -> str:
    """The factor for a screen reader."""
    match factor.kind:
        case "readout":
            return "readout a"
        case "layer":
            return f"layer {factor.layer} of x{factor.slot}"
        case "weight":
            return f"weight W{factor.layer}"
        case "transpose":
            return f"transposed weight W{factor.layer}"
    return f"derivative {1 + len(factor.diags)} of sigma{factor.layer} at x{factor.slot}"


def _factor_html(factor: Factor) -> str:
    point = f"<i>x</i><sub>{factor.slot}</sub>"
    match factor.kind:
        case "readout":
            text = "<i>a</i>"
        case "ones":
            text = "<b>1</b>"
        case "layer":
            text = f"{point}<sup>({factor.layer})</sup>"
        case "weight":
            text = f"<i>W</i><sup>({factor.layer})</sup>/\u221a<i>m</i>"
        case "transpose":
            text = f"<i>W</i><sup>({factor.layer})\u22a4</sup>/\u221a<i>m</i>"
        case _:
            order = 1 + len(factor.diags)
            prime = "\u2032" * order if order <= 2 else f"<sup>({order})</sup>"
            text = f"<i>\u03c3</i><sub>{factor.layer}</sub>{prime}({point})"
    return f'<button type="button" aria-description="{_name(factor)}">{text}</button>' if factor.replaceable else text


def _vector_html(vector: Vector) -> str:
    pieces = []
    for factor in vector.factors:
        if factor.kind != "diag":
            pieces.append(("\u221a<i>m</i>\u2009" if factor.kind == "layer" else "") + _factor_html(factor))
        pieces += [f"diag({_vector_html(inner)})" for inner in factor.diags]
    return "\u2009".join(pieces)


def _pair_html(pair: tuple[Vector, Vector]) -> str:
    if all(vector.factors[0].kind == "layer" for vector in pair):  # the two sqrt(m) cancel the 1/m
        first, second = (_factor_html(vector.factors[0]) for vector in pair)
        return f"\u27e8{first}, {second}\u27e9"
    first, second = (_vector_html(vector) for vector in pair)
    return f"<i>m</i><sup>\u22121</sup>\u27e8{first}, {second}\u27e9"
