"""Writes a document as a plain notebook: directives become Markdown and HTML, roles text, glued numbers values.

What is not known here is refused, so that no raw directive reaches a reader.
"""

import re
import textwrap
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from ntksite.notebooks.book import Book, Chapter, Target, authors, kind_of
from ntksite.notebooks.myst import Block, ConversionError, Directive, Math, Text
from ntksite.notebooks.outputs import executed_cells, still

ADMONITIONS = "attention caution danger error hint important note seealso tip warning".split()
CHOICE = re.compile(r"^- \[([ x])\] ", flags=re.M)  # of a self-check, see ntksite.questions
VERDICT = {True: "Right.", False: "Not quite."}
ANSWERS = re.compile(r"\b(answers?|sketch|solution)\b", re.I)  # in the titles of folds that a class is not given
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def plain_notebook(
    book: Book, document: str, *, solutions: bool = True, outputs: bool = False
) -> nbformat.NotebookNode:
    """The plain notebook of a document, with the outputs of the last build where they are asked for.

    Without solutions it keeps questions and hints, and drops every answer: of exercises, of guesses, in the page.
    """
    chapter = book.chapters[document]
    renderer = Renderer(book, chapter, solutions)
    cells = []
    try:
        if outputs:
            renderer.take_outputs()
        for i, cell in enumerate(chapter.notebook.cells):
            if cell.cell_type != "code":
                source = renderer.blocks(chapter.blocks[i]) if i in chapter.blocks else cell.source
                if source:
                    cells.append(nbformat.v4.new_markdown_cell(source, id=f"prose-{i}"))
            elif solutions or "solution" not in cell.metadata.get("tags", []):
                cells.append(renderer.code(cell, i))
                if i in chapter.figures:
                    cells.append(nbformat.v4.new_markdown_cell(renderer.caption(cell, i), id=f"caption-{i}"))
    except ConversionError as error:
        raise ConversionError(f"{document}: {error}") from None
    metadata = {"kernelspec": chapter.notebook.metadata.get("kernelspec", KERNEL)}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def write_notebooks(book: Book, folder: Path) -> None:
    """Write every chapter that has code to `folder` as NAME.ipynb, with the outputs of the last build."""
    folder.mkdir(parents=True, exist_ok=True)
    for document in book.executable():
        nbformat.write(plain_notebook(book, document, outputs=True), folder / f"{Path(document).name}.ipynb")


def write_in_place(book: Book) -> None:
    """Turn every document into a plain Markdown notebook, where it stands."""
    plain = {document: plain_notebook(book, document) for document in book.chapters}
    for document, notebook in plain.items():
        jupytext.write(notebook, book.root / f"{document}.md", fmt="md:markdown")


