"""The command line: ``python -m ntkbook.experiments`` lists the experiments, with names it runs and saves them."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from ntkbook.experiments import EXPERIMENTS, FOLDER, run, save


def listing() -> str:
    """A line for each experiment: its name, the file it writes, the chapter, the time."""
    rows = [(one.name, one.file, one.chapter, f"{one.minutes:g} min") for one in EXPERIMENTS.values()]
    rows = [("name", "writes", "for the chapter", "takes about"), *rows]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, then list or run."""
    parser = argparse.ArgumentParser(
        prog="python -m ntkbook.experiments",
        description="Computes the stored results of the book's chapters anew. Without a name: lists them.",
        epilog=listing(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="an experiment to run and save")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to save (default: %(default)s)")
    given = parser.parse_args(arguments)
    for name in given.names:
        if name not in EXPERIMENTS:
            parser.error(f"NAME must be one of {', '.join(EXPERIMENTS)}, got {name!r}.")
    if not given.folder.is_dir():
        parser.error(f"--folder must be a folder that exists, got {str(given.folder)!r}. Make it first.")
    if not given.names:
        print(listing())
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("ntkbook.experiments").setLevel(logging.INFO)
    for name in given.names:
        print(f"{name}: takes about {EXPERIMENTS[name].minutes:g} min", flush=True)
        print(f"{name}: saved in {save(name, run(name), given.folder)}", flush=True)


if __name__ == "__main__":
    main()
