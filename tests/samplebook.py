"""A small book built with the configuration of the real one, in a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


HEADER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""

REPOSITORY = "https://github.com/ada/ntkbook"
SITE = "https://ada.github.io/ntkbook"
PLACEHOLDERS = {"repository": "https://github.com/OWNER/ntkbook", "site": "https://OWNER.github.io/ntkbook"}


def chapter(text: str) -> str:
    """A chapter's source, with its header and title."""
    return f"{HEADER}# First\n\n{text}\n"


def cell(code: str) -> str:
    return f"```{{code-cell}} python\n{code}\n```\n"


def make(folder: Path, *, repository: str = REPOSITORY, site: str = SITE, **chapters: str) -> Path:
    """Lay out the sample book in `folder`; `chapters` replaces the sources of the named documents."""
    (folder / "book").mkdir(parents=True)
    for name in ("_config.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    citation |= {"repository-code": repository, "url": site}
    (folder / "CITATION.cff").write_text(yaml.safe_dump(citation))
    for name in ("_vendor", "tools", "src", "book/_site", "book/favicon.svg", "book/cover.png", "book/references.bib"):
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
