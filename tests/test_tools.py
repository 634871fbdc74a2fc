"""The project's own scripts: the converter, the comparison of outputs, and what the repository may not hold."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import samplebook
import yaml
from bs4 import BeautifulSoup
from check_outputs import entry_for, problems
from notebooks import Book, ConversionError
from ntk_graph import check, picture, result
from ntk_sphinx import execution_key
from records import ROOT, Record, expected_values, notebook_records

VALUES = {"slope": 1.0000001, "count": 12.0}


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return samplebook.make(tmp_path / "book")


def prose(notebook: dict) -> str:
    return "\n\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.S)


RAW = re.compile(r"\{[\w:-]+\}`|^[ >]*(`{3,}|:{3,})\{|^\([\w:.-]+\)=|^:::|^%", re.M)


# -- the converter -----------------------------------------------------------------------------------------


def test_sample_chapter_reads_plainly(sample: Path) -> None:
    text = prose(Book(sample, VALUES).notebook("book/first"))
    assert not RAW.search(without_code(text))
    for part in (
        "Huang and Yau (2019), moves as (1) says",
        r"$$\dot f = -\frac1n K (f - y), \tag{1}$$",
        "> **Theorem 1.1 (Kernel).**\n>\n> The kernel is positive:",
        "> *Proof.*\n>\n> It is a Gram matrix. ∎",
        "see Theorem 1.1 and (2).",
        "**Fig. 1.1** A line through the points of Theorem 1.1, slope 1.00, for $K$.",
        "The slope of Fig. 1.1 is 1.000, after 12 steps. See First chapter,",
        "[the second one](https://OWNER.github.io/ntkbook/book/second.html#sec-second)",
        "> **Exercise 1.1 (Slopes).**",
        "<summary>Hint</summary>",
        "> Do Exercise 1.1 again.",
        "- **Term**: Its definition.",
        "`{eq}` is left alone",
        "**Check yourself: Which slope has Fig. 1.1, $a$ or $b$?**\n\n- (a) Two.\n- (b) One, by (1).",
        "> **Theorem: the kernel is positive.**\n>\n> See Theorem 1.1.",
        "- (a) Not quite. Look again at $a$.\n- (b) Right. It is 1.0.",
    ):
        assert part in text, part


def test_labels_of_other_chapters(sample: Path) -> None:
    text = prose(Book(sample, VALUES).notebook("book/second"))
    for part in ("[Theorem 1.1](", "[Exercise 1.2](", "[Fig. 1.1](", "[(1)](", "the picture 2.1", "Theorem 2.1"):
        assert part in text, part


def test_student_notebook_leaks_no_solution(sample: Path) -> None:
    book = Book(sample, VALUES)
    assert json.dumps(book.notebook("book/first")).count("SECRET") == 3
    student = json.dumps(book.notebook("book/first", solutions=False))
    assert "SECRET" not in student and "secret" not in student
    assert "Look at Fig. 1.1." in student and "Draw the slope" in student


def test_real_chapters_read_plainly_and_leak_nothing() -> None:
    book = Book(ROOT, expected_values())
    for document in book.chapters:
        assert not RAW.search(without_code(prose(book.notebook(document)))), document
        student = prose(book.notebook(document, solutions=False))
        assert not re.search(r"<summary>(Sketch|Solution)", student), document
        source = (ROOT / f"{document}.md").read_text()
        for solution in re.findall(
            r"(`{3,}|:{3,})\{dropdown\} (?:Sketch|Solution)[^\n]*\n(.*?)\n\1", source, flags=re.S
        ):
            for line in filter(lambda line: len(line) > 40 and "{" not in line, solution[1].split("\n")):
                assert line not in student, f"{document}: {line}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{unknown}`x`", "no plain form is known for the role"),
        ("```{unknown}\n```", "no plain form is known for the directive"),
        ("````{note}\n```{code-cell} python\n1\n```\n````", "directive {code-cell}"),
        ("{glue:text}`absent:.2f`", "no value is known"),
        ("{eq}`absent`", "nothing in the book is labelled 'absent'"),
        ("[text](absent.md)", "leads to no page"),
        ("{cite}`absent`", "not in references.bib"),
        ("```{note}\nopen", "never closed"),
        ("```{self-check} Which?\n- [x] This.\n```", "has no reply"),
        ("$$ x", "never closed"),
        (r"\begin{align}", "numbered environment"),
        ("![](picture.png)", "image"),
    ],
)
def test_converter_refuses(tmp_path: Path, text: str, message: str) -> None:
    folder = samplebook.make(
        tmp_path / "book", second=f"(sec-second)=\n# Second\n\n(sec-limits)=\n## Limits\n\n{text}\n"
    )
    with pytest.raises(ConversionError, match=re.escape(message)):
        Book(folder, VALUES).notebook("book/second")


def test_reference_names_its_modules(tmp_path: Path) -> None:
    text = "(sec-second)=\n# Second\n\n(sec-limits)=\n## Limits\n\n```{api-contents}\n```\n\n```{api} a.b a.c\n```\n"
    folder = samplebook.make(tmp_path / "book", second=text)
    plain = prose(Book(folder, VALUES).notebook("book/second"))
    assert "[the page of the site](" in plain and "`a.b`, `a.c`" in plain


# -- the comparison of outputs -----------------------------------------------------------------------------


def claim_record(kind: str, measured: float, *, predicted: float = 0.0, tolerance: float = 0.0) -> Record:
    numbers = {"measured": measured, "predicted": predicted, "tolerance": tolerance}
    return Record("book/first", 1, 1, {"type": "claim", "id": kind, "kind": kind} | numbers)


def quote_record(value: float) -> Record:
    return Record("book/first", 0, 0, {"type": "quote", "id": "quote", "value": value})


RECORDS = [
    claim_record("exponent", -1.02, predicted=-1.0, tolerance=0.1),
    claim_record("identity", 1e-14, tolerance=1e-10),
    claim_record("bound", 0.3, predicted=0.5),
    quote_record(12.5),
]
ENTRIES = {record.id: entry_for(record, None) for record in RECORDS}


def test_unchanged_outputs_agree() -> None:
    assert problems(RECORDS, ENTRIES) == []


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (claim_record("exponent", -1.03, predicted=-1.0, tolerance=0.1), "moved to -1.03, expected -1.02"),
        (quote_record(12.501), "moved to 12.501"),
        (quote_record(float("nan")), "the value is nan"),
        (claim_record("identity", -2e-10, tolerance=1e-10), "above the claim's tolerance"),
        (claim_record("bound", 0.6, predicted=0.5), "above the claim's bound"),
    ],
)
def test_moved_value_fails(record: Record, message: str) -> None:
    changed = [record if record.id == old.id else old for old in RECORDS]
    found = problems(changed, ENTRIES)
    assert len(found) == 1 and message in found[0]


def test_a_bound_that_became_a_measured_value_fails() -> None:
    record = Record(
        "book/first", 0, 0, claim_record("exponent", 0.3, predicted=0.3, tolerance=0.1).fields | {"id": "bound"}
    )
    found = problems([record if old.id == "bound" else old for old in RECORDS], ENTRIES)
    assert len(found) == 1 and "that of an identity or a bound" in found[0]


def test_identities_and_bounds_may_move_within_their_inequality() -> None:
    moved = [claim_record("identity", 9e-11, tolerance=1e-10), claim_record("bound", -4.0, predicted=0.5)]
    assert problems([RECORDS[0], *moved, RECORDS[3]], ENTRIES) == []


def test_missing_value_fails() -> None:
    assert problems(RECORDS[1:], ENTRIES) == ["exponent (book/first): is missing"]


def test_unlisted_value_fails() -> None:
    found = problems(RECORDS, {name: entry for name, entry in ENTRIES.items() if name != "quote"})
    assert found == ["quote (book/first): has no entry"]


def test_moved_chapter_fails() -> None:
    entries = ENTRIES | {"bound": ENTRIES["bound"] | {"chapter": "book/second"}}
    assert "its chapter is 'book/first'" in problems(RECORDS, entries)[0]


def test_tolerance_set_by_hand_is_kept() -> None:
    assert entry_for(RECORDS[0], None)["tolerance"] == pytest.approx(1e-5)
    assert entry_for(RECORDS[0], ENTRIES["exponent"] | {"tolerance": 0.5})["tolerance"] == 0.5


def test_records_know_their_cells() -> None:
    output = {"metadata": {"ntkbook": {"type": "claim", "id": "one"}}}
    cells = [
        {"cell_type": "markdown"},
        {"cell_type": "code", "outputs": [{}]},
        {"cell_type": "code", "outputs": [{}, output]},
    ]
    (record,) = notebook_records({"cells": cells}, "book/first")
    assert (record.cell, record.cell_index) == (2, 2)


# -- what rests on what ------------------------------------------------------------------------------------


def made_results() -> dict[str, result]:
    """d rests on b and c, these on a; d names a too."""
    rests = {"a": [], "b": ["a"], "c": ["a"], "d": ["a", "b", "c"]}
    places = {"a": (1, 1), "b": (2, 1), "c": (2, 2), "d": (3, 1)}
    return {
        name: result(name=name, rests=rests[name], place=places[name], kind="step", short=name.upper(), title="t")
        for name in rests
    }


def test_picture_draws_each_arrow_once_and_none_that_follows() -> None:
    drawn = BeautifulSoup(picture(made_results()), "html.parser")
    assert [link["href"] for link in drawn.select("svg a")] == [f"#result-{name}" for name in "abcd"]
    assert [path["data-serves"] for path in drawn.select("svg > path")] == ["b d", "c d", "d", "d"]
    assert drawn.select_one("[data-name=a]")["data-serves"] == "a b c d"


def test_relation_must_go_down() -> None:
    results = made_results()
    assert check(results) == []
    results["a"]["rests"] = ["d", "e"]
    assert check(results) == [
        "'a' must stand below 'd', on which it rests",
        "'a' rests on 'e', which is no result of the page",
    ]


# -- the execution cache -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["src/ntkbook/kernels.py", "src/ntkbook/widgets/js/new.js", "requirements.lock"])
def test_cache_key_knows_package_and_lock(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "requirements.lock").write_text("")
    keys = []
    for text in ("a", "b", "a"):
        file.write_text(text)
        keys.append(execution_key(tmp_path))
    assert keys[0] == keys[2] != keys[1]


# -- the repository ----------------------------------------------------------------------------------------


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def test_lock_pins_versions_and_nothing_else() -> None:
    lines = (ROOT / "requirements.lock").read_text().split()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.!+]+", line) for line in lines)


def test_environment_is_the_locked_one() -> None:
    """What the tests run with is what the lock pins: nothing else, no other version."""

    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    lines = (ROOT / "requirements.lock").read_text().split()
    locked = {canonical(name): version for name, version in (line.split("==") for line in lines)}
    installed = {canonical(found.name): found.version for found in metadata.distributions()}
    for name in ("ntkbook", "pip", "setuptools", "wheel"):
        installed.pop(name, None)
    assert installed == {name: locked.get(name) for name in installed}


def test_no_registry_is_named() -> None:
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
    ]
    for path in tracked():
        content = path.read_bytes()
        assert not any(host.encode() in content for host in hosts), path


def test_vendored_files_are_unchanged() -> None:
    vendor = ROOT / "_vendor" / "vendor"
    sums = dict(reversed(line.split("  ")) for line in (vendor / "SHA256SUMS").read_text().splitlines())
    files = {f"./{path.relative_to(vendor)}" for path in vendor.rglob("*") if path.is_file()} - {"./SHA256SUMS"}
    assert files == set(sums)
    for name, digest in sums.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name


def test_addresses_and_authors_stand_in_one_place() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    names = [author.get("name") or author["family-names"] for author in citation["authors"]]
    once = [citation["repository-code"], citation["url"], *names]
    for path in tracked():
        if path.name != "CITATION.cff" and "tests" not in path.parts and "_vendor" not in path.parts:
            text = path.read_text(errors="ignore")
            assert not [item for item in once if item in text], path


def test_supported_pythons_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "(3, 11) <= sys.version_info[:2] < (3, 14)" in (ROOT / "Makefile").read_text()
    assert (ROOT / "runtime.txt").read_text().strip() == "python-3.11"
