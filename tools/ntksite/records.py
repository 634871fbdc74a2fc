"""What the executed chapters recorded: the claims and quotes in the metadata of their outputs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Record:
    """One claim or quote, with the place where it was made.

    `cell` counts the chapter's code cells from 1 and `cell_index` all of its cells from 0 (both 0 for a quote: the
    build takes quoted numbers out of their cells); `fields` is what `ntkbook.claims` wrote: type, id and, by type,
    the value or the claim's statement and numbers.
    """

    chapter: str
    cell: int
    cell_index: int
    fields: dict[str, Any]

    @property
    def id(self) -> str:
        return self.fields["id"]

    @property
    def type(self) -> str:
        return self.fields["type"]

    @property
    def value(self) -> float:
        return value(self.fields)


def value(fields: dict[str, Any]) -> float:
    """The number that a claim or a quote recorded."""
    return fields["measured" if fields["type"] == "claim" else "value"]


def documents(root: Path = ROOT) -> list[str]:
    """Names of the book's documents in the order of the table of contents, the landing page first."""
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    parts = toc.get("parts", [toc])
    return [toc["root"], *(entry["file"] for part in parts for entry in part.get("chapters", []))]


def notebook_records(notebook: dict[str, Any], chapter: str) -> list[Record]:
    """The records in the outputs of one executed notebook, in the order in which they were made."""
    records = []
    cell = 0
    for cell_index, source in enumerate(notebook["cells"]):
        if source["cell_type"] != "code":
            continue
        cell += 1
        for output in source["outputs"]:
            if fields := output.get("metadata", {}).get("ntkbook"):
                records.append(Record(chapter, cell, cell_index, fields))
    return records


def executed_records(root: Path = ROOT) -> list[Record]:
    """The records of all chapters as last executed by the build, in the order of the table of contents."""
    records = []
    for document in documents(root):
        path = root / "_build" / "jupyter_execute" / f"{document}.ipynb"
        if not path.exists():
            continue
        records += notebook_records(json.loads(path.read_text()), document)
        glued = path.with_suffix(".glue.json")
        if glued.exists() and glued.stat().st_mtime >= path.stat().st_mtime:  # else of an earlier execution
            for output in json.loads(glued.read_text()).values():
                if fields := output["metadata"].get("ntkbook"):
                    records.append(Record(document, 0, 0, fields))
    return records


def executed_values(root: Path = ROOT) -> dict[str, float]:
    return {record.id: record.value for record in executed_records(root)}


def expected(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """The checked-in values: book/expected.json maps ids to {chapter, type, value, tolerance}."""
    return json.loads((root / "book" / "expected.json").read_text())


def expected_values(root: Path = ROOT) -> dict[str, float]:
    return {name: entry["value"] for name, entry in expected(root).items()}
