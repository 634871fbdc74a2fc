"""Runs the notebooks for Colab, each in an environment of its own with what Colab brings: minutes, so by hand.

PYTHONPATH=tools python tests/on_colab.py [CHAPTER ...]
"""

import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from ntksite.notebooks import Book
from ntksite.records import ROOT
from reader import Colab, wrong_claims


def seconds(cell: dict[str, Any]) -> float:
    begun, ended = (cell["metadata"]["execution"][f"iopub.status.{state}"] for state in ("busy", "idle"))
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()


def main() -> None:
    failed = False
    for document in sys.argv[1:] or Book(ROOT, {}).executable():
        with tempfile.TemporaryDirectory() as folder:
            colab = Colab(Path(folder))
            path = colab.write_notebook(document)
            begun = time.perf_counter()
            try:
                notebook = colab.execute(path)
            except AssertionError as error:
                failed, outcome = True, str(error)
            else:
                wrong = wrong_claims(notebook, document)
                failed = failed or bool(wrong)
                outcome = "; ".join(wrong) or f"as in the book, {seconds(notebook['cells'][0]):.0f} s of it to install"
            print(f"{document}: {time.perf_counter() - begun:.0f} s, {outcome}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
