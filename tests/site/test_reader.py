"""The repository as Binder takes it, and a reader's environment: it holds what the chapters need, and one runs in it.

That each chapter runs there follows: its plain notebook has the code of the page (test_notebooks), the environment the
versions of the build (below).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import jupytext
import pytest
from ntksite.notebooks import Book, plain_notebook
from ntksite.records import ROOT, documents, expected_values
from reader import Reader, build_pack, imported, resting, wrong_claims
from release import versions

# Builds of the environment are dear: its tests stay together, with those of JupyterLab.
pytestmark = pytest.mark.xdist_group("reader")

PLAIN = "book/errata"  # has no widget and is quick
OURS = {"ntkbook", *versions.TOOLS_OF_THE_ENVIRONMENT}
RAW = re.compile(r"\{[\w:-]+\}`|^[ >]*(`{3,}|:{3,})\{|^\([\w:.-]+\)=|^:::", re.M)


def test_repo2docker_takes_it_for_a_python_repository() -> None:
    pack = build_pack()
    assert type(pack).__name__ == "PythonBuildPack"
    assert pack.binder_dir == ""
    assert pack.python_version == "3.11"
    assert 'pip install --no-cache-dir -r "requirements.txt"' in pack.install_scripts[0]
    assert pack.after_install == ["postBuild"]


@pytest.mark.slow
def test_environment_is_the_locked_one(reader: Reader) -> None:
    """The same code in the same versions gives what the build gave."""
    reader.run("pip", "check")
    listed = json.loads(reader.run("pip", "list", "--format=json"))
    installed = {versions.canonical(found["name"]): found["version"] for found in listed}
    pins = versions.lock(ROOT)
    assert versions.unpinned({name: installed[name] for name in installed if name not in OURS}, pins) == []
    assert {"jax", "jupyterlab", "jupytext"} <= set(installed)


@pytest.mark.slow
def test_environment_has_all_that_chapters_and_package_import(reader: Reader) -> None:
    names = sorted(imported(reader.repository))
    assert {"ntkbook.widgets", "equinox.internal", "matplotlib.pyplot"} <= set(names)
    reader.run("python", "-c", "\n".join(f"import {name}" for name in names))


@pytest.mark.slow
def test_a_chapter_runs_as_a_plain_notebook(reader: Reader, tmp_path: Path) -> None:
    """Top to bottom in a fresh kernel; its claims come out as in the book."""
    path = reader.write_notebook(PLAIN, tmp_path)
    assert wrong_claims(reader.execute(path), PLAIN) == []


def test_cells_rest_on_those_that_give_their_names() -> None:
    codes = ["import a.b as c, d", "x = c.f(1)", "def g(y):\n    return d + y", "z = 2", "g(x)", "x = z"]
    assert resting(codes, {4}) == [0, 1, 2, 4]
    assert resting(codes, {3}) == [3] and resting(codes, {5}) == [3, 5]


@pytest.mark.slow
def test_post_build_leaves_plain_notebooks(reader: Reader) -> None:
    for script in build_pack().after_install:
        reader.run(f"./{script}")
    book = Book(ROOT, expected_values())
    for document in documents():
        text = (reader.repository / f"{document}.md").read_text()
        assert not RAW.search(re.sub(r"^```python\n.*?^```|`[^`\n]*`", "", text, flags=re.S | re.M)), document
        opened = jupytext.reads(text, fmt="md")
        codes = [
            [cell.source for cell in notebook.cells if cell.cell_type == "code"]
            for notebook in (opened, plain_notebook(book, document))
        ]
        assert codes[0] == codes[1], document
    settings = next(reader.home.rglob("default_setting_overrides.json")).read_text()
    assert "Jupytext Notebook" in settings and "markdown" in settings
