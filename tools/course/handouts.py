"""The handouts: one page of A4 each."""

from pathlib import Path

from course import typeset
from course.material import read_texts
from course.settings import BadSetting, read_settings


def build(root: Path, out: Path) -> None:
    """Write handouts/MODULE.pdf for every module that is taught."""
    settings = read_settings(root)
    folder = out / "handouts"
    folder.mkdir(parents=True, exist_ok=True)
    for text in read_texts(root, settings, "handout"):
        pdf = folder / f"{text.module}.pdf"
        pages = typeset.write(root, text.body, "handout.typ", pdf, title=text.title, author=settings.teacher)
        if pages != 1:
            raise BadSetting(f"the handout of {text.module} takes {pages} pages, and has one")
