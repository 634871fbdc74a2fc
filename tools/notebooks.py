"""Plain notebooks from the book's MyST chapters.

In JupyterLab a chapter reads as on its page: directives become Markdown and HTML, roles become their text, glued
numbers their values. What this script does not know, it refuses, so that no raw directive reaches a reader.

    python tools/notebooks.py                                          # every chapter, into notebooks/
    python tools/notebooks.py --without-solutions book/networks.md     # for a class
    python tools/notebooks.py --in-place                               # as Markdown notebooks: what Binder opens
"""

import argparse
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml
from records import ROOT, documents, expected_values

THEOREMS = (
    "algorithm assumption axiom conjecture corollary criterion definition example lemma observation property "
    "proposition remark theorem"
).split()
ADMONITIONS = "attention caution danger error hint important note seealso tip warning".split()
CHOICE = re.compile(r"^- \[([ x])\] ", flags=re.M)  # of a self-check, see tools/ntk_questions.py
VERDICT = {True: "Right.", False: "Not quite."}
ANSWERS = ("sketch", "solution")  # first words of the titles of what a student's notebook leaves out


class ConversionError(ValueError):
    """A chapter holds something that has no plain form."""


# -- reading MyST ------------------------------------------------------------------------------------------


@dataclass
class Text:
    """Lines of ordinary Markdown, or of a fenced block of code (`verbatim`)."""

    lines: list[str]
    verbatim: bool = False


@dataclass
class Label:
    """A line `(name)=`, which names what follows."""

    name: str


@dataclass
class Math:
    """Displayed mathematics; a labelled equation has a number."""

    tex: str
    label: str | None
    indent: str = ""
    number: str = ""


@dataclass
class Directive:
    """A fenced directive with its content, as text and as blocks."""

    name: str
    argument: str
    options: dict[str, Any]
    body: str
    indent: str
    children: list["Block"] = field(default_factory=list)
    number: str = ""


Block = Text | Label | Math | Directive

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|:{3,}|~{3,})(?P<rest>.*)$")
DIRECTIVE = re.compile(r"^\{(?P<name>[\w:-]+)\}\s*(?P<argument>.*)$")
DISPLAY = re.compile(r"^(?P<indent> *)\$\$(?P<rest>.*)$")
DISPLAY_END = re.compile(r"^(?P<tex>.*?)\$\$\s*(?:\((?P<label>[\w:.-]+)\))?\s*$")
NUMBERED_ENVIRONMENT = re.compile(r"^ *\\begin\{(equation|align|gather|multline|alignat|eqnarray)\}")


def options_and_body(lines: list[str]) -> tuple[dict[str, Any], str]:
    """Split a directive's content into its options, in either of MyST's two forms, and its body."""
    if lines and lines[0].strip() == "---":
        end = lines.index("---", 1)
        return yaml.safe_load("\n".join(lines[1:end])) or {}, "\n".join(lines[end + 1 :]).strip("\n")
    options: dict[str, Any] = {}
    for i, line in enumerate(lines):
        match = re.match(r"^:([\w-]+):\s*(.*)$", line)
        if not match:
            return options, "\n".join(lines[i:]).strip("\n")
        options[match[1]] = match[2].strip()
    return options, ""


def parse(text: str) -> list[Block]:
    """The blocks of a piece of MyST Markdown, those inside directives included."""
    blocks: list[Block] = []
    lines = iter(text.split("\n"))
    for line in lines:
        if match := FENCE.match(line):
            blocks.append(parse_fence(match, lines))
        elif match := DISPLAY.match(line):
            blocks.append(parse_display(match, lines))
        elif match := re.match(r"^\(([\w:.-]+)\)=\s*$", line):
            blocks.append(Label(match[1]))
        elif line.startswith("%"):
            continue
        elif NUMBERED_ENVIRONMENT.match(line):
            raise ConversionError(f"numbered environment {line.strip()!r}: write $$ ... $$ (label) instead")
        elif blocks and isinstance(blocks[-1], Text) and not blocks[-1].verbatim:
            blocks[-1].lines.append(line)
        else:
            blocks.append(Text([line]))
    return blocks


