"""The book as its documents and what they call each other by: labels, numbers, titles, cited works."""

import re
import string
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat
import yaml

from ntksite.citation import read_citation
from ntksite.notebooks.myst import Block, ConversionError, Directive, Label, Math, Text, parse, walk
from ntksite.records import documents

THEOREMS = (
    "algorithm assumption axiom conjecture corollary criterion definition example lemma observation property "
    "proposition remark theorem"
).split()

# a number of the paper: of a statement or an equation, in its text or its appendices
PAPER = re.compile(r"[1-9A-D]\.\d+")

# what counts the book's own, behind the number of the chapter
ALPHABETS = {"statement": string.ascii_uppercase, "equation": string.ascii_lowercase}


def letter(count: int, kind: str) -> str:
    """A, B, ..., Z, AA, BB, ... for the count 1, 2, ... of a statement, and small ones for equations."""
    times, place = divmod(count - 1, 26)
    return ALPHABETS[kind][place] * (times + 1)


@dataclass(frozen=True)
class Target:
    """What a label stands for: its document, its name ("Theorem 2.1"), its number, its title or caption."""

    document: str
    name: str
    number: str = ""
    title: str = ""


@dataclass
class Chapter:
    """A document: its cells, the blocks of each Markdown cell, the figure numbers of code cells."""

    document: str
    notebook: nbformat.NotebookNode
    blocks: dict[int, list[Block]]
    figures: dict[int, str] = field(default_factory=dict)
    title: str = ""


class Counters:
    """The numbers of one document, counted as `ntksite.numbering` and, for figures and exercises, Sphinx count them."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.seen: dict[str, int] = {}

    def next(self, kind: str, paper: str = "") -> str:
        """The next number of a figure, an exercise, an equation or a statement; `paper` may be the paper's."""
        if PAPER.fullmatch(paper):
            return paper
        series = "statement" if kind in THEOREMS else kind
        count = self.seen[series] = self.seen.get(series, 0) + 1
        return f"{self.prefix}{letter(count, series) if series in ALPHABETS else count}"


class Book:
    """All documents with what they call each other by.

    `values` maps the ids of claims and quotes to the numbers that the prose shows.
    """

    def __init__(self, root: Path, values: dict[str, float]) -> None:
        self.root = root
        self.values = values
        self.site = read_citation(root).site
        self.bibliography = read_bibliography(root / "book" / "references.bib")
        self.targets: dict[str, Target] = {}
        self.chapters = {document: self._read(document) for document in documents(root)}
        for chapter in self.chapters.values():
            self._number(chapter)

    def _read(self, document: str) -> Chapter:
        notebook = jupytext.read(self.root / f"{document}.md", fmt="md:myst")
        try:
            blocks = {i: parse(cell.source) for i, cell in enumerate(notebook.cells) if is_prose(cell)}
        except ConversionError as error:
            raise ConversionError(f"{document}: {error}") from None
        return Chapter(document, notebook, blocks)

    def _prefix(self, document: str) -> str:
        toc = yaml.safe_load((self.root / "_toc.yml").read_text())
        numbered = [
            entry["file"] for part in toc.get("parts", [toc]) if part.get("numbered") for entry in part["chapters"]
        ]
        return f"{numbered.index(document) + 1}." if document in numbered else ""

    def _number(self, chapter: Chapter) -> None:
        """Number what can be referred to, in reading order, and note what each label stands for."""
        counters = Counters(self._prefix(chapter.document))
        pending: list[str] = []

        def note(name: str, number: str = "", title: str = "", labels: tuple[str | None, ...] = ()) -> None:
            target = Target(chapter.document, name, number, title)
            for label in filter(None, [*pending, *labels]):
                self.targets[label] = target
            pending.clear()

        for i, cell in enumerate(chapter.notebook.cells):
            if figure := cell.metadata.get("mystnb", {}).get("figure"):
                chapter.figures[i] = number = counters.next("figure")
                note(f"Fig. {number}", number, figure.get("caption", ""), (figure.get("name"),))
            for block in walk(chapter.blocks.get(i, [])):
                match block:
                    case Label(name):
                        pending.append(name)
                    case Math(_, str(label)):
                        block.number = counters.next("equation", label)
                        note(f"({block.number})", block.number, labels=(label,))
                    case Directive(name, argument, options) if kind_of(name):
                        if "nonumber" not in options:
                            block.number = counters.next(kind_of(name), options.get("paper", ""))
                        full = f"{kind_of(name).capitalize()} {block.number}".strip()
                        note(full, block.number, argument, (options.get("label"), options.get("name")))
                    case Text(lines, False):
                        for line in lines:
                            if heading := re.match(r"^#+\s+(.*)$", line):
                                chapter.title = chapter.title or heading[1]
                                note(heading[1], title=heading[1])
                            elif line.strip():
                                note("")

    def executable(self) -> list[str]:
        """The documents that have code."""
        return [
            document
            for document, chapter in self.chapters.items()
            if any(cell.cell_type == "code" for cell in chapter.notebook.cells)
        ]


def is_prose(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "markdown"


def kind_of(directive: str) -> str:
    """What a numbered directive is called, "" for the others."""
    kind = directive.removeprefix("prf:")
    return kind if directive == "exercise" or directive == f"prf:{kind}" and kind in THEOREMS else ""


# -- cited works --------------------------------------------------------------------------------------------


def read_bibliography(path: Path) -> dict[str, dict[str, str]]:
    """The fields of every entry of a BibTeX file in plain layout: a field a line, the closing brace alone."""
    entries = {}
    for key, body in re.findall(r"@\w+\{([^,\s]+),(.*?)\n\}", path.read_text(), flags=re.S):
        fields = re.findall(r"^\s*(\w+)\s*=\s*[{\"](.*?)[}\"],?\s*$", body, flags=re.M)
        entries[key] = {name.lower(): re.sub(r"[{}]", "", value) for name, value in fields}
    return entries


def authors(entry: dict[str, str]) -> str:
    families = [name.split(",")[0].strip() for name in entry["author"].split(" and ")]
    if len(families) > 2:
        return f"{families[0]} et al."
    return " and ".join(families)
