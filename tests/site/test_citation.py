"""What CITATION.cff says, and what counts as a placeholder."""

from __future__ import annotations

import pytest
from ntksite.citation import address, read_citation


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
        "authors: [{name: The authors}, {given-names: Ada, family-names: Lovelace}]\n"
        "repository-code: https://github.com/ada/ntkbook\nurl: https://OWNER.github.io/ntkbook\n"
    )
    citation = read_citation(tmp_path)
    assert citation.authors == "The authors, Ada Lovelace"
    assert (citation.repository, citation.site) == ("https://github.com/ada/ntkbook", "")
