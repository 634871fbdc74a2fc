"""The comparison of executed outputs with the expected ones."""

from __future__ import annotations

import pytest
from ntksite.records import Record, notebook_records
from release.outputs import entry_for, problems


def claim_record(kind: str, measured: float, *, predicted: float = 0.0, tolerance: float = 0.0) -> Record:
    numbers = {"measured": measured, "predicted": predicted, "tolerance": tolerance}
    return Record("book/first", 1, 1, {"type": "claim", "id": kind, "kind": kind} | numbers)


def quote_record(value: float) -> Record:
    return Record("book/first", 0, 0, {"type": "quote", "id": "quote", "value": value})


RECORDS = [
    claim_record("exponent", -1.02, predicted=-1.0, tolerance=0.1),
    claim_record("identity", 1e-14, tolerance=1e-10),
    claim_record("bound", 0.3, predicted=0.5),
    claim_record("at least", 0.7, predicted=0.5),
    quote_record(12.5),
]
ENTRIES = {record.id: entry_for(record, None) for record in RECORDS}


def test_unchanged_outputs_agree() -> None:
    assert problems(RECORDS, ENTRIES) == []


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (claim_record("exponent", -1.03, predicted=-1.0, tolerance=0.1), "moved to -1.03, expected -1.02"),
        (quote_record(12.501), "moved to 12.501"),
        (quote_record(float("nan")), "the value is nan"),
        (claim_record("identity", -2e-10, tolerance=1e-10), "above the claim's tolerance"),
        (claim_record("bound", 0.6, predicted=0.5), "above the claim's bound"),
        (claim_record("at least", 0.4, predicted=0.5), "below the claim's bound"),
    ],
)
def test_moved_value_fails(record: Record, message: str) -> None:
    changed = [record if record.id == old.id else old for old in RECORDS]
    found = problems(changed, ENTRIES)
    assert len(found) == 1 and message in found[0]


def test_a_bound_that_became_a_measured_value_fails() -> None:
    record = Record(
        "book/first", 0, 0, claim_record("exponent", 0.3, predicted=0.3, tolerance=0.1).fields | {"id": "bound"}
    )
    found = problems([record if old.id == "bound" else old for old in RECORDS], ENTRIES)
    assert len(found) == 1 and "that of an identity or a bound" in found[0]


def test_identities_and_bounds_may_move_within_their_inequality() -> None:
    moved = [
        claim_record("identity", 9e-11, tolerance=1e-10),
        claim_record("bound", -4.0, predicted=0.5),
        claim_record("at least", 4.0, predicted=0.5),
    ]
    assert problems([RECORDS[0], *moved, RECORDS[-1]], ENTRIES) == []


def test_missing_value_fails() -> None:
    assert problems(RECORDS[1:], ENTRIES) == ["exponent (book/first): is missing"]


def test_unlisted_value_fails() -> None:
    found = problems(RECORDS, {name: entry for name, entry in ENTRIES.items() if name != "quote"})
    assert found == ["quote (book/first): has no entry"]


def test_moved_chapter_fails() -> None:
    entries = ENTRIES | {"bound": ENTRIES["bound"] | {"chapter": "book/second"}}
    assert "its chapter is 'book/first'" in problems(RECORDS, entries)[0]


def test_tolerance_set_by_hand_is_kept() -> None:
    assert entry_for(RECORDS[0], None)["tolerance"] == pytest.approx(1e-5)
    assert entry_for(RECORDS[0], ENTRIES["exponent"] | {"tolerance": 0.5})["tolerance"] == 0.5


def test_records_know_their_cells() -> None:
    output = {"metadata": {"ntkbook": {"type": "claim", "id": "one"}}}
    cells = [
        {"cell_type": "markdown"},
        {"cell_type": "code", "outputs": [{}]},
        {"cell_type": "code", "outputs": [{}, output]},
    ]
    (record,) = notebook_records({"cells": cells}, "book/first")
    assert (record.cell, record.cell_index) == (2, 2)
