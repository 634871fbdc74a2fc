"""Which edition of the book this is: version and date at the foot of every page, and `{citation}`, how to cite it."""

import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ntksite.citation import Citation, read_citation


@dataclass(frozen=True)
class Edition:
    """The package's version and the day of the last commit, "" outside of a repository or without git."""

    version: str
    date: str

    def __str__(self) -> str:
        return f"Version {self.version}" + (f" of {self.date}" if self.date else "")


def read_edition(root: Path) -> Edition:
    git = shutil.which("git")
    if not git:
        return Edition(version("ntkbook"), "")
    log = subprocess.run([git, "log", "-1", "--format=%cs"], cwd=root, capture_output=True, text=True, check=False)
    return Edition(version("ntkbook"), log.stdout.strip())


def bibtex(citation: Citation, edition: Edition) -> str:
    fields = {
        "author": " and ".join(f"{{{author}}}" for author in citation.authors),
        "title": citation.title.partition(":")[0],
        "year": edition.date[:4],
        "note": str(edition),
        "url": citation.site or citation.repository,
    }
    lines = (f"  {name:6} = {{{value}}}," for name, value in fields.items() if value)
    return "\n".join(["@book{ntkbook,", *lines, "}"])


class HowToCite(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        text = bibtex(read_citation(root), read_edition(root))
        return [nodes.literal_block(text, text, language="bibtex")]


def sign_pages(app: Sphinx) -> None:
    options = app.config.html_theme_options
    options["extra_footer"] = options.get("extra_footer", "") + f"<p>{read_edition(Path(app.srcdir))}.</p>"


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("citation", HowToCite)
    app.connect("builder-inited", sign_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
