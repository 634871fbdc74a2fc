"""The repository as Binder takes it, and the chapters' notebooks as a reader runs them, in a fresh environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import jupytext
import pytest
from check_outputs import problems
from notebooks import Book
from records import ROOT, documents, expected, expected_values, notebook_records
from repo2docker.app import Repo2Docker
from repo2docker.buildpacks import BuildPack, PythonBuildPack

RAW = re.compile(r"\{[\w:-]+\}`|^[ >]*(`{3,}|:{3,})\{|^\([\w:.-]+\)=|^:::", re.M)


@cache
def build_pack() -> BuildPack:
    """What repo2docker's own detection makes of the repository."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        app = Repo2Docker()
        pack = next(found for found in (kind(app.base_image) for kind in app.buildpacks) if found.detect())
        pack.install_scripts = [script for _, script in pack.get_assemble_scripts()]
        pack.after_install = pack.get_post_build_scripts()
        return pack
    finally:
        os.chdir(before)


def test_repo2docker_takes_it_for_a_python_repository() -> None:
    pack = build_pack()
    assert type(pack) is PythonBuildPack
    assert pack.binder_dir == ""
    assert pack.python_version == "3.11"
    assert 'pip install --no-cache-dir -r "requirements.txt"' in pack.install_scripts[0]
    assert pack.after_install == ["postBuild"]


class Environment:
    """A copy of the repository, and beside it a virtual environment made by the scripts that Binder would run."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.home = folder / "home"
        self.home.mkdir()
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (self.repository / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.repository / name)
        self.bin = folder / "venv" / "bin"
        python = Path(sys.base_prefix) / "bin" / "python3"
        self.run(python, "-m", "venv", folder / "venv")
        for script in build_pack().install_scripts:
            self.run("bash", "-c", script.replace("${KERNEL_PYTHON_PREFIX}", str(folder / "venv")))

    def run(self, *command: object, folder: Path | None = None) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "PYTEST"))}
        environment |= {"PATH": f"{self.bin}:{environment['PATH']}", "HOME": str(self.home)}
        words = [str(word) for word in command]
        run = subprocess.run(
            words, cwd=folder or self.repository, env=environment, capture_output=True, text=True, timeout=900
        )
        assert run.returncode == 0, f"{' '.join(words)}\n{run.stdout}\n{run.stderr}"
        return run.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("reader"))


@pytest.mark.slow
def test_requirements_fit_together(reader: Environment) -> None:
    reader.run("pip", "check")


@pytest.mark.slow
@pytest.mark.parametrize("document", Book(ROOT, {}).executable())
def test_chapter_runs_as_a_plain_notebook(reader: Environment, document: str, tmp_path: Path) -> None:
    """Top to bottom in a fresh kernel, elsewhere; its claims come out as in the book."""
    reader.run("python", "tools/notebooks.py", f"{document}.md", "-o", tmp_path)
    path = tmp_path / f"{Path(document).name}.ipynb"
    reader.run("jupyter", "execute", "--inplace", "--timeout=600", path.name, folder=tmp_path)
    records = notebook_records(json.loads(path.read_text()), document)
    entries = {name: entry for name, entry in expected().items() if entry["chapter"] == document}
    assert problems(records, entries) == []


@pytest.mark.slow
def test_post_build_leaves_plain_notebooks(reader: Environment) -> None:
    for script in build_pack().after_install:
        reader.run(f"./{script}")
    book = Book(ROOT, expected_values())
    for document in documents():
        text = (reader.repository / f"{document}.md").read_text()
        assert not RAW.search(re.sub(r"^```python\n.*?^```|`[^`\n]*`", "", text, flags=re.S | re.M)), document
        opened = jupytext.reads(text, fmt="md")
        codes = [
            [cell.source for cell in notebook.cells if cell.cell_type == "code"]
            for notebook in (opened, book.notebook(document))
        ]
        assert codes[0] == codes[1], document
    settings = next(reader.home.rglob("default_setting_overrides.json")).read_text()
    assert "Jupytext Notebook" in settings and "markdown" in settings
