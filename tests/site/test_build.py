"""The sample book, built: the site of a small book, without an address too, and what makes a build fail."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import pytest
import samplebook
import yaml
from bs4 import BeautifulSoup
from ntksite.notebooks import Book
from ntksite.patches import PATCHES, REWRITINGS, Rewriting
from samplebook import cell, chapter

# Builds are dear: each serves several tests, which stay together.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample book")]

SECOND = "# Second\n"
MENDS = [*PATCHES, *REWRITINGS]


def pages(folder: Path) -> dict[str, str]:
    html = folder / "_build" / "html"
    return {path.relative_to(html).as_posix(): path.read_text() for path in html.rglob("*.html")}


def claims(folder: Path) -> str:
    return (folder / "_build" / "html" / "claims.json").read_text()


def build(folder: Path) -> str:
    run = samplebook.build(folder, ci=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def add_a_word(folder: Path) -> None:
    """A change of the prose alone, after which all outputs come from the cache."""
    source = folder / "book" / "first.md"
    source.write_text(source.read_text() + "\nOne more word.\n")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A book with the addresses of its repository and its site, and what the build printed."""
    folder = samplebook.make(tmp_path_factory.mktemp("published") / "book")
    return folder, build(folder)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with placeholders for them, and without the mends of other packages."""
    folder = samplebook.make(tmp_path_factory.mktemp("bare") / "book", **samplebook.PLACEHOLDERS)
    settings = yaml.safe_load((folder / "_config.yml").read_text())
    settings["sphinx"]["config"]["ntk_unpatched"] = sorted({mend.package for mend in MENDS})
    (folder / "_config.yml").write_text(yaml.safe_dump(settings))
    build(folder)
    return folder


def test_sample_book_builds(published: tuple[Path, str]) -> None:
    folder, printed = published
    assert "[2/7] book/first ..." in printed
    notebooks = folder / "_build" / "html" / "notebooks"
    assert sorted(path.name for path in notebooks.iterdir()) == ["first.ipynb", "second.ipynb"]


def links(page: str) -> list[str]:
    """The addresses of the page's buttons, its canonical link among them."""
    soup = BeautifulSoup(page, "html.parser")
    return [node["href"] for node in soup.select(".article-header-buttons a[href], link[rel=canonical]")]


def test_buttons_lead_to_the_repository_and_the_site(published: tuple[Path, str]) -> None:
    canonical, binder, colab, repository, issues, notebook, *whole = links(pages(published[0])["book/first.html"])
    assert canonical == f"{samplebook.SITE}/book/first.html"
    assert binder == "https://mybinder.org/v2/gh/ada/ntkbook/main?urlpath=lab/tree/book/first.md"
    assert colab == "https://colab.research.google.com/github/ada/ntkbook/blob/colab/first.ipynb"
    assert repository == samplebook.REPOSITORY and issues.startswith(f"{repository}/issues/new?")
    assert notebook == "../notebooks/first.ipynb"
    assert whole == [f"{samplebook.SITE}/{name}" for name in ("ntkbook.pdf", "ntkbook-site.zip")]


def test_buttons_say_what_running_a_chapter_takes(published: tuple[Path, str]) -> None:
    soup = BeautifulSoup(pages(published[0])["book/first.html"], "html.parser")
    buttons = soup.select(".dropdown-launch-buttons a")
    assert [button.get_text().split(",")[0].strip() for button in buttons] == [
        "Binder: no account",
        "Colab: Google account",
    ]
    assert all("minute" in button.get_text() and button["title"].startswith("Opens this chapter") for button in buttons)


