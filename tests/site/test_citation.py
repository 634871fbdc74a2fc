"""What CITATION.cff says, and what counts as a placeholder."""

from __future__ import annotations

import pytest
from ntksite.citation import Citation, address, read_citation
from ntksite.edition import Edition, bibtex, read_edition
from ntksite.records import ROOT

import ntkbook


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://github.com/OWNER/ntkbook", ""),
        ("https://OWNER.github.io/ntkbook", ""),
        ("https://example.org/book", ""),
        ("https://books.example.com", ""),
        ("https://ntk.example/", ""),
        ("https://ada.github.io/ntkbook/", "https://ada.github.io/ntkbook"),
        ("https://ada.org/example/ntkbook", "https://ada.org/example/ntkbook"),
    ],
)
def test_an_address_is_there_or_a_placeholder(text: str, expected: str) -> None:
    assert address(text) == expected


def test_authors_are_people_or_groups(tmp_path) -> None:
    (tmp_path / "CITATION.cff").write_text(
        "title: A book\nauthors: [{name: The authors}, {given-names: Ada, family-names: Lovelace}]\n"
        "repository-code: https://github.com/ada/ntkbook\nurl: https://OWNER.github.io/ntkbook\n"
    )
    citation = read_citation(tmp_path)
    assert (citation.title, citation.authors) == ("A book", ("The authors", "Ada Lovelace"))
    assert (citation.repository, citation.site) == ("https://github.com/ada/ntkbook", "")


def test_an_edition_is_cited_with_what_is_known() -> None:
    known = Citation("A book", ("Ada Lovelace", "The authors"), "", "https://ada.github.io/book")
    assert bibtex(known, Edition("1.2", "2026-03-01")).splitlines() == [
        "@book{ntkbook,",
        "  author = {{Ada Lovelace} and {The authors}},",
        "  title  = {A book},",
        "  year   = {2026},",
        "  note   = {Version 1.2 of 2026-03-01},",
        "  url    = {https://ada.github.io/book},",
        "}",
    ]
    assert (
        "url" not in bibtex(Citation("A book", ("Ada",), "", ""), Edition("1.2", ""))
        and str(Edition("1", "")) == "Version 1"
    )


def test_a_book_is_signed_without_git_and_outside_of_a_repository(tmp_path, monkeypatch) -> None:
    assert read_edition(tmp_path) == Edition(ntkbook.__version__, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_edition(ROOT) == Edition(ntkbook.__version__, "")
