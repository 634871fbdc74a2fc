"""Runs every benchmark, prints the table and writes it to _build/bench.json: `python -m benchmarks`."""

import json
import sys
from dataclasses import asdict

import ntkbook
from benchmarks import flows, imports, kernels, pages, widgets
from benchmarks.measure import BUILD, Row

PARTS = (
    kernels.usual_rows,
    kernels.floor_rows,
    kernels.float32_rows,
    kernels.one_layer_rows,
    kernels.memory_rows,
    flows.truncated_rows,
    imports.import_rows,
    pages.browser_rows,
    widgets.widget_rows,
    pages.chapter_rows,
)


def main() -> None:
    ntkbook.enable_float64()
    rows: list[Row] = []
    for part in PARTS:
        print(f"measuring: {part.__doc__}", file=sys.stderr)
        rows += part()
    for row in rows:
        print(f"{row.name:62} {row.value:10.3g} {row.unit:3} {row.budget}")
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
