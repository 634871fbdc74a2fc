"""The decks: as pages for the browser, by Marp, and as PDF to hand out, by typst."""

import base64
import re
import subprocess
import tempfile
from pathlib import Path

import yaml

from course import typeset
from course.material import Text, read_texts
from course.settings import BadSetting, Settings, read_settings

SLIDE = re.compile(r"^---\n", flags=re.M)


def build(root: Path, out: Path) -> None:
    """Write slides/MODULE.html and slides/MODULE.pdf for every module that is taught."""
    settings = read_settings(root)
    decks = read_texts(root, settings, "deck")
    folder = out / "slides"
    folder.mkdir(parents=True, exist_ok=True)
    present(root, settings, decks, folder)
    for deck in decks:
        pdf = folder / f"{deck.module}.pdf"
        pages = typeset.write(root, deck.body, "slides.typ", pdf, title=deck.title, author=settings.teacher)
        slides = len(SLIDE.split(deck.body))
        if pages != slides:
            raise BadSetting(f"the deck of {deck.module} has {slides} slides and takes {pages} pages: one is too full")


def present(root: Path, settings: Settings, decks: list[Text], folder: Path) -> None:
    """All decks in one run of Marp; each page holds its pictures."""
    with tempfile.TemporaryDirectory() as name:
        for deck in decks:
            head = {"marp": True, "theme": "ntkbook", "paginate": True, "lang": "en"}
            head |= {"title": deck.title, "author": settings.teacher}
            source = Path(name) / f"{deck.module}.md"
            source.write_text(f"---\n{yaml.safe_dump(head)}---\n{within(deck.body)}", "utf-8")
        command: list[str | Path] = [
            root / "node_modules" / ".bin" / "marp",
            "--no-stdin",
            "--engine",
            root / "tools/course/deck.js",
        ]
        command += ["--theme-set", root / typeset.LAYOUT / "slides.css", "--input-dir", name, "--output", folder]
        run = subprocess.run(command, cwd=root, capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"Marp made no slides:\n{run.stderr}")


def within(body: str) -> str:
    """The text with its pictures inside."""
    return re.sub(r"(?<=\]\()(/.+?\.svg)(?=\)$)", lambda found: data(Path(found[1])), body, flags=re.M)


def data(picture: Path) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.read_bytes()).decode()}"
