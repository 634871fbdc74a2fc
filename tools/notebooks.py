"""Plain notebooks from the book's MyST chapters."""

from pathlib import Path

import jupytext
from records import documents


class Book:
    def __init__(self, root: Path, values: dict[str, float]) -> None:
        self.root = root
        self.values = values

    def write_notebooks(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for document in documents(self.root):
            source = self.root / f"{document}.md"
            if "kernelspec" in source.read_text():
                jupytext.write(jupytext.read(source), folder / f"{source.stem}.ipynb")
