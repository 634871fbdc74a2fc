"""Markdown as PDF, by pandoc and typst: after PDF/UA-1, tagged, with formulas and pictures in words."""

import tempfile
from pathlib import Path

import pypandoc
import typst
from pypdf import PdfReader

LAYOUT = Path("course") / "layout"


def write(root: Path, markdown: str, layout: str, target: Path, *, title: str, author: str) -> int:
    """The number of pages that were written."""
    folder = root / LAYOUT
    variables = {"title": title, "author": author, "layout": folder}
    options = [f"--template={folder / layout}", f"--lua-filter={folder / 'typst.lua'}", "--wrap=preserve"]
    options += [f"--variable={name}={value}" for name, value in variables.items()]
    text = pypandoc.convert_text(markdown, "typst", format="markdown-auto_identifiers-smart", extra_args=options)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "text.typ"
        source.write_text(text, "utf-8")
        # typst's own fonts are the same everywhere
        typst.compile(source, target, Path("/"), ignore_system_fonts=True, pdf_standards="ua-1", timestamp=0)
    return len(PdfReader(target).pages)
