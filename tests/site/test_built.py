"""The files of the built site: links, addresses, numbers, and the list of claims."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from ntksite.citation import read_citation
from ntksite.notebooks import Book
from ntksite.records import ROOT, documents, executed_records, expected_values
from ntksite.reference import entries, is_constant, look_up, public_modules

pytestmark = pytest.mark.site

SITE = ROOT / "_build" / "html"
PAGES = [f"{document}.html" for document in documents()]


@cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(), "html.parser")


def loads(soup: BeautifulSoup) -> list[str]:
    """Addresses that a page loads by itself."""
    found = [node["src"] for node in soup.select("script[src], img[src], iframe[src], source[src], video[src]")]
    return found + [node["href"] for node in soup.select("link[href]") if "canonical" not in node.get("rel", [])]


@pytest.mark.parametrize("page", PAGES)
def test_page_loads_only_its_own_files(page: str) -> None:
    for address in loads(parsed(SITE / page)):
        parts = urlsplit(address)
        assert not parts.scheme and not parts.netloc, address
        assert (SITE / page).parent.joinpath(unquote(parts.path)).resolve().is_file(), address


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in parsed(SITE / page).select("a[href]"):
        parts = urlsplit(link["href"])
        if parts.scheme:
            assert parts.scheme in ("https", "mailto"), link["href"]
            assert parts.scheme == "mailto" or "." in parts.netloc and " " not in link["href"], link["href"]
            continue
        target = (SITE / page).parent.joinpath(unquote(parts.path)).resolve() if parts.path else SITE / page
        assert target.is_file(), link["href"]
        if parts.fragment and target.suffix == ".html":
            assert parsed(target).find(id=unquote(parts.fragment)), link["href"]


@pytest.mark.parametrize("page", PAGES)
def test_ids_are_unique(page: str) -> None:
    ids = [node["id"] for node in parsed(SITE / page).select("[id]:not(svg [id])")]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("page", PAGES)
def test_page_says_what_it_is_and_what_it_needs(page: str) -> None:
    soup = parsed(SITE / page)
    assert soup.find("meta", attrs={"name": "description"})["content"].strip()
    formulas = bool(soup.select(".math"))
    assert bool(soup.select("script[src*=mathjax]")) == formulas
    assert bool(soup.select("noscript .ntk-noscript")) == (formulas or "widget-view+json" in str(soup))


def test_no_page_waits_for_what_it_does_not_need() -> None:
    """The first page has no formula; maps and scripts that no page loads are not there at all."""
    assert not parsed(SITE / PAGES[0]).select(".math, script[src*=mathjax]")
    assert list(SITE.rglob("*.map")) == []
    on_demand = {"vendor", "previews"}
    scripts = {path.name for path in (SITE / "_static").rglob("*.js") if not on_demand & set(path.parts)}
    loaded = {
        urlsplit(node["src"]).path.rpartition("/")[2]
        for page in PAGES
        for node in parsed(SITE / page).select("script[src]")
    }
    assert scripts - loaded == {"copybutton_funcs.js"}  # of which copybutton.js holds a copy


def test_front_door_has_title_language_and_link() -> None:
    for name in ("index.html", "404.html"):
        soup = parsed(SITE / name)
        assert soup.title.get_text().startswith("The Neural Tangent Hierarchy") and soup.html["lang"] == "en"
        assert soup.find("a")["href"].endswith(PAGES[0])
    assert (SITE / ".nojekyll").exists()
    assert (SITE / "sitemap.xml").exists() == bool(read_citation(ROOT).site)


@pytest.mark.parametrize("page", PAGES)
def test_headings_go_down_in_steps(page: str) -> None:
    levels = [int(heading.name[1]) for heading in parsed(SITE / page).select("article :is(h1, h2, h3, h4, h5)")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_questions_have_one_right_answer_and_a_reply_to_each() -> None:
    for page in PAGES:
        for question in parsed(SITE / page).select("fieldset.ntk-check"):
            replies = question.select(".ntk-choice .ntk-reply")
            assert len(replies) == len(question.select("input[type=radio]")) >= 2
            assert len(question.select(".ntk-right")) == 1 and question.legend.get_text().strip()
            for button in question.select("input"):
                assert question.find("label", attrs={"for": button["id"]}).get_text().strip()


def test_every_chapter_asks_questions_and_sets_exercises() -> None:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [chapter["file"] for part in toc["parts"] if part.get("numbered") for chapter in part["chapters"]]
    for document in chapters:
        soup = parsed(SITE / f"{document}.html")
        assert len(soup.select("fieldset.ntk-check")) >= 2, document
        assert len(soup.select("div.exercise")) >= 5, document
        folds = [node.get_text(" ").strip() for node in soup.select("summary.sd-summary-title")]
        for name in ("Hint", "Sketch", "Solution"):
            assert folds.count(name) == len(soup.select("div.exercise"))
            for exercise in soup.select("div.exercise"):
                fold = soup.find("details", id=f"{exercise['id']}-{name.lower()}")
                assert fold.find("a", class_="headerlink", href=f"#{fold['id']}"), exercise["id"]


def test_first_page_knows_the_chapters_with_their_sections_and_exercises() -> None:
    """For what the reader's browser remembers: nothing in it that is not on the pages."""
    known = json.loads(parsed(SITE / PAGES[0]).select_one("script[data-chapters]")["data-chapters"])
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    assert list(known) == [entry["file"] for part in toc["parts"] if part.get("numbered") for entry in part["chapters"]]
    for page in PAGES:
        soup = parsed(SITE / page)
        script = soup.select_one("script[src*='reading.js']")
        assert script.get("data-chapter", "") == (page if (page := page.removesuffix(".html")) in known else "")
        if chapter := known.get(page):
            assert chapter["exercises"] == [node["id"] for node in soup.select("div.exercise")]
            headings = {node["id"]: node for node in soup.select("article section section[id]")}
            assert list(chapter["sections"]) == list(headings)
            assert soup.title.get_text().strip().startswith(chapter["title"])


