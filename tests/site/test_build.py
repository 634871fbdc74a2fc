"""The sample book, built: the site of a small book, without an address too, and what makes a build fail."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
import samplebook
import yaml
from bs4 import BeautifulSoup
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
    assert "[2/5] book/first ..." in printed
    notebooks = folder / "_build" / "html" / "notebooks"
    assert sorted(path.name for path in notebooks.iterdir()) == ["first.ipynb", "second.ipynb"]


def links(page: str) -> list[str]:
    """The addresses of the page's buttons, its canonical link among them."""
    soup = BeautifulSoup(page, "html.parser")
    return [node["href"] for node in soup.select(".article-header-buttons a[href], link[rel=canonical]")]


def test_buttons_lead_to_the_repository_and_the_site(published: tuple[Path, str]) -> None:
    canonical, binder, repository, issues, notebook = links(pages(published[0])["book/first.html"])
    assert canonical == f"{samplebook.SITE}/book/first.html"
    assert binder == "https://mybinder.org/v2/gh/ada/ntkbook/main?urlpath=lab/tree/book/first.md"
    assert repository == samplebook.REPOSITORY and issues.startswith(f"{repository}/issues/new?")
    assert notebook == "../notebooks/first.ipynb"


def test_nothing_leads_to_a_placeholder(bare: Path) -> None:
    shown = pages(bare)
    assert links(shown["book/first.html"]) == ["../notebooks/first.ipynb"] and links(shown["book/index.html"]) == []
    notebooks = (bare / "_build" / "html" / "notebooks").iterdir()
    for text in [*shown.values(), *(path.read_text() for path in notebooks)]:
        assert "OWNER" not in text and "mybinder" not in text


def test_what_needs_the_address_of_the_site_waits_for_it(published: tuple[Path, str], bare: Path) -> None:
    here = published[0] / "_build" / "html"
    soup = BeautifulSoup(pages(published[0])["book/first.html"], "html.parser")
    shared = {node["property"]: node["content"] for node in soup.select("meta[property]")}
    assert shared["og:url"] == f"{samplebook.SITE}/book/first.html" and shared["og:title"] == "1. First chapter"
    assert (here / shared["og:image"].removeprefix(f"{samplebook.SITE}/")).is_file()
    assert f"<loc>{samplebook.SITE}/book/second.html</loc>" in (here / "sitemap.xml").read_text()
    assert f'href="{samplebook.SITE}/book/index.html"' in pages(published[0])["404.html"]
    assert "og:" not in pages(bare)["book/first.html"] and not (bare / "_build" / "html" / "sitemap.xml").exists()


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
