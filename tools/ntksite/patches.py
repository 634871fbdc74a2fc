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


def drop_icon_script(app: Sphinx) -> None:
    def clean(app: Sphinx, exception: Exception | None) -> None:
        for page in Path(app.outdir).rglob("*.html"):
            text = page.read_text()
            page.write_text(re.sub(r"<(script|link)\b[^>]*/fontawesome\.js[^>]*>(</script>)?\s*", "", text))

    app.connect("build-finished", clean)


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
        "loads a script of icons, half a megabyte, on every page, whose web fonts draw the same icons",
        drop_icon_script,
    ),
)


def apply(app: Sphinx, config: Config) -> None:
    for patch in PATCHES:
        if patch.package not in config.ntk_unpatched:
            patch.apply(app)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("ntk_unpatched", [], "env", types=[list])
    app.connect("config-inited", apply)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
