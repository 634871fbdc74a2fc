"""Results that took too long for a chapter, kept in the repository under ``book/results``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "load"]

#: Where they lie in a copy of the repository, from which the package is installed in place.
FOLDER = Path(__file__).resolve().parents[2] / "book" / "results"


def load(name: str) -> dict[str, Any]:
    """One result with what made it: the command, the versions, the time it took.

    Raises
    ------
    FileNotFoundError
        If there is no such result, or the package was installed without its repository.

    Examples
    --------
    >>> from ntkbook import results
    >>> results.load("theorem-2-3")["command"]
    'python tools/sweep_hierarchy.py'
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"no result named {name!r} in {FOLDER}. Results come with the repository: clone it and install with "
            "pip install -e '.[book]'."
        )
    return json.loads(path.read_text(encoding="utf-8"))
