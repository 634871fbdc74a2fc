"""Tables that directives make, of cells that are lists of nodes."""

from collections.abc import Iterable, Mapping

from docutils import nodes

Cell = list[nodes.Node]


def row(cells: Iterable[Cell]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))


def table(columns: Mapping[str, int], rows: Iterable[nodes.row], name: str) -> nodes.table:
    """Columns are heads with their widths in percent; `name` is for the style sheet."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in columns.values()), cols=len(columns))
    group += nodes.thead("", row([nodes.Text(head)] for head in columns))
    group += nodes.tbody("", *rows)
    return nodes.table("", group, classes=[name])