def test_a_number_is_the_papers_or_has_a_letter() -> None:
    """And each stands for one thing: Theorem 2.3, Definition 3.A, (2.3), (3.a)."""
    found = []
    for page in PAGES:
        for node in parsed(SITE / page).select("div.proof .caption-number, .eqno"):
            name = node.get_text().rstrip("# ")
            found.append(name)
            assert re.fullmatch(r"[A-Z]\w+ \d\.(\d+|[A-Z])|\(\d\.(\d+|[a-z])\)", name) or name == "Proof", name
    assert len(found) == len(set(found)) > 40
    paper = {name for name in found if re.search(r"\.\d+\)?$", name)}
    listed = {row.td.get_text() for row in parsed(SITE / "book/statements.html").select("table:first-of-type tbody tr")}
    assert paper <= listed and "Theorem 2.3" in paper and "(2.11)" in paper


def test_plain_notebooks_number_as_the_pages_do() -> None:
    book = Book(ROOT, expected_values())
    for label, target in book.targets.items():
        if not target.number:
            continue
        soup = parsed(SITE / f"{target.document}.html")
        node = soup.find(id=f"equation-{label.replace('.', '-')}") or soup.find(id=label)
        text = " ".join(node.get_text(" ").split())
        assert text.startswith(target.name) or f"{target.name} " in text, (label, target.name, text[:80])


def test_every_number_and_word_has_a_preview() -> None:
    """What the links of a chapter show in place, in a script that a page opened from disk may load."""
    for page in PAGES:
        script = SITE / "_static/previews" / page.replace(".html", ".js")
        previews = json.loads(script.read_text().removeprefix("window.ntkPreviews = ").removesuffix(";\n"))
        assert script.stat().st_size < 150_000
        wanted = {
            link["href"]
            for link in parsed(SITE / page).select("article a.reference.internal[href*='#']")
            if re.search("#(equation|thm|cor|assumption|prop|def|ex|fig|term|paper)-", link["href"])
        }
        assert wanted - set(previews) == set(), page


def test_claims_list() -> None:
    claims = json.loads((SITE / "claims.json").read_text())
    assert [claim["id"] for claim in claims] == [r.id for r in executed_records() if r.type == "claim"]
    for claim in claims:
        assert set(claim) == {
            *("id", "chapter", "cell", "equation", "statement", "kind", "measured", "predicted", "tolerance")
        }
        measured, predicted, tolerance = claim["measured"], claim["predicted"], claim["tolerance"]
        holds = {
            "exponent": abs(measured - predicted) <= tolerance,
            "value": abs(measured - predicted) <= tolerance,
            "identity": abs(measured) <= tolerance,
            "bound": measured <= predicted,
        }
        assert holds[claim["kind"]], claim
        notebook = json.loads((ROOT / "_build/jupyter_execute" / f"{claim['chapter']}.ipynb").read_text())
        cell = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"][claim["cell"] - 1]
        assert any(o.get("metadata", {}).get("ntkbook", {}).get("id") == claim["id"] for o in cell["outputs"])


