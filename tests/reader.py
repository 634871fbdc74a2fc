"""Where readers run the chapters: a copy of the repository as Binder takes it, and what Colab brings without one."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from ntksite.notebooks import Book, write_for_colab
from ntksite.records import ROOT, documents, executed_values, expected, notebook_records
from release import versions
from release.outputs import problems

import ntkbook

if TYPE_CHECKING:
    from repo2docker.buildpacks import BuildPack

WITH_WIDGETS = [name for name in documents() if "ntkbook.widgets import" in (ROOT / f"{name}.md").read_text("utf-8")]


@cache
def build_pack() -> BuildPack:
    """What repo2docker's own detection makes of the repository."""
    from repo2docker.app import Repo2Docker  # takes seconds to import

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


class Environment:
    """A fresh virtual environment, with a home and a folder to work in that are its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.bin = folder / "venv" / "bin"
        self.run(Path(sys.base_prefix) / "bin" / "python3", "-m", "venv", folder / "venv")

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "PYTEST", "PYTHON"))}
        return kept | {"PATH": f"{self.bin}:{kept['PATH']}", "HOME": str(self.home)}

    def run(self, *command: object, folder: Path | None = None) -> str:
        words = [str(word) for word in command]
        run = subprocess.run(
            words, cwd=folder or self.folder, env=self.environment, capture_output=True, text=True, timeout=900
        )
        assert run.returncode == 0, f"{' '.join(words)}\n{run.stdout}\n{run.stderr}"
        return run.stdout

    def execute(self, path: Path) -> dict[str, Any]:
        """The notebook, run from top to bottom in a fresh kernel where it lies."""
        self.run("jupyter", "execute", "--inplace", "--timeout=600", path.name, folder=path.parent)
        return json.loads(path.read_text())


class Reader(Environment):
    """What `requirements.txt` asks for, and a copy of the repository beside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.repository = self.folder = folder / "repository"
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (self.repository / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.repository / name)
        for script in build_pack().install_scripts:
            self.run("bash", "-c", script.replace("${KERNEL_PYTHON_PREFIX}", str(folder / "venv")))

    def write_notebook(self, document: str, folder: Path) -> Path:
        """The chapter's plain notebook, by the script that a reader is told to run."""
        self.run("python", "tools/notebooks.py", f"{document}.md", "-o", folder)
        return folder / f"{Path(document).name}.ipynb"


class Colab(Environment):
    """What Colab brings and the chapters need, without the package, which pip finds as if it were released."""

    WIDGETS = {"ipywidgets": "7.7.1", "widgetsnbextension": "", "jupyterlab-widgets": ""}  # Colab shows none of line 8

    def __init__(self, folder: Path) -> None:
        self.wheels = folder / "wheels"
        self.pins = folder / "pins.txt"
        super().__init__(folder)
        pins = versions.lock(ROOT) | self.WIDGETS
        self.pins.write_text("".join(f"{name}=={version}\n" for name, version in pins.items() if version))
        self.run("pip", "wheel", "--no-deps", "--wheel-dir", self.wheels, ROOT)
        self.run("pip", "install", "ipykernel", "nbclient", "ipywidgets")

    @property
    def environment(self) -> dict[str, str]:
        inherited = super().environment
        places = f"{self.wheels} {inherited.get('PIP_FIND_LINKS', '')}".strip()
        return inherited | {"PIP_FIND_LINKS": places, "PIP_CONSTRAINT": str(self.pins)}

    def write_notebook(self, document: str) -> Path:
        """The chapter's notebook, alone in a folder; its first cell wants the release."""
        notebooks = self.folder / "notebooks"
        write_for_colab(Book(ROOT, executed_values()), notebooks, f"ntkbook[book]=={ntkbook.__version__}")
        folder = self.folder / "content"
        folder.mkdir()
        return (notebooks / f"{Path(document).name}.ipynb").rename(folder / f"{Path(document).name}.ipynb")


def names(code: str) -> tuple[set[str], set[str]]:
    """The names that a piece of code gives a value, and those that it uses."""
    given, used = set(), set()
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                given.add(name)
            case ast.Name(id=name):
                used.add(name)
            case ast.alias():
                given.add((node.asname or node.name).partition(".")[0])
    return given, used


def resting(codes: list[str], wanted: set[int]) -> list[int]:
    """The wanted pieces of code, by their places, and those before them whose names they use."""
    kept, needed = [], set()
    for k in reversed(range(len(codes))):
        given, used = names(codes[k])
        if k in wanted or given & needed:
            kept.append(k)
            needed = needed - given | used
    return kept[::-1]


WIDGET = "application/vnd.jupyter.widget-view+json"


def keep_widgets(path: Path, document: str) -> None:
    """Leave in a plain notebook the cells that showed a widget in the build, what they rest on, and the settings."""
    built = json.loads((ROOT / "_build" / "jupyter_execute" / f"{document}.ipynb").read_text())
    outputs = [cell["outputs"] for cell in built["cells"] if cell["cell_type"] == "code"]
    wanted = {k for k, shown in enumerate(outputs) if any(WIDGET in output.get("data", {}) for output in shown)}
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [cells[k] for k in resting([cell.source for cell in cells], wanted | {0})]  # 0: precision, style
    nbformat.write(notebook, path)


def imported(folder: Path) -> set[str]:
    """What the chapters and the package of a repository import, inside of functions too."""
    book = Book(folder, {})
    sources = [path.read_text() for path in (folder / "src" / "ntkbook").rglob("*.py")]
    for document in book.executable():
        sources += (cell.source for cell in book.chapters[document].notebook.cells if cell.cell_type == "code")
    found = set()
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def wrong_claims(notebook: dict[str, Any], document: str) -> list[str]:
    """Where an executed notebook does not come out as the book did."""
    entries = {name: entry for name, entry in expected().items() if entry["chapter"] == document}
    return problems(notebook_records(notebook, document), entries)