def parse_fence(opening: re.Match[str], lines: Iterator[str]) -> Block:
    indent, fence = opening["indent"], opening["fence"]
    closing = re.compile(rf"^ *{re.escape(fence[0])}{{{len(fence)},}} *$")
    content = []
    for line in lines:
        if closing.match(line):
            break
        content.append(line.removeprefix(indent))
    else:
        raise ConversionError(f"the block opened by {opening[0].strip()!r} is never closed")
    directive = DIRECTIVE.match(opening["rest"])
    if directive is None:
        return Text([opening[0], *(indent + line for line in content), indent + fence], verbatim=True)
    name, argument = directive["name"], directive["argument"].strip()
    options, body = options_and_body(content)
    if name == "math":
        return Math(body, options.get("label"), indent)
    children = [] if name == "code-block" else parse(body)
    return Directive(name, argument, options, body, indent, children)


def parse_display(opening: re.Match[str], lines: Iterator[str]) -> Math:
    content = []
    rest = opening["rest"]
    while not (end := DISPLAY_END.match(rest)):
        content.append(rest)
        try:
            rest = next(lines)
        except StopIteration:
            raise ConversionError("displayed mathematics is never closed by $$") from None
    tex = "\n".join(line.strip() for line in [*content, end["tex"]] if line.strip())
    return Math(tex, end["label"], opening["indent"])