def test_claims_page_shows_them_all() -> None:
    claims = json.loads((SITE / "claims.json").read_text())
    rows = parsed(SITE / "book/claims.html").select("table.ntk-claims tbody tr")
    shown = [row.td.get_text().replace("\u2019", "'") for row in rows]
    assert sorted(shown) == sorted(claim["statement"].removeprefix("minus: ") for claim in claims)


def test_claims_page_covers_the_paper() -> None:
    """Every numbered statement of its Section 2, and the equations that the chapters rest on."""
    wanted = {f"(2.{k})" for k in range(1, 12)} | {"(1.7)", "(1.8)", "(3.1)", "(3.8)"}
    wanted |= {"Assumption 2.1", "Assumption 2.2", "Corollary 2.4", "Corollary 2.5", "Theorem 2.6"}
    claims = json.loads((SITE / "claims.json").read_text())
    assert wanted - {claim["equation"] for claim in claims} == set()


def test_reference_has_every_public_name() -> None:
    soup = parsed(SITE / "book/api.html")
    names = [name for module in public_modules() for name in entries(module)]
    contents = [link["href"] for link in soup.select(".ntk-api-contents dd a")]
    assert sorted(contents) == sorted(f"#{name}" for name in names)
    for name in names:
        text = soup.find(id=name).find_next_sibling("dd").get_text()
        assert text.strip() and ("Examples" in text or is_constant(look_up(name))), name


def test_download_buttons_give_plain_notebooks() -> None:
    book = Book(ROOT, expected_values())
    for document in book.executable():
        links = parsed(SITE / f"{document}.html").select("a[href$='.ipynb']:not([href*='colab'])")
        addresses = [link["href"] for link in links]
        assert addresses == [f"../notebooks/{Path(document).name}.ipynb"]


def test_nothing_leads_to_a_placeholder() -> None:
    written = [*SITE.rglob("*.html"), *(SITE / "notebooks").iterdir()]
    assert [path for path in written if "OWNER" in path.read_text()] == []


def test_binder_and_colab_open_the_chapter() -> None:
    published = bool(read_citation(ROOT).repository)
    for document in Book(ROOT, expected_values()).executable():
        links = parsed(SITE / f"{document}.html").select(".dropdown-launch-buttons a")
        opened = [re.split(r"[?]urlpath=|/blob/", link["href"])[1] for link in links]
        assert opened == [f"lab/tree/{document}.md", f"colab/{Path(document).name}.ipynb"] * published


def test_downloads_show_all_without_a_kernel_or_trust() -> None:
    """What GitHub, nbviewer and an untrusting JupyterLab show, and of a size that they take."""
    paths = sorted((SITE / "notebooks").iterdir())
    assert sum(path.stat().st_size for path in paths) < 5e6
    shown = {"text/plain", "text/html", "text/markdown", "image/png"}
    for path in paths:
        notebook = json.loads(path.read_text())
        assert "widgets" not in notebook["metadata"]
        for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
            data = output.get("data", {})
            assert set(data) <= shown and "object at 0x" not in json.dumps(data), path.name
        prose = [cell for cell in notebook["cells"] if cell["id"].startswith("caption-")]
        described = ["The picture in words" in "".join(cell["source"]) for cell in prose]
        pictures = [cell for cell in notebook["cells"] if "image/png" in json.dumps(cell.get("outputs", []))]
        assert all(described) and len(described) == len(pictures) == sum("alt" in c["metadata"] for c in pictures)


@pytest.mark.parametrize("page", PAGES)
def test_the_checks_of_a_section_are_one_line_that_says_how_many(page: str) -> None:
    html = parsed(SITE / page)
    folds = html.select("details.ntk-checks")
    assert len(html.select(".ntk-claim")) == len(html.select("details.ntk-checks .ntk-claim"))
    assert len({id(fold.parent) for fold in folds}) == len(folds)
    for fold in folds:
        number = len(fold.select(".ntk-claim"))
        said = fold.summary.get_text().removeprefix("✓ ").split()[0]
        assert said == (str(number) if number else "Numbers")
