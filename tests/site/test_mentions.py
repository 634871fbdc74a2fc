"""What counts as a mention of something of the paper."""

from __future__ import annotations

import pytest
from ntksite.mentions import mentions
from ntksite.notebooks.book import letter


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("by (2.4) and (2.10).", {"(2.4)": "(2.4)", "(2.10)": "(2.10)"}),
        ("(1.4)-(1.5), (C.20)", {"(1.4)": "(1.4)", "(1.5)": "(1.5)", "(C.20)": "(C.20)"}),
        ("Theorem\n2.3", {"Theorem 2.3": "Theorem\n2.3"}),
        ("Corollaries 2.4 and 2.5", {"Corollary 2.4": "Corollaries 2.4", "Corollary 2.5": "2.5"}),
        (
            "Assumptions 2.1, 2.2, and\n2.3",
            {"Assumption 2.1": "Assumptions 2.1", "Assumption 2.2": "2.2", "Assumption 2.3": "2.3"},
        ),
        ("Claim A.4(ii)", {"Claim A.4": "Claim A.4"}),
        ("Appendices A and C", {"Appendix A": "Appendices A", "Appendix C": "C"}),
        ("Proposition 3.A, (3.a), (2.5 times), 2.4, (4.10.2), Fig. 2.3, Section 3, Appendix Alpha", {}),
    ],
)
def test_mentions(text: str, found: dict[str, str]) -> None:
    assert {mention.name: text[mention.start : mention.end] for mention in mentions(text)} == found


def test_letters_go_on_after_the_last() -> None:
    assert [letter(count, "statement") for count in (1, 26, 27, 53)] == ["A", "Z", "AA", "AAA"]
    assert letter(28, "equation") == "bb"