def test_downloads_hold_the_outputs_of_the_build(published: tuple[Path, str]) -> None:
    notebook = json.loads((published[0] / "_build/html/notebooks/first.ipynb").read_text())
    outputs = [list(output["data"]) for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert outputs == [["image/png", "text/plain"], *[["text/html", "text/plain"]] * 3]
    assert not list((published[0] / "_build" / "html").rglob("_sources/**/*.ipynb"))


def test_nothing_leads_to_a_placeholder(bare: Path) -> None:
    shown = pages(bare)
    assert links(shown["book/first.html"]) == ["../notebooks/first.ipynb"] and links(shown["book/index.html"]) == []
    notebooks = (bare / "_build" / "html" / "notebooks").iterdir()
    for text in [*shown.values(), *(path.read_text() for path in notebooks)]:
        assert "OWNER" not in text and "mybinder" not in text and "colab" not in text


def test_what_needs_the_address_of_the_site_waits_for_it(published: tuple[Path, str], bare: Path) -> None:
    here = published[0] / "_build" / "html"
    soup = BeautifulSoup(pages(published[0])["book/first.html"], "html.parser")
    shared = {node["property"]: node["content"] for node in soup.select("meta[property]")}
    assert shared["og:url"] == f"{samplebook.SITE}/book/first.html" and shared["og:title"] == "1. First chapter"
    assert (here / shared["og:image"].removeprefix(f"{samplebook.SITE}/")).is_file()
    assert f"<loc>{samplebook.SITE}/book/second.html</loc>" in (here / "sitemap.xml").read_text()
    assert f'href="{samplebook.SITE}/book/index.html"' in pages(published[0])["404.html"]
    assert "og:" not in pages(bare)["book/first.html"] and not (bare / "_build" / "html" / "sitemap.xml").exists()


# -- numbers ---------------------------------------------------------------------------------------------------


def first_page(folder: Path) -> BeautifulSoup:
    return BeautifulSoup(pages(folder)["book/first.html"], "html.parser")


def test_numbers_are_the_papers_or_have_a_letter(published: tuple[Path, str]) -> None:
    soup = first_page(published[0])
    assert [node.get_text() for node in soup.select("div.proof .caption-number")] == ["Theorem 2.3 ", "Definition 1.A "]
    assert [node.get_text().rstrip("#") for node in soup.select(".eqno")] == ["(1.a)", "(1.1)", "(1.b)"]
    assert "Theorem 2.A" in pages(published[0])["book/second.html"]
    for label, target in Book(published[0], {"slope": 1.0, "count": 12.0}).targets.items():
        if target.number and target.document == "book/first":
            node = soup.find(id=f"equation-{label.replace('.', '-')}") or soup.find(id=label)
            assert target.name in " ".join(node.get_text(" ").split()), label


def test_mentions_are_links(published: tuple[Path, str]) -> None:
    article = first_page(published[0]).article
    (paragraph,) = (node for node in article.select("p") if "nearly" in node.get_text())
    assert [(" ".join(link.get_text().split()), link["href"]) for link in paragraph.select("a")] == [
        ("Theorem 2.3", "#thm-kernel"),
        ("(1.1)", "#equation-1-1"),
        ("(1.2)", "statements.html#paper-1-2"),
        ("Lemmas A.3", "statements.html#paper-lemma-a-3"),
        ("A.4", "statements.html#paper-lemma-a-4"),
        ("Appendix A", "statements.html#paper-appendix-a"),
    ]
    lines = {line.get_text()[:7]: line.a["href"] for line in article.select("p.ntk-claim")}
    assert lines == {
        "✓ (1.1)": "#equation-1-1",
        "✓ (1.2)": "statements.html#paper-1-2",
        "✓ (1.3)": "statements.html#paper-1-3",
    }
    claims = BeautifulSoup(pages(published[0])["book/claims.html"], "html.parser")
    assert claims.select_one("table.ntk-claims td:nth-of-type(2) a")["href"] == "first.html#equation-1-1"


def test_words_of_the_glossary_are_links_where_a_chapter_first_uses_them(published: tuple[Path, str]) -> None:
    shown = pages(published[0])
    first, second = (
        [
            (" ".join(link.get_text().split()), link["href"], link.parent.get_text()[:10])
            for link in BeautifulSoup(shown[f"book/{name}.html"], "html.parser").select("a.ntk-word")
        ]
        for name in ("first", "second")
    )
    assert first == [("Gram matrix", "glossary.html#term-Gram-matrix", "Proof. It ")]
    assert second == [
        ("limit", "glossary.html#term-limit", "A limit."),
        ("Gramians", "glossary.html#term-Gram-matrix", "The Gramia"),
        ("points of a line", "glossary.html#term-line-of-the-sample", "The Gramia"),
    ]


def test_previews_stand_by_themselves(published: tuple[Path, str]) -> None:
    """Their HTML has no ids, links or controls, and pictures are found from the page that shows them."""
    folder = published[0] / "_build" / "html"
    script = (folder / "_static/previews/book/second.js").read_text()
    previews = json.loads(script.removeprefix("window.ntkPreviews = ").removesuffix(";\n"))
    shown = {address: BeautifulSoup(text, "html.parser") for address, text in previews.items()}
    assert {address: " ".join(soup.get_text().split())[:24] for address, soup in shown.items()} == {
        "first.html#thm-kernel": "Theorem 2.3 (Kernel) The",
        "first.html#ex-second": "Exercise 1.2 Do Exercise",
        "first.html#fig-line": "Fig. 1.1 A line through ",
        "first.html#equation-eq-flow": "(1.a)\\[ \\dot f = -\\frac1",
        "#fig-other": "Fig. 2.1 Another line.",
        "#thm-limit": "Theorem 2.A A limit.",
        "glossary.html#term-limit": "limit What is tended to.",
        "glossary.html#term-Gram-matrix": "Gram matrix Also matrix ",
        "glossary.html#term-line-of-the-sample": "line (of the sample) Als",
    }
    assert not [soup for soup in shown.values() if soup.select("[id], a, button, script")]
    assert (folder / "book" / shown["first.html#fig-line"].img["src"]).is_file()


def test_all_numbers_are_listed(published: tuple[Path, str]) -> None:
    soup = BeautifulSoup(pages(published[0])["book/statements.html"], "html.parser")
    theirs, ours = (
        ["|".join(cell.get_text() for cell in row.select("td")) for row in table.select("tbody tr")]
        for table in soup.select("table")
    )
    assert "Theorem 2.3|the kernel is positive.|1. First chapter" in theirs
    assert "Lemma A.3|a lemma.|only in the paper, Appendix A" in theirs
    assert soup.select_one("#paper-lemma-a-4 a")["href"] == "first.html#equation-1-1"  # of its own number there is none
    assert ours == [
        "(1.a)|First chapter|1. First chapter",
        "Definition 1.A||1. First chapter",
        "(1.b)|in Definition 1.A|1. First chapter",
        "Theorem 2.A||2. Second chapter",
    ]


# -- the mends of other packages -------------------------------------------------------------------------------


@pytest.mark.parametrize("mend", MENDS, ids=lambda mend: f"{mend.package}: {mend.fault}")
def test_patch_is_for_the_installed_version(mend) -> None:
    assert metadata.version(mend.package) == mend.version, f"is it still true that {mend.package} {mend.fault}?"


def drop_the_patch(package: str, fault: str) -> str:
    return f"drop the patch: it is no longer true that {package} {fault}"


def files_with(folder: Path, pattern: str, text: str) -> list[Path]:
    return [path for path in (folder / "_build" / "html").glob(pattern) if re.search(text, path.read_text())]


@pytest.mark.parametrize("mend", REWRITINGS, ids=lambda mend: f"{mend.package}: {mend.fault}")
def test_files_have_the_fault_without_the_patch_alone(published: tuple[Path, str], bare: Path, mend: Rewriting) -> None:
    assert files_with(bare, mend.files, mend.seen), drop_the_patch(mend.package, mend.fault)
    assert files_with(published[0], mend.files, mend.seen) == []


@pytest.mark.parametrize(("package", "fault"), [(patch.package, patch.fault) for patch in PATCHES[1:]])
def test_pages_load_and_ship_only_what_they_need(
    published: tuple[Path, str], bare: Path, package: str, fault: str
) -> None:
    unneeded = {"sphinx-thebe": ("**/*.html", r"sphinx-thebe\.js"), "pydata-sphinx-theme": ("**/*.map", "")}[package]
    assert files_with(bare, *unneeded), drop_the_patch(package, fault)
    assert files_with(published[0], *unneeded) == []


def test_outputs_from_the_cache_are_those_of_the_execution(published: tuple[Path, str]) -> None:
    folder, _ = published
    executed = claims(folder)
    assert "measured" in executed
    add_a_word(folder)
    assert "book/first ..." in build(folder) and claims(folder) == executed


def test_outputs_from_the_cache_are_lost_without_the_patch(bare: Path) -> None:
    assert "measured" in claims(bare)
    add_a_word(bare)
    run = samplebook.build(bare, ci=False)
    assert run.returncode != 0 and "no value is known" in run.stderr, drop_the_patch(
        PATCHES[0].package, PATCHES[0].fault
    )


# -- what makes a build fail -----------------------------------------------------------------------------------

FAULTS = {
    "raising cell": (cell("1 / 0"), "ZeroDivisionError"),
    "failing claim": (
        cell(
            "from ntkbook.claims import claim\n"
            'claim("one", "(1.1)", "one is two", kind="value", measured=1, predicted=2, tolerance=0.1)'
        ),
        "does not hold",
    ),
    "stderr": (cell("import sys\nprint('careful', file=sys.stderr)"), "stderr"),
    "missing value": (cell("1") + "\n{glue:text}`absent:.2f`", "absent"),
    "missing label": (cell("1") + "\n{ref}`missing`", "undefined label: 'missing'"),
    "unknown number": (cell("1") + "\nBy Theorem\n2.9.", "nothing is known of Theorem 2.9"),
    "unknown number in a claim": (
        cell(
            "from ntkbook.claims import claim\n"
            'claim("two", "(2.9)", "one is one", kind="value", measured=1, predicted=1, tolerance=0.1)'
        ),
        "nothing is known of (2.9)",
    ),
    "unlisted number": (cell("1") + "\n$$\nx\n$$ (2.8)\n", "(2.8) is stated and stands in no"),
    "tag": (cell("1") + "\n$$\nx \\tag{2.8}\n$$\n", "label the equation with its number"),
    "wrong number": (cell("1") + "\n```{prf:theorem}\n:paper: 2,3\nx\n```\n", "not '2,3'"),
    "same id": (cell("from ntkbook.claims import quote\nquote('a', 1)\nquote('a', 2)"), "'a'"),
}


def test_each_fault_is_a_warning_and_a_warning_fails_the_build(tmp_path: Path) -> None:
    folder = samplebook.make(tmp_path / "book", first=chapter("First."), second=SECOND)
    names = [name.replace(" ", "-") for name in FAULTS]
    for name, (text, _) in zip(names, FAULTS.values(), strict=True):
        (folder / "book" / f"{name}.md").write_text(chapter(text))
    toc = yaml.safe_load((folder / "_toc.yml").read_text())
    toc["parts"][0]["chapters"] += [{"file": f"book/{name}"} for name in names]
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    run = samplebook.build(folder)
    assert run.returncode != 0
    warnings = re.split(r"^(?=.*(?:WARNING|ERROR): )", run.stderr, flags=re.M)[1:]
    for _, message in FAULTS.values():
        assert any(message in warning for warning in warnings), (message, run.stderr)


def test_what_has_no_plain_form_fails_the_build(tmp_path: Path) -> None:
    text = chapter(cell("1") + "\n{sub}`x`{kbd}`y` {abbr}`z (w)`")
    run = samplebook.build(samplebook.make(tmp_path / "book", first=text, second=SECOND))
    assert run.returncode != 0 and "no plain form is known for the role" in run.stdout + run.stderr
