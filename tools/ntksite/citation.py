"""What CITATION.cff says: the one place for the authors, the address of the repository and that of the site."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Citation:
    """The title, the authors, and two addresses without a slash at their end: "" where the file holds a placeholder."""

    title: str
    authors: tuple[str, ...]
    repository: str
    site: str


def read_citation(root: Path) -> Citation:
    fields = yaml.safe_load((root / "CITATION.cff").read_text())
    names = (author.get("name") or f"{author['given-names']} {author['family-names']}" for author in fields["authors"])
    return Citation(fields["title"], tuple(names), address(fields["repository-code"]), address(fields["url"]))


def address(text: str) -> str:
    """The address, or "" where a placeholder stands: OWNER, or a host that is reserved for examples."""
    placeholder = "OWNER" in text or re.search(r"//([\w.-]+\.)?example(\.\w+)?(/|$)", text)
    return "" if placeholder else text.rstrip("/")
