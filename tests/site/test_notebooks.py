"""The converter: chapters as plain notebooks, with and without solutions."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import nbconvert
import nbformat
import pytest
import samplebook
from ntksite.notebooks import Book, ConversionError, plain_notebook
from ntksite.notebooks.myst import Block, Directive, walk
from ntksite.records import ROOT, expected_values
from PIL import Image

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
        "**Fig. 1.1** A line through the points of Theorem 2.3, slope 1.00, for $K$.\n\n"
        "<details>\n<summary>The picture in words</summary>\n\nA rising line.\n\n</details>",
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
    assert json.dumps(plain_notebook(book, "book/first")).count("SECRET") == 4
    student = json.dumps(plain_notebook(book, "book/first", solutions=False))
    assert "SECRET" not in student and "secret" not in student
    assert "Look at Fig. 1.1." in student and "Draw the slope" in student
    assert "- (b) One, by (1.a)." in student and "Look again" not in student and "Right" not in student


# -- with the outputs of the build ---------------------------------------------------------------------------------

WIDGET = {
    "application/vnd.jupyter.widget-view+json": {"model_id": "a"},
    "text/html": "<p>What moves?</p>",
    "text/plain": "What moves?",
}
LINK = '<a href="https://ada.github.io/ntkbook/book/first.html">'


def execute(folder: Path) -> Path:
    """Put into the sample book what a build leaves: a picture, and a widget with the secret of a solution's cell."""
    source = folder / "book" / "first.md"
    solution = "```{code-cell} python\n:tags: [solution]\n\nsecret = 2\n```\n"
    source.write_text(source.read_text() + solution)
    notebook = Book(folder, VALUES).chapters["book/first"].notebook
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    file = io.BytesIO()
    Image.new("RGBA", (4, 2)).save(file, "PNG")
    picture = {"image/svg+xml": "<svg/>", "image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": "<F>"}
    size = {"image/png": {"width": 2}, "needs_background": "light"}
    codes[1].outputs = [nbformat.v4.new_output("display_data", picture, metadata=size)]
    codes[2].outputs = [nbformat.v4.new_output("execute_result", WIDGET, execution_count=3)]
    codes[2].execution_count = 3
    codes[3].outputs = [nbformat.v4.new_output("stream", text="SECRET")]
    path = folder / "_build" / "jupyter_execute" / "book" / "first.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return folder


def test_outputs_need_neither_kernel_nor_trust(sample: Path) -> None:
    notebook = plain_notebook(Book(execute(sample), VALUES), "book/first", outputs=True)
    nbformat.validate(notebook)
    _, drawing, moving, _ = (cell for cell in notebook.cells if cell.cell_type == "code")
    ((shown,), (live,)) = drawing.outputs, moving.outputs
    assert list(shown.data) == ["image/png", "text/plain"] and shown.data["text/plain"] == "A rising line."
    assert shown.metadata == {"image/png": {"width": 2}}  # white paper needs no background
    assert Image.open(io.BytesIO(base64.b64decode(shown.data["image/png"]))).convert("RGB").getcolors() == [
        (8, (255, 255, 255))
    ]
    assert list(live.data) == ["text/html", "text/plain"] and moving.execution_count == 3
    assert live.data["text/html"].startswith("<p>What moves?</p>") and LINK in live.data["text/html"]
    assert live.data["text/plain"] == "What moves?\nhttps://ada.github.io/ntkbook/book/first.html"


@pytest.mark.parametrize("template", ["lab", "classic"])
def test_nbconvert_shows_pictures_with_words_and_widgets_with_their_question(sample: Path, template: str) -> None:
    notebook = plain_notebook(Book(execute(sample), VALUES), "book/first", outputs=True)
    page, _ = nbconvert.HTMLExporter(template_name=template).from_notebook_node(notebook)
    assert "What moves?" in page and LINK in page and "widget-view+json" not in page
    assert "The picture in words" in page and ('alt="A rising line."' in page) == (template == "classic")


def test_without_an_address_a_widget_has_no_link(tmp_path: Path) -> None:
    book = Book(execute(samplebook.make(tmp_path / "book", **samplebook.PLACEHOLDERS)), VALUES)
    text = json.dumps(plain_notebook(book, "book/first", outputs=True))
    assert "What moves?" in text and "href" not in text and "OWNER" not in text


def test_student_notebook_leaks_no_output_of_a_solution(sample: Path) -> None:
    book = Book(execute(sample), VALUES)
    assert "SECRET" in json.dumps(plain_notebook(book, "book/first", outputs=True).cells[-1])
    assert "SECRET" not in json.dumps(plain_notebook(book, "book/first", solutions=False, outputs=True))


def test_outputs_of_other_code_are_refused(sample: Path) -> None:
    source = execute(sample) / "book" / "first.md"
    source.write_text(source.read_text().replace("axes.plot([0, 1])", "axes.plot([1, 0])"))
    with pytest.raises(ConversionError, match="book/first: the build executed other code: make book"):
        plain_notebook(Book(sample, VALUES), "book/first", outputs=True)


# -- the chapters --------------------------------------------------------------------------------------------------


def test_real_chapters_read_plainly() -> None:
    book = Book(ROOT, expected_values())
    for document in book.chapters:
        for solutions in (True, False):
            plain = prose(plain_notebook(book, document, solutions=solutions))
            assert not RAW.search(without_code(plain)), document


# What the converter writes in another way than the source; what stands between is in a notebook as it is in the source.
CHANGED = re.compile(r"\{[\w:-]+\}`+[^`]*`+|\[[^\]]*\]\([^)]*\)|^ *[`:]{3,}.*$|\$\$(?: *\([\w:.-]+\))?", re.M)
CHOICE = re.compile(r"^- \[[ x]\] .*\n(?:  .+\n)*", re.M)


def words(text: str) -> str:
    return " ".join(re.sub(r"^[> ]+", "", text, flags=re.M).split())


def sentences(text: str) -> set[str]:
    """The sentences of a source, cut where the converter changes it, that are long enough to be known again."""
    parts = [sentence for part in CHANGED.split(text) for sentence in re.split(r"(?<=[.:?])\s", part)]
    return {sentence for part in parts if len(sentence := words(part)) > 25}


def answers(blocks: list[Block]) -> set[str]:
    """What a class is to find out: the folds that are no hints, and the replies of the questions in the page."""
    found = set()
    for block in walk(blocks):
        match block:
            case Directive("dropdown", title, _, body) if title != "Hint":
                found |= sentences(body)
            case Directive("self-check", _, _, body):
                found |= set().union(*map(sentences, CHOICE.split(body)))
    return found


def test_no_answer_is_left_in_the_notebooks_for_a_class() -> None:
    book = Book(ROOT, expected_values())
    found = 0
    for document, chapter in book.chapters.items():
        whole, student = (
            words("\n".join(cell.source for cell in plain_notebook(book, document, solutions=solutions).cells))
            for solutions in (True, False)
        )
        hidden = set().union(*map(answers, chapter.blocks.values()))
        assert [answer for answer in hidden if answer not in whole] == [], document  # they would be known again
        assert [answer for answer in hidden if answer in student] == [], document
        found += len(hidden)
    assert found > 400


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
