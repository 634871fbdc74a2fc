"""The numbers that chapters recorded, where myst-nb looks for what {glue:text} shows.

A claim stays where it was shown; a quoted number is taken out of its cell.
"""

from typing import Any

import myst_nb.ext.glue
from nbformat import NotebookNode
from sphinx.application import Sphinx

from ntksite.records import value


def take_records(cell: NotebookNode) -> list[tuple[str, NotebookNode]]:
    """The numbers that a cell recorded, by their ids, as outputs."""
    numbers, shown = [], []
    for output in cell.get("outputs", []):
        fields = output.get("metadata", {}).get("ntkbook", {})
        if fields:
            metadata = {"ntkbook": fields} if fields["type"] == "quote" else {}
            data = {"text/plain": repr(value(fields))}
            number = NotebookNode(output_type="display_data", data=data, metadata=metadata)
            numbers.append((fields["id"], number))
        if fields.get("type") != "quote":
            shown.append(output)
    cell.outputs = shown
    return numbers


def setup(app: Sphinx) -> dict[str, Any]:
    myst_nb.ext.glue.extract_glue_data_cell = take_records
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