def walk(blocks: list[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Directive):
            yield from walk(block.children)


def read_bibliography(path: Path) -> dict[str, dict[str, str]]:
    """The fields of every entry of a BibTeX file in plain layout: a field a line, the closing brace alone."""
    entries = {}
    for key, body in re.findall(r"@\w+\{([^,\s]+),(.*?)\n\}", path.read_text(), flags=re.S):
        fields = re.findall(r"^\s*(\w+)\s*=\s*[{\"](.*?)[}\"],?\s*$", body, flags=re.M)
        entries[key] = {name.lower(): re.sub(r"[{}]", "", value) for name, value in fields}
    return entries


def authors(entry: dict[str, str]) -> str:
    families = [name.split(",")[0].strip() for name in entry["author"].split(" and ")]
    if len(families) > 2:
        return f"{families[0]} et al."
    return " and ".join(families)


# -- the book ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """What a label stands for: its document, its name ("Theorem 2.1"), its number, its title or caption."""

    document: str
    name: str
    number: str = ""
    title: str = ""


@dataclass
class Chapter:
    """A document: its cells, the blocks of each Markdown cell, the figure numbers of code cells."""

    document: str
    notebook: nbformat.NotebookNode
    blocks: dict[int, list[Block]]
    figures: dict[int, str] = field(default_factory=dict)
    title: str = ""


class Counters:
    """The numbers of one document, counted as Sphinx counts them; equations have no chapter in front."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.last: dict[str, int] = {}

    def next(self, kind: str) -> str:
        self.last[kind] = self.last.get(kind, 0) + 1
        return f"{'' if kind == 'equation' else self.prefix}{self.last[kind]}"


class Book:
    """All documents with what they call each other by.

    `values` maps the ids of claims and quotes to the numbers that the prose shows.
    """

    def __init__(self, root: Path, values: dict[str, float]) -> None:
        self.root = root
        self.values = values
        self.site = yaml.safe_load((root / "CITATION.cff").read_text())["url"].rstrip("/")
        self.bibliography = read_bibliography(root / "book" / "references.bib")
        self.targets: dict[str, Target] = {}
        self.chapters = {document: self._read(document) for document in documents(root)}
        for chapter in self.chapters.values():
            self._number(chapter)

    def _read(self, document: str) -> Chapter:
        notebook = jupytext.read(self.root / f"{document}.md", fmt="md:myst")
        try:
            blocks = {i: parse(cell.source) for i, cell in enumerate(notebook.cells) if is_prose(cell)}
        except ConversionError as error:
            raise ConversionError(f"{document}: {error}") from None
        return Chapter(document, notebook, blocks)

    def _prefix(self, document: str) -> str:
        toc = yaml.safe_load((self.root / "_toc.yml").read_text())
        numbered = [
            entry["file"] for part in toc.get("parts", [toc]) if part.get("numbered") for entry in part["chapters"]
        ]
        return f"{numbered.index(document) + 1}." if document in numbered else ""

    def _number(self, chapter: Chapter) -> None:
        """Number what can be referred to, in reading order, and note what each label stands for."""
        counters = Counters(self._prefix(chapter.document))
        pending: list[str] = []

        def note(name: str, number: str = "", title: str = "", labels: tuple[str | None, ...] = ()) -> None:
            target = Target(chapter.document, name, number, title)
            for label in filter(None, [*pending, *labels]):
                self.targets[label] = target
            pending.clear()

        for i, cell in enumerate(chapter.notebook.cells):
            if figure := cell.metadata.get("mystnb", {}).get("figure"):
                chapter.figures[i] = number = counters.next("figure")
                note(f"Fig. {number}", number, figure.get("caption", ""), (figure.get("name"),))
            for block in walk(chapter.blocks.get(i, [])):
                match block:
                    case Label(name):
                        pending.append(name)
                    case Math(_, str(label)):
                        block.number = counters.next("equation")
                        note(f"({block.number})", block.number, labels=(label,))
                    case Directive(name, argument, options) if kind_of(name):
                        if "nonumber" not in options:
                            block.number = counters.next(kind_of(name))
                        full = f"{kind_of(name).capitalize()} {block.number}".strip()
                        note(full, block.number, argument, (options.get("label"), options.get("name")))
                    case Text(lines, False):
                        for line in lines:
                            if heading := re.match(r"^#+\s+(.*)$", line):
                                chapter.title = chapter.title or heading[1]
                                note(heading[1], title=heading[1])
                            elif line.strip():
                                note("")

    def notebook(self, document: str, *, solutions: bool = True) -> nbformat.NotebookNode:
        """The plain notebook of a document; without solutions it keeps the hints and drops the rest."""
        chapter = self.chapters[document]
        renderer = Renderer(self, chapter, solutions)
        cells = []
        try:
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

    def executable(self) -> list[str]:
        """The documents that have code."""
        return [
            document
            for document, chapter in self.chapters.items()
            if any(cell.cell_type == "code" for cell in chapter.notebook.cells)
        ]

    def write_notebooks(self, folder: Path) -> None:
        """Write every chapter that has code to `folder` as NAME.ipynb."""
        folder.mkdir(parents=True, exist_ok=True)
        for document in self.executable():
            nbformat.write(self.notebook(document), folder / f"{Path(document).name}.ipynb")

    def write_in_place(self) -> None:
        """Turn every document into a plain Markdown notebook, where it stands."""
        plain = {document: self.notebook(document) for document in self.chapters}
        for document, notebook in plain.items():
            jupytext.write(notebook, self.root / f"{document}.md", fmt="md:markdown")


KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def is_prose(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "markdown"


def kind_of(directive: str) -> str:
    """What a numbered directive is called, "" for the others."""
    kind = directive.removeprefix("prf:")
    return kind if directive == "exercise" or directive == f"prf:{kind}" and kind in THEOREMS else ""


# -- writing plain Markdown --------------------------------------------------------------------------------


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

    # cells

    def code(self, cell: nbformat.NotebookNode, index: int) -> nbformat.NotebookNode:
        """The code cell; what the page hides or removes, JupyterLab shows folded."""
        tags = cell.metadata.get("tags", [])
        metadata: dict[str, Any] = {"tags": tags} if tags else {}
        if {"hide-input", "hide-cell", "remove-input", "remove-cell"} & set(tags):
            metadata["jupyter"] = {"source_hidden": True}
        return nbformat.v4.new_code_cell(cell.source, id=f"code-{index}", metadata=metadata)

    def caption(self, cell: nbformat.NotebookNode, index: int) -> str:
        caption = self.inline(cell.metadata["mystnb"]["figure"].get("caption", "").strip())
        return f"**Fig. {self.chapter.figures[index]}** {caption}".strip()

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
        return "\n\n".join([heading, "\n".join(choices), self.folded("Answers", "\n".join(replies))])

    def folded(self, title: str, body: str) -> str:
        if not self.solutions and title.lower().startswith(ANSWERS):
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapters", nargs="*", help="sources such as book/networks.md; without any: all chapters")
    parser.add_argument("-o", "--output", type=Path, default=Path("notebooks"), help="the folder to write to")
    parser.add_argument("--format", choices=["ipynb", "md"], default="ipynb")
    parser.add_argument("--without-solutions", action="store_true", help="leave out sketches and solutions")
    parser.add_argument("--in-place", action="store_true", help="convert every document where it stands (Binder)")
    arguments = parser.parse_args()

    book = Book(ROOT, expected_values(ROOT))
    if arguments.in_place:
        book.write_in_place()
        return
    chosen = [Path(chapter).resolve().relative_to(ROOT).with_suffix("").as_posix() for chapter in arguments.chapters]
    arguments.output.mkdir(parents=True, exist_ok=True)
    for document in chosen or book.executable():
        notebook = book.notebook(document, solutions=not arguments.without_solutions)
        path = arguments.output / f"{Path(document).name}.{arguments.format}"
        jupytext.write(notebook, path, fmt="md:markdown" if arguments.format == "md" else "ipynb")
        print(path)


if __name__ == "__main__":
    main()
