"""A small book built with the configuration of the real one, in a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def make(folder: Path, **chapters: str) -> Path:
    """Lay out the sample book in `folder`; `chapters` replaces the sources of the named documents."""
    (folder / "book").mkdir(parents=True)
    for name in ("_config.yml", "CITATION.cff", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    for name in ("_vendor", "tools", "src", "book/_site", "book/favicon.svg", "book/references.bib"):
        (folder / name).symlink_to(ROOT / name)
    sample = ROOT / "tests" / "sample"
    shutil.copy(sample / "_toc.yml", folder)
    for source in sample.glob("*.md"):
        text = chapters.get(source.stem) or source.read_text()
        (folder / "book" / source.name).write_text(text)
    return folder


def build(folder: Path, *, ci: bool = True) -> subprocess.CompletedProcess[str]:
    """Build it as `make book` does, in CI or elsewhere."""
    command = [Path(sys.executable).parent / "jupyter-book", "build", ".", "-W", "-n", "--keep-going", "-q"]
    command += ["--all"] if ci else []
    environment = os.environ | {"CI": "true" if ci else ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
