"""The book's own Sphinx extension: execution cache, progress, claims page, downloads; no other hosts."""

import gzip
import hashlib
import json
import os
import re
import resource
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import myst_nb.core.execute
import yaml
from docutils import nodes
from myst_nb.core.execute.cache import NotebookClientCache
from notebooks import Book, typeset
from records import Record, documents, executed_records
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)


# -- configuration -------------------------------------------------------------------------------------------


def execution_key(root: Path) -> str:
    """Hash of what, besides its own text, a chapter's outputs depend on: package, lock, stored results."""
    files = [root / "requirements.lock"]
    for folder in ("src", "book/results"):
        files += (path for path in (root / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def configure(app: Sphinx, config: Config) -> None:
    """Fill in what stands in CITATION.cff; outside CI, execute through a cache keyed by package and lock."""
    root = Path(app.srcdir)
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    config.author = ", ".join(
        author.get("name") or f"{author['given-names']} {author['family-names']}" for author in citation["authors"]
    )
    config.copyright = ""
    config.html_baseurl = citation["url"]
    config.html_theme_options |= {"repository_url": citation["repository-code"], "repository_branch": "main"}

    if not os.environ.get("CI"):
        caches = Path(app.outdir).parent / "execution"
        cache = caches / execution_key(root)
        for other in caches.glob("*"):
            if other != cache:
                shutil.rmtree(other)
        config.nb_execution_mode = "cache"
        config.nb_execution_cache_path = str(cache)
        myst_nb.core.execute.NotebookClientCache = CachedClient

    # Kernels run with a profile of the book's own: nothing of the user's, and only errors in the log.
    profile = Path(app.outdir).parent / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
    os.environ["IPYTHONDIR"] = str(profile.parent)
    os.environ["TQDM_DISABLE"] = "1"  # a page tells the same at every build

    # sphinx-thebe puts the address of another host on every page, and its script twice.
    for listeners in app.events.listeners.values():
        listeners[:] = [entry for entry in listeners if not entry.handler.__module__.startswith("sphinx_thebe")]
    app.registry.css_files[:] = [entry for entry in app.registry.css_files if entry[0] != "sphinx-thebe.css"]


class CachedClient(NotebookClientCache):
    """myst-nb's client with a cache, except that outputs from the cache reach the written notebook too.

    myst-nb puts them into a copy and then writes the notebook that it was given, without outputs: all claims are gone.
    """

    def start_client(self) -> None:
        given = self.notebook
        super().start_client()
        given.cells, given.metadata = self.notebook.cells, self.notebook.metadata


# -- progress ------------------------------------------------------------------------------------------------


class Progress:
    """Says which chapter is being read and executed, and shows a table of times at the end."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self.started = 0.0

    def begin(self, app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        order = documents(Path(app.srcdir))
        docnames.sort(key=lambda name: order.index(name) if name in order else len(order))
        claims_pages: set[str] = getattr(env, "ntk_claims_pages", set())
        if docnames:
            # the claims come from the chapters' outputs: read last, and whenever any of them has changed
            docnames[:] = [name for name in docnames if name not in claims_pages] + sorted(claims_pages)
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


# -- claims --------------------------------------------------------------------------------------------------


def cell_anchor(cell_index: int) -> str:
    return f"cell-{cell_index}"


def anchor_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Give every code cell an address of its own."""
    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code":
            node["ids"].append(cell_anchor(node["cell_index"]))


def print_numbers(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Quoted numbers as a printer sets them; punctuation stays on the line of the formula before it."""
    for node in list(doctree.findall(nodes.inline)):
        if "pasted-text" in node["classes"]:
            node[:] = [nodes.Text(typeset(node.astext()))]
    for formula in list(doctree.findall(nodes.math)):
        after = formula.next_node(descend=False, siblings=True)
        mark = re.match(r"[.,;:?!)\]]+", after) if isinstance(after, nodes.Text) else None
        if mark and isinstance(after, nodes.Text):
            kept = nodes.inline("", "", formula.deepcopy(), nodes.Text(mark[0]), classes=["ntk-kept"])
            formula.parent.replace(after, nodes.Text(after[mark.end() :]))
            formula.replace_self(kept)


def comparison(fields: dict[str, Any]) -> tuple[str, str]:
    """The last two columns of a claim: what was predicted, and how near the measured value has to be."""
    match fields["kind"]:
        case "bound":
            return f"at most {fields['predicted']:.4g}", ""
        case "identity":
            return "0", f"{fields['tolerance']:.1g}"
        case _:
            return f"{fields['predicted']:.4g}", f"{fields['tolerance']:.2g}"


class Claims(SphinxDirective):
    """`{claims} (2.1); (2.2)`: a table of what the chapters assert of these statements; without any, of the rest.

    A statement of which nothing is asserted is a warning.
    """

    optional_arguments = 1
    final_argument_whitespace = True
    columns = {"Claim": 46, "Equation": 12, "Measured": 11, "Predicted": 11, "Tolerance": 10, "Where": 10}

    def run(self) -> list[nodes.Node]:
        if not hasattr(self.env, "ntk_claims_pages"):
            self.env.ntk_claims_pages = set()  # type: ignore[attr-defined]
        self.env.ntk_claims_pages.add(self.env.docname)  # type: ignore[attr-defined]

        records = self.chosen()
        left_out = {"Equation"} if len(self.statements) == 1 else set()  # it stands in the heading
        columns = {name: width for name, width in self.columns.items() if name not in left_out}
        head, body = nodes.thead(), nodes.tbody()
        group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in columns.values()), head, body)
        head += self.row([nodes.Text(name)] for name in columns)
        for record in records:
            cells = dict(zip(self.columns, self.entries(record), strict=True))
            body += self.row(cells[name] for name in columns)
        group["cols"] = len(columns)
        return [nodes.table("", group, classes=["ntk-claims"])]

    @property
    def statements(self) -> list[str]:
        return [name.strip() for name in self.arguments[0].split(";")] if self.arguments else []

    def chosen(self) -> list[Record]:
        claims = [record for record in executed_records(Path(self.env.srcdir)) if record.type == "claim"]
        shown: set[str] = self.env.temp_data.setdefault("ntk_claims_shown", set())
        if not self.statements:
            return [record for record in claims if record.fields["equation"] not in shown]
        shown |= set(self.statements)
        chosen = [record for record in claims if record.fields["equation"] in self.statements]
        for name in set(self.statements) - {record.fields["equation"] for record in chosen}:
            logger.warning("no chapter makes a claim about %r", name, location=self.get_location())
        return chosen

    def row(self, entries: Any) -> nodes.row:
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *entry)) for entry in entries))

    def entries(self, record: Record) -> list[list[nodes.Node]]:
        fields = record.fields
        predicted, tolerance = comparison(fields)
        address = self.env.app.builder.get_relative_uri(self.env.docname, record.chapter)
        title = re.split("[:,]", self.env.titles[record.chapter].astext())[0]
        where = nodes.reference("", f"{title}, cell {record.cell}", internal=True)
        where["refuri"] = f"{address}#{cell_anchor(record.cell_index)}"
        return [
            [nodes.Text(fields["statement"])],
            [nodes.Text(fields["equation"])],
            [nodes.Text(f"{fields['measured']:.4g}")],
            [nodes.Text(predicted)],
            [nodes.Text(tolerance)],
            [where],
        ]


def write_claims(app: Sphinx, exception: Exception | None) -> None:
    """Write claims.json, the machine-readable form of the claims page."""
    if exception is not None:
        return
    claims = []
    for record in executed_records(Path(app.srcdir)):
        if record.type == "claim":
            where = {"id": record.id, "chapter": record.chapter, "cell": record.cell}
            names = ("equation", "statement", "kind", "measured", "predicted", "tolerance")
            claims.append(where | {name: record.fields[name] for name in names})
    (Path(app.outdir) / "claims.json").write_text(json.dumps(claims, indent=1) + "\n")


def check_ids(app: Sphinx, env: BuildEnvironment) -> None:
    counts = Counter(record.id for record in executed_records(Path(app.srcdir)))
    for name, count in counts.items():
        if count > 1:
            logger.warning("the claim or quote %r is made %d times; each needs an id of its own", name, count)


# -- downloads -----------------------------------------------------------------------------------------------


def write_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Write the plain notebook of every chapter to notebooks/, with this build's numbers in its prose."""
    if exception is not None:
        return
    root = Path(app.srcdir)
    values = {record.id: record.value for record in executed_records(root)}
    Book(root, values).write_notebooks(Path(app.outdir) / "notebooks")


def link_downloads(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Let the download button give the plain notebook; the raw source is no use to a reader."""
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            group["buttons"] = [button for button in group["buttons"] if button["label"] != "download-source-button"]
            for button in group["buttons"]:
                if button["label"] == "download-notebook-button":
                    name = pagename.rsplit("/", 1)[-1]
                    button["url"] = context["pathto"](f"notebooks/{name}.ipynb", 1)


def drop_icon_script(app: Sphinx, exception: Exception | None) -> None:
    """Take the theme's script of icons, half a megabyte, off the pages: its web fonts draw the same icons."""
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text()
        page.write_text(re.sub(r"<(script|link)\b[^>]*/fontawesome\.js[^>]*>(</script>)?\s*", "", text))


def setup(app: Sphinx) -> dict[str, Any]:
    progress = Progress()
    app.add_directive("claims", Claims)
    app.connect("config-inited", configure)
    app.connect("env-before-read-docs", progress.begin)
    app.connect("source-read", progress.start)
    app.connect("doctree-read", anchor_cells)
    app.connect("doctree-read", progress.finish)
    app.connect("doctree-resolved", print_numbers)
    app.connect("env-check-consistency", check_ids)
    app.connect("html-page-context", link_downloads, priority=600)
    app.connect("build-finished", write_claims)
    app.connect("build-finished", write_notebooks)
    app.connect("build-finished", drop_icon_script)
    app.connect("build-finished", print_times)
    return {"version": "1", "env_version": 1, "parallel_read_safe": False, "parallel_write_safe": True}
