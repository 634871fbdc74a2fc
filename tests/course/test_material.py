"""Decks and handouts: what they hold, that they fit, and that they ask nothing of another host."""

from __future__ import annotations

import re
from pathlib import Path

import pypandoc
import pytest
from pypdf import PdfReader

pytest.importorskip("typst")

from course.material import read_text  # noqa: E402
from course.problems import CANARY  # noqa: E402
from course.settings import BadSetting, read_settings  # noqa: E402
from course.slides import SLIDE  # noqa: E402

from course import handouts  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
MODULES = [module.module for module in read_settings(ROOT).modules]

pytestmark = [pytest.mark.site, pytest.mark.xdist_group("material")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("material")
    handouts.build(ROOT, out)
    return out


@pytest.mark.parametrize("module", MODULES)
def test_a_deck_has_a_dozen_slides_each_under_its_heading(module: str) -> None:
    deck = read_text(ROOT, ROOT / "course" / "modules" / module / "deck.md")
    first, *others = SLIDE.split(deck.body)
    assert 12 <= len(others) + 1 <= 18
    assert first.startswith("# ") and all(slide.lstrip().startswith("## ") for slide in others)
    assert CANARY not in deck.body


@pytest.mark.parametrize("module", MODULES)
def test_handouts_are_one_tagged_page(made: Path, module: str) -> None:
    assert CANARY not in read_text(ROOT, ROOT / "course" / "modules" / module / "handout.md").body
    pdf = PdfReader(made / "handouts" / f"{module}.pdf")
    assert len(pdf.pages) == 1 and pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert pdf.trailer["/Root"]["/Lang"].startswith("en") and pdf.metadata.title


def test_what_the_book_does_not_have_is_told(tmp_path: Path) -> None:
    path = ROOT / "course" / "modules" / "no" / "deck.md"
    with pytest.raises(BadSetting, match="course/modules/no/deck.md: "):
        read_text(ROOT, path)
    for text, said in [
        ("## No title\n", "it has to begin with its title"),
        ("# T\n\n![](book:networks.html#fig-none)\n", "networks.html has no figure fig-none"),
        ("# T\n\n{claim:none}\n", "makes no claim none"),
    ]:
        (tmp_path / "course").mkdir(exist_ok=True)
        source = tmp_path / "course" / "deck.md"
        source.write_text(text)
        (tmp_path / "_build").unlink(missing_ok=True)
        (tmp_path / "_build").symlink_to(ROOT / "_build")
        with pytest.raises(BadSetting, match=said):
            read_text(tmp_path, source)


def test_links_lead_to_the_built_book_where_it_has_no_address() -> None:
    deck = read_text(ROOT, ROOT / "course" / "modules" / "1-networks" / "deck.md")
    links = re.findall(r"\]\(([^)]*networks\.html#train-live[^)]*)\)", deck.body)
    assert links and all("/book/networks.html#train-live?" in link for link in links)


def test_links_lead_to_places_that_the_book_has() -> None:
    """All of the course's texts; a figure's place with a setting is made by its script, which other tests try."""
    texts = {path: path.read_text("utf-8") for path in sorted((ROOT / "course").rglob("*.md"))}
    links = [(path, link) for path, text in texts.items() for link in re.findall(r"\]\(([\w-]+\.html[#\w-]*)\)", text)]
    assert len(links) > 40
    for path, link in links:
        page, _, name = link.partition("#")
        built = ROOT / "_build" / "html" / "book" / page
        assert built.exists(), f"{path}: {link}"
        assert not name or f'id="{name}"' in built.read_text("utf-8"), f"{path}: {link}"


def test_formulas_are_said_in_words() -> None:
    options = [f"--lua-filter={ROOT / 'course' / 'layout' / 'typst.lua'}"]
    text = pypandoc.convert_text(r"So $\dot r = -\frac1n K r$.", "typst", format="markdown", extra_args=options)
    assert r'alt: "\\dot r = -\\frac1n K r"' in text
    for formula, said in ((r"\none", "cannot read the formula"), (r"\Bigl\lVert K \Bigr\rVert", r"write .left")):
        with pytest.raises(RuntimeError, match=said):
            pypandoc.convert_text(f"So ${formula}$.", "typst", format="markdown", extra_args=options)
