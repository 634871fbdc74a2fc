"""Compare the executed chapters with the values checked in under book/expected.json; see release.outputs for the rules.

`--write` brings the file up to date and keeps the tolerances that it has.
"""

import argparse
import json
import sys

from ntksite.records import ROOT, executed_records, expected
from release import outputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="bring book/expected.json up to date")
    arguments = parser.parse_args()

    records = executed_records()
    if not records:
        sys.exit("No executed chapter with a claim was found; run `make book` first.")
    entries = expected()
    if arguments.write:
        new = {record.id: outputs.entry_for(record, entries.get(record.id)) for record in records}
        (ROOT / "book" / "expected.json").write_text(json.dumps(new, indent=1) + "\n")
        print(f"book/expected.json: {len(new)} values")
        return
    found = outputs.problems(records, entries)
    if found:
        listing = "\n  ".join(found)
        sys.exit(
            f"{len(found)} executed values differ from book/expected.json:\n  {listing}\n"
            "Where the new values are right, say so with: python tools/check_outputs.py --write"
        )
    print(f"{len(records)} executed values agree with book/expected.json")


if __name__ == "__main__":
    main()
