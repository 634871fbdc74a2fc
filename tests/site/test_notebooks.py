"""The converter: chapters as plain notebooks, with and without solutions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import samplebook
from ntksite.notebooks import Book, ConversionError, plain_notebook
from ntksite.records import ROOT, expected_values

VALUES = {"slope": 1.0000001, "count": 12.0}
RAW = re.compile(r"\{[\w:-]+\}`|^[ >]*(`{3,}|:{3,})\{|^\([\w:.-]+\)=|^:::|^%", re.M)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return samplebook.make(tmp_path / "book")


def prose(notebook: dict) -> str:
    return "\n\n".join(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.S)


def test_sample_chapter_reads_plainly(sample: Path) -> None:
    text = prose(plain_notebook(Book(sample, VALUES), "book/first"))
    assert not RAW.search(without_code(text))
    for part in (
        "Huang and Yau (2019), moves as (1.a) says",
        r"$$\dot f = -\frac1n K (f - y), \tag{1.a}$$",
        "> **Theorem 2.3 (Kernel).**\n>\n> The kernel is positive:",
        r"> $$K \succeq 0, \qquad x^\top K x \ge 0 . \tag{1.1}$$",
        "> **Definition 1.A.**",
        "> *Proof.*\n>\n> It is a Gram matrix. ∎",
        "see Theorem 2.3 and (1.b).",
        "**Fig. 1.1** A line through the points of Theorem 2.3, slope 1.00, for $K$.",
        "The slope of Fig. 1.1 is 1.000, after 12 steps. See First chapter,",
        "[the second one](https://ada.github.io/ntkbook/book/second.html#sec-second)",
        "> **Exercise 1.1 (Slopes).**",
        "<summary>Hint</summary>",
        "> Do Exercise 1.1 again.",
        "- **Term**: Its definition.",
        "`{eq}` is left alone",
        "**Check yourself: Which slope has Fig. 1.1, $a$ or $b$?**\n\n- (a) Two.\n- (b) One, by (1.a).",
        "> **Theorem: the kernel is positive.**\n>\n> See Theorem 2.3.",
        "- (a) Not quite. Look again at $a$.\n- (b) Right. It is 1.0.",
    ):
        assert part in text, part


def test_labels_of_other_chapters(sample: Path) -> None:
    text = prose(plain_notebook(Book(sample, VALUES), "book/second"))
    for part in ("[Theorem 2.3](", "[Exercise 1.2](", "[Fig. 1.1](", "[(1.a)](", "the picture 2.1", "Theorem 2.A"):
        assert part in text, part


def test_without_an_address_no_link_leads_to_a_placeholder(tmp_path: Path) -> None:
    book = Book(samplebook.make(tmp_path / "book", **samplebook.PLACEHOLDERS), VALUES)
    first, second = (prose(plain_notebook(book, document)) for document in ("book/first", "book/second"))
    assert "](" not in first + second and "OWNER" not in first + second
    assert "See First chapter,\nthe second one, its page and the part on limits." in first
    assert "Back to Theorem 2.3 of *First chapter*, Exercise 1.2 of *First chapter*" in second
    assert "(1.a) of *First chapter*" in second and "See Theorem 2.A and the picture 2.1." in second


def test_student_notebook_leaks_no_solution(sample: Path) -> None:
    book = Book(sample, VALUES)
    assert json.dumps(plain_notebook(book, "book/first")).count("SECRET") == 3
    student = json.dumps(plain_notebook(book, "book/first", solutions=False))
    assert "SECRET" not in student and "secret" not in student
    assert "Look at Fig. 1.1." in student and "Draw the slope" in student


def test_real_chapters_read_plainly_and_leak_nothing() -> None:
    book = Book(ROOT, expected_values())
    for document in book.chapters:
        assert not RAW.search(without_code(prose(plain_notebook(book, document)))), document
        student = prose(plain_notebook(book, document, solutions=False))
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
        plain_notebook(Book(folder, VALUES), "book/second")


def test_reference_names_its_modules(tmp_path: Path) -> None:
    text = "(sec-second)=\n# Second\n\n(sec-limits)=\n## Limits\n\n```{api-contents}\n```\n\n```{api} a.b a.c\n```\n"
    folder = samplebook.make(tmp_path / "book", second=text)
    plain = prose(plain_notebook(Book(folder, VALUES), "book/second"))
    assert "[the page of the site](" in plain and "`a.b`, `a.c`" in plain


def test_code_is_that_of_the_chapter() -> None:
    """A plain notebook runs what the page ran, cell for cell: an execution of the one is one of the other."""
    book = Book(ROOT, expected_values())
    for document in book.executable():
        sources = [cell.source for cell in book.chapters[document].notebook.cells if cell.cell_type == "code"]
        plain = [cell.source for cell in plain_notebook(book, document).cells if cell.cell_type == "code"]
        assert plain == sources and any(sources), document
