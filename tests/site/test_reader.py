"""The repository as Binder takes it, and the chapters' notebooks as a reader runs them, in a fresh environment."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jupytext
import pytest
from ntksite.notebooks import Book, plain_notebook
from ntksite.records import ROOT, documents, expected_values
from reader import CHAPTERS, WITH_WIDGETS, Reader, build_pack, wrong_claims
from repo2docker.buildpacks import PythonBuildPack

RAW = re.compile(r"\{[\w:-]+\}`|^[ >]*(`{3,}|:{3,})\{|^\([\w:.-]+\)=|^:::", re.M)


def test_repo2docker_takes_it_for_a_python_repository() -> None:
    pack = build_pack()
    assert type(pack) is PythonBuildPack
    assert pack.binder_dir == ""
    assert pack.python_version == "3.11"
    assert 'pip install --no-cache-dir -r "requirements.txt"' in pack.install_scripts[0]
    assert pack.after_install == ["postBuild"]


@pytest.mark.slow
def test_requirements_fit_together(reader: Reader) -> None:
    reader.run("pip", "check")


@pytest.mark.slow
@pytest.mark.parametrize("document", [name for name in CHAPTERS if name not in WITH_WIDGETS])
def test_chapter_runs_as_a_plain_notebook(reader: Reader, document: str, tmp_path: Path) -> None:
    """Top to bottom in a fresh kernel; its claims come out as in the book. Those with widgets run in JupyterLab."""
    path = reader.write_notebook(document, tmp_path)
    reader.run("jupyter", "execute", "--inplace", "--timeout=600", path.name, folder=tmp_path)
    assert wrong_claims(json.loads(path.read_text()), document) == []


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
