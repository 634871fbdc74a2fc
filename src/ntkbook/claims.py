"""Claims: statements of a chapter that a cell has checked, and the numbers that its prose quotes.

A chapter writes no number that a cell has not computed. `claim` checks a number against what the theory predicts and
stops the chapter where it misses; `quote` only records one. Both make the number available to the prose by name and
leave a record in the executed notebook, from which the page of claims and the comparison with earlier builds are made.
"""

from __future__ import annotations

import html
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Claim", "ClaimError", "claim", "quote"]

Kind = Literal["exponent", "value", "identity", "bound", "at least"]
_RELATIONS = {
    "exponent": "|measured - predicted| <= tolerance",
    "value": "|measured - predicted| <= tolerance",
    "identity": "|measured| <= tolerance",
    "bound": "measured <= predicted",
    "at least": "measured >= predicted",
}
_ONE_SIDED = ("bound", "at least")


class ClaimError(AssertionError):
    """A claim does not hold.

    Examples
    --------
    >>> from ntkbook.claims import ClaimError, claim
    >>> try:
    ...     claim("odd", "(1.1)", "two is zero", kind="identity", measured=2, tolerance=0.1)
    ... except ClaimError as error:
    ...     print(error)
    claim 'odd' does not hold, |measured| <= tolerance fails: two is zero, measured 2, predicted 0 within 1e-01.
    """


@dataclass(frozen=True)
class Claim:
    """A checked statement: what was measured, what the theory predicts, and how far apart they may be.

    The fields are the arguments of `claim`.

    Examples
    --------
    >>> from ntkbook.claims import Claim
    >>> Claim("half", "(1.1)", "at most one", "bound", measured=0.5, predicted=1.0, tolerance=0.0).holds
    True
    """

    id: str
    equation: str
    statement: str
    kind: Kind
    measured: float
    predicted: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the measured value satisfies the relation that belongs to the kind of claim."""
        if not math.isfinite(self.measured):
            return False
        if self.kind == "bound":
            return self.measured <= self.predicted
        if self.kind == "at least":
            return self.measured >= self.predicted
        target = 0.0 if self.kind == "identity" else self.predicted
        return abs(self.measured - target) <= self.tolerance

    @property
    def comparison(self) -> str:
        """The measured value beside the predicted one, in a few words."""
        measured = f"measured {self.measured:.4g}"
        if self.kind == "bound":
            return f"{measured}, at most {self.predicted:.4g}"
        if self.kind == "at least":
            return f"{measured}, at least {self.predicted:.4g}"
        if self.kind == "identity":
            return f"{measured}, predicted 0 within {self.tolerance:.0e}"
        return f"{measured}, predicted {self.predicted:.4g} within {self.tolerance:.2g}"

    def __str__(self) -> str:
        return f"✓ {self.equation} {self.statement}: {self.comparison}"

    def _repr_html_(self) -> str:
        return (
            f'<p class="ntk-claim" id="claim-{html.escape(self.id)}"><span aria-hidden="true">✓</span> '
            f"{html.escape(self.equation)} {html.escape(self.statement)}: "
            f'<span class="ntk-claim-numbers">{html.escape(self.comparison)}</span></p>'
        )


def claim(
    id: str,
    equation: str,
    statement: str,
    *,
    kind: Kind,
    measured: Any,
    predicted: float = 0.0,
    tolerance: float = 0.0,
) -> None:
    """Check a claim of the theory against a measured number, show it, and record it under its id.

    Parameters
    ----------
    id
        A name that no other claim or quoted number of the chapter has; the prose quotes the measured value by it.
    equation
        The paper's equation or statement, for example "(2.3)".
    statement
        The claim in a few words.
    kind
        "exponent" or "value": measured and predicted differ by at most the tolerance. "identity": measured, a
        deviation, is at most the tolerance. "bound": measured is at most predicted; "at least": it is no less.
    measured, predicted, tolerance
        Numbers; scalar arrays are welcome.

    Raises
    ------
    ClaimError
        If the claim does not hold. The message gives all numbers.
    ValueError
        If the kind is unknown, or the tolerance does not fit it.

    Examples
    --------
    >>> from ntkbook.claims import claim
    >>> claim("half", "(1.1)", "one half", kind="value", measured=0.5, predicted=0.5, tolerance=1e-12)
    ✓ (1.1) one half: measured 0.5, predicted 0.5 within 1e-12
    """
    if kind not in _RELATIONS:
        raise ValueError(f"kind must be one of {', '.join(_RELATIONS)}, got {kind!r}.")
    if (tolerance > 0) == (kind in _ONE_SIDED):
        raise ValueError(f"a claim of kind {kind!r} wants {'no' if kind in _ONE_SIDED else 'a positive'} tolerance.")
    record = Claim(id, equation, statement, kind, float(measured), float(predicted), float(tolerance))
    if not record.holds:
        raise ClaimError(f"claim {id!r} does not hold, {_RELATIONS[kind]} fails: {statement}, {record.comparison}.")
    data = {"text/plain": str(record), "text/html": record._repr_html_()}
    if not _record({"type": "claim", **asdict(record)}, data):
        print(record)


def quote(id: str, value: Any) -> None:
    """Record a number under a name, so that the prose can quote it. It claims nothing.

    Examples
    --------
    >>> from ntkbook.claims import quote
    >>> quote("answer", 42.0)
    """
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"a quoted number must be finite, got {number} for {id!r}.")
    _record({"type": "quote", "id": id, "value": number}, {"text/plain": f"{id} = {number:.4g}"})


def _record(fields: dict[str, Any], data: dict[str, str]) -> bool:
    """Show the data in a notebook and leave the record in its metadata; whether this is one."""
    from IPython import get_ipython

    if get_ipython() is None:
        return False
    from IPython.display import display

    display(data, raw=True, metadata={"ntkbook": fields})
    return True