def described(cell: nbformat.NotebookNode) -> str:
    """The description of the picture that a code cell draws, "" without one."""
    return " ".join(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").split())


ROLE_OR_CODE = re.compile(
    r"\{(?P<role>[a-zA-Z][\w:+-]*)\}(?P<ticks>`+)(?P<content>.+?)(?P=ticks)(?!`)"
    r"|(?P<code>(?P<fence>`+)(?!`).+?(?<!`)(?P=fence)(?!`))"
    r"|(?<!\!)\[(?P<text>[^\]\[]*)\]\((?P<address>[^)\s]*)\)"
    r"|\[\^(?P<note>[\w-]+)\](?P<colon>:?)",
    flags=re.S,
)
WITH_TARGET = re.compile(r"^(?P<text>.*?)\s*<(?P<target>[^<>]+)>$", flags=re.S)


class Renderer:
    """Writes the blocks of one chapter as plain Markdown."""

    def __init__(self, book: Book, chapter: Chapter, solutions: bool) -> None:
        self.book = book
        self.chapter = chapter
        self.solutions = solutions
        self.runs: dict[int, dict[str, Any]] = {}

    # cells

    def code(self, cell: nbformat.NotebookNode, index: int) -> nbformat.NotebookNode:
        """The code cell; what the page hides or removes, JupyterLab shows folded."""
        tags = cell.metadata.get("tags", [])
        metadata: dict[str, Any] = {"tags": tags} if tags else {}
        if {"hide-input", "hide-cell", "remove-input", "remove-cell"} & set(tags):
            metadata["jupyter"] = {"source_hidden": True}
        if alt := described(cell):
            metadata["alt"] = alt  # nbconvert --template classic reads it; the caption has it for all
        return nbformat.v4.new_code_cell(cell.source, id=f"code-{index}", metadata=metadata, **self.runs.get(index, {}))

    def take_outputs(self) -> None:
        """Take what the build has made of the code cells: their counts, and outputs that can be looked at."""
        places = {i: cell for i, cell in enumerate(self.chapter.notebook.cells) if cell.cell_type == "code"}
        document, site = self.chapter.document, self.book.site
        runs = executed_cells(self.book.root, document, [cell.source for cell in places.values()])
        page = f"{site}/{document}.html" if site else ""
        for (i, cell), run in zip(places.items(), runs, strict=True):
            outputs = [still(output, page, described(cell)) for output in run.outputs]
            self.runs[i] = {"outputs": outputs, "execution_count": run.execution_count}

    def caption(self, cell: nbformat.NotebookNode, index: int) -> str:
        """The caption, and the description of the picture, which no front end takes from the chapter."""
        caption = self.inline(cell.metadata["mystnb"]["figure"].get("caption", "").strip())
        words = f"\n{self.folded('The picture in words', alt)}" if (alt := described(cell)) else ""
        return f"**Fig. {self.chapter.figures[index]}** {caption}".strip() + words.rstrip("\n")

    # blocks

    def blocks(self, blocks: list[Block]) -> str:
        parts = []
        for block in blocks:
            match block:
                case Text(lines, verbatim):
                    parts.append("\n".join(lines) if verbatim else self.text("\n".join(lines)))
                case Math():
                    parts.append(textwrap.indent(display(block), block.indent))
                case Directive():
                    parts.append(textwrap.indent(self.directive(block), block.indent, lambda line: True))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip("\n")

    def text(self, text: str) -> str:
        if "![" in text or "<img" in text:
            raise ConversionError("an image outside a code cell's figure")
        definitions = re.sub(r"^(\S.*)\n+: +(.*)$", r"- **\1**: \2", text, flags=re.M)
        return self.inline(definitions)

    def directive(self, block: Directive) -> str:
        name, argument = block.name, self.inline(block.argument)
        body = self.blocks(block.children)
        if kind := kind_of(name):
            title = f" ({argument})" if argument else ""
            return quote(f"**{kind.capitalize()} {block.number}".rstrip() + f"{title}.**", body)
        match name:
            case "self-check":
                return self.question(argument, block.body)
            case "result":
                return quote(f"**{argument}.**", body)
            case "result-graph":
                return f"The picture is on {self.link('its page', self.chapter.document)}."
            case "prf:proof":
                return quote("*Proof.*", f"{body} ∎")
            case "dropdown" | "solution":
                return self.folded(argument or "Solution", body)
            case "admonition" if "dropdown" in block.options.get("class", ""):
                return self.folded(argument, body)
            case "admonition" | "sidebar":
                return quote(f"**{argument}.**", body)
            case "margin" | "epigraph":
                return quote(argument, body)
            case "code-block":
                return f"```{argument}\n{block.body}\n```"
            case "rubric":
                return f"**{argument}**"
            case "glossary":
                return body
            case "table":
                return f"**{argument}**\n\n{body}"
            case "tableofcontents":
                return "\n".join(
                    f"- {self.link(chapter.title, document)}" for document, chapter in self.book.chapters.items()
                )
            case "claims":
                of = f" of {argument}" if argument else ""
                return f"The table of claims{of} is on {self.link('its page', self.chapter.document)}."
            case "citation":
                return f"How to cite the book stands on {self.link('its page', self.chapter.document)}."
            case "paper-numbers" | "own-numbers":
                return f"The table is on {self.link('its page', self.chapter.document)}."
            case "api-contents":
                return f"The entries are on {self.link('the page of the site', self.chapter.document)}."
            case "api":
                return ", ".join(f"`{module}`" for module in argument.split())
            case "bibliography":
                return "\n".join(f"- {reference(entry)}" for entry in self.book.bibliography.values())
            case _ if name in ADMONITIONS:
                if "dropdown" in block.options.get("class", ""):
                    return self.folded(argument or name.capitalize(), body)
                heading = {"seealso": "See also"}.get(name, name.capitalize())
                # in MyST what stands on the opening line of such a box is its first paragraph
                return quote(f"**{heading}.**", f"{argument}\n\n{body}".strip())
        raise ConversionError(f"no plain form is known for the directive {{{name}}}")

    def question(self, question: str, body: str) -> str:
        """The choices with letters; what the page says to each is folded away."""
        _, *parts = CHOICE.split(body)
        choices, replies = [], []
        for letter, mark, part in zip("abcdef", parts[::2], parts[1::2], strict=False):
            choice, _, reply = (" ".join(text.split()) for text in part.partition("\n\n"))
            if not reply:
                raise ConversionError(f"the choice {choice!r} has no reply")
            choices.append(f"- ({letter}) {self.inline(choice)}")
            replies.append(f"- ({letter}) {VERDICT[mark == 'x']} {self.inline(reply)}")
        heading = f"**Check yourself: {question}**"
        return "\n\n".join([heading, "\n".join(choices), self.folded("Answers", "\n".join(replies))]).rstrip("\n")

    def folded(self, title: str, body: str) -> str:
        if not self.solutions and ANSWERS.search(title):
            return ""
        return f"\n<details>\n<summary>{html_math_free(title)}</summary>\n\n{body}\n\n</details>\n"

    # roles, links and footnotes

    def inline(self, text: str) -> str:
        return ROLE_OR_CODE.sub(self._inline, text)

    def _inline(self, match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        if match["role"]:
            return self.role(match["role"], match["content"])
        if match["note"]:
            return f"<sup>{match['note']}</sup>"
        return self.address(self.inline(match["text"]), match["address"])

    def address(self, text: str, address: str) -> str:
        """A Markdown link: what points into the book becomes a link to the site."""
        if re.match(r"^(https?|mailto):", address):
            return f"[{text}]({address})"
        path, _, label = address.partition("#")
        if label:
            target = self.target(label)
            return self.link(text or target.name, target.document, label)
        folder = (self.book.root / self.chapter.document).parent
        document = (folder / path).resolve().relative_to(self.book.root).with_suffix("").as_posix()
        if document not in self.book.chapters:
            raise ConversionError(f"the link ({address}) leads to no page of the book")
        return self.link(text or self.book.chapters[document].title, document)

    def link(self, text: str, document: str, label: str = "") -> str:
        if document == self.chapter.document and label:
            return text
        if not self.book.site:  # numbers of another chapter say of which
            of = f" of *{self.book.chapters[document].title}*"
            return f"{text}{of}" if label and self.target(label).number else text
        anchor = f"#{re.sub(r'[^a-z0-9]+', '-', label.lower()).strip('-')}" if label else ""
        return f"[{text}]({self.book.site}/{document}.html{anchor})"

    def target(self, label: str) -> Target:
        if label not in self.book.targets:
            raise ConversionError(f"nothing in the book is labelled {label!r}")
        return self.book.targets[label]

    def role(self, role: str, content: str) -> str:
        content = " ".join(content.split())
        explicit = WITH_TARGET.match(content)
        text, name = (explicit["text"], explicit["target"]) if explicit else ("", content)
        match role:
            case "glue:text":
                key, _, spec = content.partition(":")
                if key not in self.book.values:
                    raise ConversionError(f"no value is known for {{glue:text}}`{content}`")
                return typeset(format(self.book.values[key], spec))
            case "eq":
                target = self.target(name)
                return self.link(target.name, target.document, name)
            case "numref":
                target = self.target(name)
                return self.link(numbered(text, target), target.document, name)
            case "ref" | "prf:ref":
                target = self.target(name)
                return self.link(text or target.name or target.title, target.document, name)
            case "doc":
                return self.address(text, f"{name}.md" if not name.endswith(".md") else name)
            case "cite" | "cite:p" | "cite:t" | "cite:ps" | "cite:ts":
                return self.cite(role, name)
            case "math":
                return f"${content}$"
            case "term":
                return text or name
            case "sub" | "sup" | "kbd":
                return f"<{role}>{content}</{role}>"
        raise ConversionError(f"no plain form is known for the role {{{role}}}`{content}`")

    def cite(self, role: str, keys: str) -> str:
        cited = []
        for key in keys.split(","):
            entry = self.book.bibliography.get(key.strip())
            if entry is None:
                raise ConversionError(f"{key.strip()!r} is not in references.bib")
            textual = role in ("cite:t", "cite:ts")
            cited.append(f"{authors(entry)} ({entry['year']})" if textual else f"{authors(entry)}, {entry['year']}")
        return ", ".join(cited) if role in ("cite:t", "cite:ts") else f"({'; '.join(cited)})"


def typeset(number: str) -> str:
    """A formatted number as it is printed: 3e-04 is 3·10⁻⁴, and the minus is one."""
    mantissa, _, exponent = number.partition("e")
    if exponent:
        mantissa += "·10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return mantissa.replace("-", "−")


def numbered(text: str, target: Target) -> str:
    return re.sub(r"%s|\{number\}", target.number, text).replace("{name}", target.title) if text else target.name


def html_math_free(title: str) -> str:
    """A fold's title is HTML: emphasis by Markdown would not be read there."""
    return re.sub(r"\*+([^*]+)\*+", r"\1", title)


def display(block: Math) -> str:
    """Displayed mathematics on one line, so that it survives inside a quotation."""
    tex = " ".join(block.tex.split())
    tag = rf" \tag{{{block.number}}}" if block.number else ""
    if r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{split}} {tex} \end{{split}}"
    return f"\n$${tex}{tag}$$\n"


def quote(heading: str, body: str) -> str:
    text = f"{heading}\n\n{body}".strip()
    lines = text.split("\n")
    return "\n" + "\n".join(f"> {line}".rstrip() for line in lines) + "\n"


def reference(entry: dict[str, str]) -> str:
    where = entry.get("journal") or entry.get("booktitle") or entry.get("publisher") or ""
    return f"{entry['author'].replace(' and ', '; ')}. *{entry['title']}*. {where}, {entry['year']}."
