"""The notebooks for Colab: what their first cell does, and that one runs where there is only what Colab brings."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from unittest import mock

import nbformat
import pytest
import samplebook
from ntksite.notebooks import Book, install_source
from ntksite.notebooks.colab import set_up
from ntksite.records import ROOT, expected_values
from reader import Colab, wrong_claims

import ntkbook

VERSION = ntkbook.__version__
CHAPTER = "book/networks"  # has a widget and figures, and is quick


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Stands for what would run pip."""
    run = mock.Mock()
    monkeypatch.setattr(subprocess, "run", run)
    return run


@pytest.mark.parametrize("installed", [VERSION, "0.0.1", None])
def test_first_cell_installs_this_version_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, pip: mock.Mock, capsys: pytest.CaptureFixture, installed: str | None
) -> None:
    absent = None if installed else importlib.metadata.PackageNotFoundError
    monkeypatch.setattr(importlib.metadata, "version", mock.Mock(return_value=installed, side_effect=absent))
    exec(set_up("a-source"), {})
    printed, missing = capsys.readouterr().out, installed != VERSION
    assert [call.args[0][1:] for call in pip.mock_calls] == [["-m", "pip", "install", "--quiet", "a-source"]] * missing
    assert printed == f"Installing ntkbook {VERSION}, which takes about a minute.\n" * missing


def test_first_cell_says_so_where_there_is_nothing_to_install(monkeypatch: pytest.MonkeyPatch, pip: mock.Mock) -> None:
    exec(set_up(""), {})
    monkeypatch.setattr(importlib.metadata, "version", mock.Mock(return_value="0.0.1"))
    with pytest.raises(RuntimeError, match=f"^ntkbook {VERSION} is not installed here, and no published copy"):
        exec(set_up(""), {})
    assert not pip.called


def test_first_cell_asks_colab_for_other_widgets_than_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    colab = ModuleType("google.colab")
    colab.output = mock.Mock()
    monkeypatch.setitem(sys.modules, "google", ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    exec(set_up(""), {})
    colab.output.enable_custom_widget_manager.assert_called_once_with()


def test_package_comes_from_its_release_or_the_commit_or_nowhere(tmp_path: Path) -> None:
    published = samplebook.make(tmp_path / "published")
    (published / "CHANGELOG.md").write_text(f"# Changelog\n\n## {VERSION} (unreleased)\n")
    subprocess.run("git init -q && git -c user.name=a -c user.email=a commit -q --allow-empty -m a", shell=True,
                   cwd=published, check=True)  # fmt: skip
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=published, capture_output=True, text=True).stdout.strip()
    assert install_source(published) == f"ntkbook[book] @ git+{samplebook.REPOSITORY}@{head}"
    (published / "CHANGELOG.md").write_text(f"# Changelog\n\n## {VERSION} (2026-03-01)\n")
    assert install_source(published) == f"ntkbook[book]=={VERSION}"
    bare = samplebook.make(tmp_path / "bare", **samplebook.PLACEHOLDERS)
    (bare / "CHANGELOG.md").write_text(f"# Changelog\n\n## {VERSION} (unreleased)\n")
    assert install_source(bare) == ""


def test_first_cell_installs_what_a_problem_set_needs_besides(monkeypatch: pytest.MonkeyPatch, pip: mock.Mock) -> None:
    def installed(name: str) -> str:
        if name == "absent-package":
            raise importlib.metadata.PackageNotFoundError
        return VERSION

    monkeypatch.setattr(importlib.metadata, "version", installed)
    exec(set_up("a-source", "present-package==1.2", "absent-package[extra]==7.0.0"), {})
    assert [call.args[0][-1] for call in pip.mock_calls] == ["absent-package[extra]==7.0.0"]


@pytest.mark.parametrize("minor", [4, 5])
def test_a_notebook_that_is_no_chapter_gets_the_first_cell(tmp_path: Path, minor: int) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("grader = 1", metadata={"deletable": False})],
        metadata={"otter": {"tests": {}}},
    )
    notebook.nbformat_minor = minor
    if minor < 5:
        del notebook.cells[0]["id"]
    nbformat.write(notebook, tmp_path / "set.ipynb")
    command = [sys.executable, "tools/notebooks.py", "--colab", "--needs", "a-grader==7", "-o", tmp_path / "colab"]
    subprocess.run([*command, tmp_path / "set.ipynb"], cwd=ROOT, check=True)
    written = nbformat.read(tmp_path / "colab" / "set.ipynb", as_version=4)
    nbformat.validate(written)
    assert written.cells[0].source == set_up(install_source(ROOT), "a-grader==7").rstrip()
    assert written.cells[1:] == notebook.cells and written.metadata == notebook.metadata


@pytest.mark.site
def test_every_chapter_is_there_behind_its_first_cell(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "tools/notebooks.py", "--colab", "-o", tmp_path], cwd=ROOT, check=True)
    readme = (tmp_path / "README.md").read_text()
    names = [f"{Path(document).name}.ipynb" for document in Book(ROOT, expected_values()).executable()]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "README.md"])
    for name in names:
        notebook = nbformat.read(tmp_path / name, as_version=4)
        nbformat.validate(notebook)
        assert notebook.cells[0].source == set_up(install_source(ROOT)).rstrip() and f"({name})" in readme
        assert any(cell.get("outputs") for cell in notebook.cells)


@pytest.mark.site
@pytest.mark.slow
def test_a_chapter_runs_where_there_is_only_what_colab_brings(tmp_path: Path) -> None:
    """From its first cell, which installs the package, to its end; `tests/on_colab.py` runs all chapters."""
    colab = Colab(tmp_path)
    notebook = colab.execute(colab.write_notebook(CHAPTER))
    printed = "".join(line for output in notebook["cells"][0]["outputs"] for line in output["text"])
    assert f"Installing ntkbook {VERSION}" in printed and "ERROR" not in printed
    assert wrong_claims(notebook, CHAPTER) == []
    assert "ipywidgets==7.7.1" in colab.run("pip", "freeze")
