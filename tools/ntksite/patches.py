"""Mends of other packages, each with the fault and the version that has it.

`ntk_unpatched`, a configuration value, names the packages to leave as they are: a test builds the sample book without
the mends and expects the faults. Where it no longer finds one, drop the patch.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import myst_nb.core.execute
from myst_nb.core.execute.cache import NotebookClientCache
from sphinx.application import Sphinx
from sphinx.config import Config


@dataclass(frozen=True)
class Patch:
    """What is wrong with a version of a package, and what mends it once the configuration is known."""

    package: str
    version: str
    fault: str
    apply: Callable[[Sphinx], None]


@dataclass(frozen=True)
class Rewriting:
    """What is wrong in the files that a version of a package brings about, and what is put for each match of `seen`."""

    package: str
    version: str
    fault: str
    seen: str
    instead: str
    files: str = "**/*.html"


# -- outputs from the cache ----------------------------------------------------------------------------------


class CachedClient(NotebookClientCache):
    """The client that executes through the cache, with outputs from the cache in the notebook that it was given."""

    def start_client(self) -> None:
        given = self.notebook
        super().start_client()
        given.cells, given.metadata = self.notebook.cells, self.notebook.metadata


def use_cached_client(app: Sphinx) -> None:
    myst_nb.core.execute.NotebookClientCache = CachedClient


# -- scripts that no page needs ------------------------------------------------------------------------------


def drop_thebe(app: Sphinx) -> None:
    for listeners in app.events.listeners.values():
        listeners[:] = [entry for entry in listeners if not entry.handler.__module__.startswith("sphinx_thebe")]
    app.registry.css_files[:] = [entry for entry in app.registry.css_files if entry[0] != "sphinx-thebe.css"]


def drop_unused_files(app: Sphinx) -> None:
    def drop(app: Sphinx, exception: Exception | None) -> None:
        for path in [*Path(app.outdir).rglob("*.map"), *Path(app.outdir).rglob("fontawesome.js*")]:
            path.unlink(missing_ok=True)

    app.connect("build-finished", drop)


PATCHES = (
    Patch(
        "myst-nb",
        "1.4.0",
        "puts outputs from the cache into a copy and writes the notebook without them: all claims are gone",
        use_cached_client,
    ),
    Patch("sphinx-thebe", "0.3.1", "puts the address of another host on every page, and its script twice", drop_thebe),
    Patch(
        "pydata-sphinx-theme",
        "0.17.1",
        "ships source maps and a script of icons, five megabytes that no page loads",
        drop_unused_files,
    ),
)

# -- what is written wrong -----------------------------------------------------------------------------------

# In place of what a browser refuses to give: it forgets when the page is left.
MEMORY = (
    "const kept = new Map(); Object.defineProperty(window, 'localStorage', { value: { "
    "getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, String(value)), "
    "removeItem: (key) => kept.delete(key) } });"
)

REWRITINGS = (
    Rewriting(
        "pydata-sphinx-theme",
        "0.17.1",
        "loads a script of icons, half a megabyte, on every page, whose web fonts draw the same icons",
        r"<(script|link)\b[^>]*/fontawesome\.js[^>]*>(</script>)?\s*",
        "",
    ),
    Rewriting(
        "pydata-sphinx-theme",
        "0.17.1",
        "stops its search and its choice of colours where a browser keeps nothing for a page",
        r'(<script data-cfasync="false">)(?=\s*document)',
        rf"\1try {{ localStorage.length; }} catch {{ {MEMORY} }}",
    ),
    Rewriting(
        "pydata-sphinx-theme",
        "0.17.1",
        "gives a page a theme that has no colours until a script has run",
        r'(<html[^>]*) data-theme="auto"',
        r'\1 data-theme="light"',
    ),
    Rewriting(
        "pydata-sphinx-theme",
        "0.17.1",
        "names the search button by another text than the one that it shows",
        r'(<button class="btn search-button-field[^>]*?) aria-label="Search"',
        r"\1",
    ),
    Rewriting(
        "pydata-sphinx-theme",
        "0.17.1",
        "leaves the title of the site outside all landmarks",
        r'<div id="pst-primary-sidebar" class',
        '<div id="pst-primary-sidebar" role="complementary" aria-label="Site" class',
    ),
    Rewriting(
        "myst-nb",
        "1.4.0",
        "names what opens a hidden cell by another text than the one that it shows",
        '<summary aria-label="Toggle hidden content">',
        "<summary>",
    ),
    Rewriting(
        "docutils",
        "0.21.2",
        "gives the entries of a bibliography a role that is no longer one, and that a list may not hold",
        'role="doc-biblioentry"',
        'role="listitem"',
    ),
    Rewriting("sphinx-proof", "0.4.0", "gives all statements of a page the same id", ' id="proof-content"', ""),
    Rewriting(
        "sphinx-proof",
        "0.4.0",
        "gives all proofs of a page the same id",
        r'(<div class="proof admonition") id="proof"',
        r"\1",
    ),
    Rewriting("sphinx-exercise", "1.2.1", "gives all exercises of a page the same id", ' id="exercise-content"', ""),
    Rewriting(
        "Sphinx",
        "7.4.7",
        "begins what it quotes of a page that was found with the words of the toolbar",
        r"""querySelector\((['`])\[role="main"\](?= \$|')""",
        r'querySelector(\1[role="main"] article',
        "_static/searchtools.js",
    ),
    Rewriting(
        "Sphinx",
        "7.4.7",
        "finds a word with an accent under that spelling alone",
        r"_parseQuery: \(query\) => \{\n(?!    query = )",
        "_parseQuery: (query) => {\n    query = query.normalize('NFD').replace(/\\\\p{M}/gu, '');\n",
        "_static/searchtools.js",
    ),
)


def rewrite(app: Sphinx, exception: Exception | None) -> None:
    for rewriting in REWRITINGS:
        if rewriting.package not in app.config.ntk_unpatched:
            for path in Path(app.outdir).glob(rewriting.files):
                text = path.read_text()
                mended = re.sub(rewriting.seen, rewriting.instead, text)
                if mended != text:
                    path.write_text(mended)


def apply(app: Sphinx, config: Config) -> None:
    for patch in PATCHES:
        if patch.package not in config.ntk_unpatched:
            patch.apply(app)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("ntk_unpatched", [], "env", types=[list])
    app.connect("config-inited", apply)
    app.connect("build-finished", rewrite)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
