"""What only the book's figures, widgets and data need, and what to say where it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["book_extra"]


@contextmanager
def book_extra(what: str) -> Iterator[None]:
    """Around imports of libraries that come with the extra "book": says how to get them."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{what} needs {error.name}, which is not installed. Run: pip install "ntkbook[book]".', name=error.name
        ) from error
