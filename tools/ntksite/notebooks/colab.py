"""Notebooks for Colab: behind a first cell that installs what is missing; the chapters with their outputs."""

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import nbformat

from ntksite.citation import read_citation
from ntksite.notebooks.book import Book
from ntksite.notebooks.markdown import plain_notebook

SET_UP = """\
# Run this cell first: it installs the book's package where this version of it is missing.
import subprocess, sys
from importlib import invalidate_caches, metadata

try:
    missing = metadata.version("ntkbook") != "{version}"
except metadata.PackageNotFoundError:
    missing = True
if missing:
{install}
{others}if "google.colab" in sys.modules:  # which shows the interactive figures only if asked to
    from google.colab import output

    output.enable_custom_widget_manager()
"""
INSTALL = """\
    print("Installing ntkbook {version}, which takes about a minute.")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "{source}"], check=True)
    invalidate_caches()"""
OTHER = """\
try:
    metadata.version("{name}")
except metadata.PackageNotFoundError:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "{requirement}"], check=True)
    invalidate_caches()
"""
REFUSE = """\
    raise RuntimeError("ntkbook {version} is not installed here, and no published copy of it is known to install.")"""

README = """\
# The chapters as notebooks for Colab

{list}

`make colab` wrote them in the book's repository, with their outputs. Their first cell installs the package behind the
book, `ntkbook` {version}, where it is missing. A processor without accelerator is enough. Changes made here are lost
with the next build: the sources are the chapters of the book.
"""


def install_source(root: Path) -> str:
    """What pip installs the package from: its release, else the commit of the repository, "" without an address."""
    current = version("ntkbook")
    unreleased = re.search(rf"^## {re.escape(current)} \(unreleased\)", (root / "CHANGELOG.md").read_text(), re.M)
    repository = read_citation(root).repository
    if not unreleased:
        return f"ntkbook[book]=={current}"
    if not repository:
        return ""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
    return f"ntkbook[book] @ git+{repository}@{head.stdout.strip()}"


def set_up(source: str, *others: str) -> str:
    """The code of the first cell; `others` are requirements besides the package, such as "otter-grader==7.0.0"."""
    current = version("ntkbook")
    install = (INSTALL if source else REFUSE).format(version=current, source=source)
    more = [OTHER.format(name=re.split(r"[^\w.-]", other)[0], requirement=other) for other in others]
    return SET_UP.format(version=current, install=install, others="".join(more))


def for_colab(notebook: nbformat.NotebookNode, source: str, *others: str) -> nbformat.NotebookNode:
    """The notebook, a chapter or not, behind the first cell; it runs on Binder and wherever there is Python as well."""
    first = nbformat.v4.new_code_cell(set_up(source, *others).rstrip("\n"), id="set-up")
    if notebook.nbformat_minor < 5:  # whose cells have no ids
        del first["id"]
    return nbformat.from_dict({**notebook, "cells": [first, *notebook.cells]})


def write_for_colab(book: Book, folder: Path, source: str) -> None:
    """Write every chapter that has code to `folder` as NAME.ipynb, and what they are."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for document in book.executable():
        name = f"{Path(document).name}.ipynb"
        nbformat.write(for_colab(plain_notebook(book, document, outputs=True), source), folder / name)
        entries.append(f"- [{book.chapters[document].title}]({name})")
    (folder / "README.md").write_text(README.format(list="\n".join(entries), version=version("ntkbook")))
