"""The executed chapters against the values checked in under book/expected.json.

Every claim and every quoted number has an entry {chapter, type, value, tolerance}. A value that moved by more than its
tolerance, an entry whose value is no longer made, and a value without an entry all fail. Claims that are identities or
bounds are compared by their own inequality: their measured values are rounding errors and maxima.
"""

import math
from typing import Any

from ntksite.records import Record

RELATIVE_TOLERANCE = 1e-5
SMALLEST_TOLERANCE = 1e-12


def compared_by_itself(record: Record) -> bool:
    return record.type == "claim" and record.fields["kind"] in ("identity", "bound", "at least")


def entry_for(record: Record, old: dict[str, Any] | None) -> dict[str, Any]:
    """The entry to check in for a record; a tolerance set by hand is kept."""
    value = float(f"{record.value:.10g}")
    if compared_by_itself(record):
        tolerance = None
    elif old is not None and old["tolerance"] is not None:
        tolerance = old["tolerance"]
    else:
        # an exponent near zero is compared on the scale of exponents
        size = max(abs(value), 1.0) if record.fields.get("kind") == "exponent" else abs(value)
        tolerance = float(f"{max(RELATIVE_TOLERANCE * size, SMALLEST_TOLERANCE):.1g}")
    return {"chapter": record.chapter, "type": record.type, "value": value, "tolerance": tolerance}


def describe(record: Record) -> str:
    place = f"{record.chapter}, code cell {record.cell}" if record.cell else record.chapter
    return f"{record.id} ({place})"


def problem(record: Record, entry: dict[str, Any]) -> str | None:
    """What is wrong with a record in view of its entry, or None."""
    where = describe(record)
    for name, found in (("chapter", record.chapter), ("type", record.type)):
        if entry[name] != found:
            return f"{where}: its {name} is {found!r}, expected {entry[name]!r}"
    if not math.isfinite(record.value):
        return f"{where}: the value is {record.value}"
    if compared_by_itself(record):
        measured, fields = record.value, record.fields
        if fields["kind"] == "identity" and not abs(measured) <= fields["tolerance"]:
            return f"{where}: |{measured:.6g}| is above the claim's tolerance {fields['tolerance']:.6g}"
        if fields["kind"] == "bound" and not measured <= fields["predicted"]:
            return f"{where}: {measured:.6g} is above the claim's bound {fields['predicted']:.6g}"
        if fields["kind"] == "at least" and not measured >= fields["predicted"]:
            return f"{where}: {measured:.6g} is below the claim's bound {fields['predicted']:.6g}"
        return None
    if entry["tolerance"] is None:
        return f"{where}: its entry is that of an identity or a bound"
    if not abs(record.value - entry["value"]) <= entry["tolerance"]:
        return f"{where}: moved to {record.value:.10g}, expected {entry['value']:.10g} within {entry['tolerance']:.2g}"
    return None


def problems(records: list[Record], entries: dict[str, dict[str, Any]]) -> list[str]:
    found = []
    for record in records:
        if record.id not in entries:
            found.append(f"{describe(record)}: has no entry")
        elif text := problem(record, entries[record.id]):
            found.append(text)
    made = {record.id for record in records}
    found += [f"{name} ({entry['chapter']}): is missing" for name, entry in entries.items() if name not in made]
    return found
