"""Results that took too long for a chapter, kept in the repository under ``book/results``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "load"]

_INSTALLED = Path(__file__).parent / "_results"

#: Where they lie: a built package carries them; one installed in place reads those of the repository.
FOLDER = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[2] / "book" / "results"


def load(name: str) -> dict[str, Any]:
    """One result with what made it: the command, the versions, the time it took.

    Raises
    ------
    FileNotFoundError
        If there is no such result.

    Examples
    --------
    >>> from ntkbook import results
    >>> results.load("theorem-2-3")["command"]
    'python tools/sweep_hierarchy.py'
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"no result named {name!r}; there are {sorted(path.stem for path in FOLDER.glob('*.json'))}. "
            "Install the version of the package that belongs to the chapter."
        )
    return json.loads(path.read_text(encoding="utf-8"))
