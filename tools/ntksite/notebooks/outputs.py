"""The outputs of the build, for notebooks that are only looked at: on GitHub, in nbviewer, before a run."""

import base64
import io
from html import escape
from pathlib import Path

import nbformat
from PIL import Image

from ntksite.notebooks.myst import ConversionError

WIDGET = "application/vnd.jupyter.widget-view+json"
LIVE = "An interactive figure: run this cell to use it"


def executed_cells(root: Path, document: str, codes: list[str]) -> list[nbformat.NotebookNode]:
    """The code cells of a document as the build executed them, one for each of its codes."""
    notebook = nbformat.read(root / "_build" / "jupyter_execute" / f"{document}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.source for cell in cells] != codes:
        raise ConversionError("the build executed other code: make book")
    return cells


def still(output: nbformat.NotebookNode, page: str, alt: str) -> nbformat.NotebookNode:
    """An output that needs no kernel and no trust.

    `page` is the address of the live page, "" without one; `alt` describes a picture.
    """
    data = output.get("data", {})
    if WIDGET in data:
        text = data["text/plain"]
        html = data.get("text/html", f"<p>{escape(text)}</p>")  # a reader's own widget has none
        link = f', or <a href="{escape(page)}">use it on its page</a>' if page else ""
        shown = {"text/html": f"{html}\n<p>{LIVE}{link}.</p>", "text/plain": text + f"\n{page}" * bool(page)}
        return nbformat.v4.new_output("display_data", shown)
    if "image/png" in data:
        metadata = {"image/png": output.metadata.get("image/png", {})}  # its size
        shown = {"image/png": on_white(data["image/png"]), "text/plain": alt or data["text/plain"]}
        return nbformat.v4.new_output("display_data", shown, metadata=metadata)
    return output


def on_white(png: str) -> str:
    """The picture on white paper, since the page around it may be dark; 256 colours do."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    file = io.BytesIO()
    Image.alpha_composite(paper, picture).convert("RGB").quantize(256).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
