"""`make paper`: the paper for the Journal of Open Source Education, into _build/paper.

Its numbers come from the built book's claims.json, each where paper/paper.md quotes a claim as the chapters do; its
authors, with ORCID and affiliation where they are given, from CITATION.cff. What the book does not cite
itself stands in paper/paper.bib.
"""

import datetime
import json
import re
from pathlib import Path
from typing import Any

import yaml
from ntksite.records import ROOT

QUOTE = re.compile(r"\{glue:text\}`([\w-]+):([^`]+)`")
CLAIMS = "claims"  # quotes how many there are
INDEPENDENT = "Independent"


def rendered(text: str, claims: list[dict[str, Any]]) -> str:
    """The text with the measured value of every claim that it quotes; a KeyError names one that is not there."""
    values = {claim["id"]: claim["measured"] for claim in claims} | {CLAIMS: len(claims)}
    return QUOTE.sub(lambda quote: format(values[quote[1]], quote[2]).replace("-", "\u2212"), text)


def people(citation: dict[str, Any]) -> dict[str, Any]:
    """Authors and affiliations as the journal wants them, from those of a CITATION.cff."""
    places = list(dict.fromkeys(author.get("affiliation", INDEPENDENT) for author in citation["authors"]))
    authors = []
    for author in citation["authors"]:
        name = author.get("name") or f"{author['given-names']} {author['family-names']}"
        entry = {"name": name, "affiliation": places.index(author.get("affiliation", INDEPENDENT)) + 1}
        if "orcid" in author:
            entry["orcid"] = author["orcid"].rsplit("/", 1)[-1]
        authors.append(entry)
    return {"authors": authors, "affiliations": [{"name": name, "index": i} for i, name in enumerate(places, 1)]}


def paper(root: Path, claims: list[dict[str, Any]], today: datetime.date) -> str:
    _, head, body = (root / "paper" / "paper.md").read_text("utf-8").split("---\n", 2)
    fields = yaml.safe_load(head) | people(yaml.safe_load((root / "CITATION.cff").read_text("utf-8")))
    fields["date"] = f"{today:%d %B %Y}"
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---\n{rendered(body, claims)}"


def main() -> None:
    folder = ROOT / "_build" / "paper"
    folder.mkdir(parents=True, exist_ok=True)
    claims = json.loads((ROOT / "_build" / "html" / "claims.json").read_text())
    (folder / "paper.md").write_text(paper(ROOT, claims, datetime.date.today()), "utf-8")
    sources = (ROOT / "book" / "references.bib", ROOT / "paper" / "paper.bib")
    (folder / "paper.bib").write_text("\n".join(source.read_text("utf-8") for source in sources), "utf-8")
    print(f"The paper: {folder.relative_to(ROOT)}/paper.md")


if __name__ == "__main__":
    main()
