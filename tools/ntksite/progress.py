"""Says which chapter is being read and executed, and shows a table of times and page weights at the end."""

import gzip
import json
import re
import resource
import time
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from ntksite.records import documents


class Progress:
    """Says which chapter is being read and executed, and shows a table of times at the end."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self.started = 0.0

    def begin(self, app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        self.total = len(docnames)

    def start(self, app: Sphinx, docname: str, source: list[str]) -> None:
        self.done += 1
        self.started = time.perf_counter()
        print(f"[{self.done}/{self.total}] {docname} ...", end="", flush=True)

    def finish(self, app: Sphinx, doctree: nodes.document) -> None:
        print(f" {time.perf_counter() - self.started:.0f} s", flush=True)


def page_weight(page: Path, compressed: dict[Path, int]) -> int:
    """Bytes over the wire, gzipped, of a page with the scripts, styles and images that it names."""

    def size(path: Path) -> int:
        if path not in compressed:
            compressed[path] = len(gzip.compress(path.read_bytes())) if path.is_file() else 0
        return compressed[path]

    named = re.findall(r'<(?:script|link|img)\b[^>]*?(?:src|href)="([^"#?:]+)', page.read_text())
    return size(page) + sum(size((page.parent / name).resolve()) for name in set(named))


def print_times(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None:
        return
    print(f"\n{'chapter':28}{'executed in':>12}{'page, compressed':>18}")
    compressed: dict[Path, int] = {}
    seconds: dict[str, float] = {}
    for document in documents(Path(app.srcdir)):
        execution = app.env.nb_metadata[document].get("exec_data") if hasattr(app.env, "nb_metadata") else None
        if execution and execution.get("runtime"):
            seconds[document] = execution["runtime"]
        spent = f"{seconds[document]:.1f} s" if document in seconds else "-"
        page = Path(app.outdir) / f"{document}.html"
        print(f"{document:28}{spent:>12}{page_weight(page, compressed) / 1e6:>15.2f} MB")
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"largest kernel of this run: {memory:.2f} GB\n", flush=True)
    table = Path(app.outdir).parent / "times.json"
    if table.exists():  # a build that takes all outputs from the cache starts no kernel
        memory = max(memory, json.loads(table.read_text())["gigabytes"])
    table.write_text(json.dumps({"seconds": seconds, "gigabytes": memory}) + "\n")


def setup(app: Sphinx) -> dict[str, Any]:
    progress = Progress()
    app.connect("env-before-read-docs", progress.begin, priority=600)  # after those that change the list
    app.connect("source-read", progress.start)
    app.connect("doctree-read", progress.finish, priority=600)
    app.connect("build-finished", print_times, priority=900)  # of the pages as they are in the end
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
