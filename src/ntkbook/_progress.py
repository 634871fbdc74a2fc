"""A bar on the terminal for work that takes long. It shows itself after some seconds; TQDM_DISABLE=1 keeps it away."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import jax

__all__ = ["bar", "interval", "report", "steps"]

_PATIENCE = 3.0  # seconds
_BETWEEN_REPORTS = 1e9  # flops: a report takes as long as some 1e7
_AT_LEAST = 1e6  # flops: what any compiled piece of work costs
_shown: list[Any] = []  # the bars of the calls under way, the innermost last

T = TypeVar("T")


@contextmanager
def bar(what: str, *, wanted: bool) -> Iterator[None]:
    """A bar that `report` moves, from inside of compiled code."""
    if not wanted:
        yield
        return
    from tqdm import tqdm  # not needed before

    with tqdm(total=100, desc=what, bar_format="{l_bar}{bar}| {elapsed}", **_manners()) as shown:
        _shown.append(shown)
        try:
            yield
            jax.effects_barrier()
            shown.update(shown.total - shown.n)
        finally:
            jax.effects_barrier()
            _shown.remove(shown)


def interval(flops: float) -> int:
    """How often to do a piece of work, of so many flops, between two reports."""
    return int(max(1.0, _BETWEEN_REPORTS / (flops + _AT_LEAST)))


def report(share: Any) -> None:
    """Called while compiled code runs: this share of the innermost bar's work is done."""
    jax.debug.callback(_move, share)


def _move(share: Any) -> None:
    if _shown:
        _shown[-1].update(100 * float(share) - _shown[-1].n)


def steps(work: Sequence[T], what: str, *, wanted: bool) -> Iterable[T]:
    """The same items, with a bar."""
    if not wanted:
        return work
    from tqdm import tqdm

    return tqdm(work, desc=what, **_manners())


def _manners() -> dict[str, Any]:
    return {"delay": _PATIENCE, "mininterval": _PATIENCE / 30, "leave": _in_notebook()}


def _in_notebook() -> bool:
    """Whether output goes into a notebook: there a bar that was wiped away would leave an empty line of its own."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")
