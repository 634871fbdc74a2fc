"""Reads MyST Markdown as blocks: ordinary text, labels, displayed mathematics, directives with what they hold."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml


class ConversionError(ValueError):
    """A chapter holds something that has no plain form."""


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
