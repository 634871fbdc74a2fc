"""The book's own Sphinx extension, one module for each thing it does.

What the project's scripts use without Sphinx: `records`, `citation`, `notebooks`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PARTS = (
    "patches",
    "addresses",
    "edition",
    "execution",
    "glue",
    "progress",
    "numbering",
    "mentions",
    "words",
    "previews",
    "claims",
    "checks",
    "numbers",
    "reference",
    "graph",
    "questions",
    "pages",
    "reading",
    "downloads",
    "launch",
)


def setup(app: "Sphinx") -> dict[str, Any]:
    for part in PARTS:
        app.setup_extension(f"{__name__}.{part}")
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
