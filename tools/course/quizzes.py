"""Questions with one right choice: as quizzes for Canvas and Moodle, on paper, and with their key for the teacher.

The sources, the forms of the concept test and the votes of a module, are Markdown: a title, an introduction, and for
each question a heading, what has to be told first, and the question in the syntax of the book (`ntksite.questions`). A
wrong choice names its misconception, one of course/misconceptions.yaml, in a comment below the reply:

    ## Entries

    The width goes from 100 to 10,000.

    ```{self-check} What happens to a typical entry of $x^{(1)}$?
    - [ ] It stays as large as it was.

      That holds for the length of the whole vector.
      % entry-of-order-one
    - [x] It becomes 10 times smaller.

      100 times as many entries share the length.
    ```
"""

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import pypandoc
import yaml
from ntksite.citation import read_citation
from ntksite.notebooks.markdown import CHOICE, VERDICT

from course.problems import CANARY
from course.settings import read_settings

COMMENT = re.compile(r"^ *% (.+)\n", flags=re.M)
QUESTION = re.compile(r"```\{self-check\} (?P<question>.+)\n(?P<choices>(?:.*\n)*?)```\s*\Z")
LETTERS = "abcdef"
BREAK = "<!-- next -->"  # between two texts, for pandoc
MOODLE = {"defaultgrade": "1", "penalty": "0", "single": "true", "shuffleanswers": "false", "answernumbering": "abc"}
NAME = '<p>Name: <span class="name"></span></p>'
STYLE = """
body { font: 12pt/1.4 serif; max-width: 42em; margin: 2em auto; padding: 0 1em; counter-reset: question; }
section { break-inside: avoid; counter-increment: question; }
section::before { content: counter(question) "."; float: left; width: 2em; font-weight: bold; }
section > * { margin-left: 2em; }
li > p { margin: 0.3em 0; }
.name { display: inline-block; width: 20em; border-bottom: 1px solid; }
"""


class BadQuestion(ValueError):
    """A source that is not in the form above."""


@dataclass(frozen=True)
class Choice:
    """Text and reply are Markdown; `misconception` is "" for the right choice."""

    text: str
    reply: str
    right: bool
    misconception: str


@dataclass(frozen=True)
class Question:
    title: str
    text: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Quiz:
    title: str
    introduction: str
    questions: tuple[Question, ...]


def build(root: Path, out: Path) -> None:
    """Write lms/NAME.zip for Canvas, .xml for Moodle and .html for paper, and the key, teacher/NAME-key.html."""
    course = root / "course"
    misconceptions = yaml.safe_load((course / "misconceptions.yaml").read_text("utf-8"))
    sources = {f"test-{path.stem}": path for path in (course / "test" / "a.md", course / "test" / "b.md")}
    votes = [course / "modules" / module.module / "votes.md" for module in read_settings(root).modules]
    sources |= {f"{path.parent.name}-votes": path for path in votes if path.exists()}
    lms, teacher = out / "lms", out / "teacher"
    for folder in (lms, teacher):
        folder.mkdir(parents=True, exist_ok=True)
    for name, path in sources.items():
        quiz = read_quiz(path, misconceptions, read_citation(root).site)
        write_canvas(quiz, lms / f"{name}.zip")
        write_moodle(quiz, lms / f"{name}.xml")
        shown = in_html(quiz, "--mathml")
        (lms / f"{name}.html").write_text(page(quiz.title, form(shown)), "utf-8")
        (teacher / f"{name}-key.html").write_text(page(f"{quiz.title}: key", key(shown, misconceptions)), "utf-8")


# The source


def read_quiz(path: Path, misconceptions: dict[str, str], site: str) -> Quiz:
    head, *parts = re.split(r"^## (.+)\n", path.read_text("utf-8"), flags=re.M)
    title, _, introduction = COMMENT.sub("", head).strip().removeprefix("# ").partition("\n")
    questions = []
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        try:
            questions.append(read_question(name, link(body, site), misconceptions))
        except BadQuestion as error:
            raise BadQuestion(f"{path}, {name!r}: {error}") from None
    return Quiz(title, paragraphs(introduction), tuple(questions))


def read_question(title: str, body: str, misconceptions: dict[str, str]) -> Question:
    found = QUESTION.search(body)
    if not found:
        raise BadQuestion("the section has to end with a question, ```{self-check} ...")
    _, *parts = CHOICE.split(found["choices"])
    choices = tuple(map(read_choice, parts[::2], parts[1::2]))
    if [choice.right for choice in choices].count(True) != 1:
        raise BadQuestion("one choice has to be the right one, [x]")
    for choice in choices:
        if not choice.right and choice.misconception not in misconceptions:
            raise BadQuestion(
                f"{choice.text!r} needs a misconception of misconceptions.yaml, got {choice.misconception!r}"
            )
    return Question(title, paragraphs(f"{body[: found.start()]}\n\n{found['question']}"), choices)


def read_choice(mark: str, part: str) -> Choice:
    text, _, reply = part.partition("\n\n")
    comment = COMMENT.search(reply)
    text, reply = paragraphs(text), paragraphs(COMMENT.sub("", reply))
    if not reply:
        raise BadQuestion(f"the choice {text!r} has no reply")
    return Choice(text, reply, mark == "x", comment[1] if comment else "")


def paragraphs(text: str) -> str:
    """Each paragraph in one line."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip())


def link(text: str, site: str) -> str:
    """Links to the book's pages lead to the site; while it has no address, they say where to look."""
    target = r"[\1](" + site + r"/book/\2)" if site else r"\1 (in the book: `\2`)"
    return re.sub(r"\[([^\]]+)\]\(([\w-]+\.html#[^)]+)\)", target, text)


# Canvas, by text2qti


def write_canvas(quiz: Quiz, target: Path) -> None:
    """Formulas are MathML, which Canvas shows and reads aloud."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "quiz.txt").write_text(text2qti(quiz), "utf-8")
        # text2qti calls pandoc, and keeps a file in the home directory
        programs = Path(pypandoc.get_pandoc_path()).parent
        environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "HOME": name}
        command = [sys.executable, "-c", "from text2qti.cmdline import main; main()", "--pandoc-mathml", "quiz.txt"]
        subprocess.run(command, cwd=folder, env=environment, check=True)
        target.write_bytes((folder / "quiz.zip").read_bytes())


def text2qti(quiz: Quiz) -> str:
    lines = [f"Quiz title: {quiz.title}", item("Quiz description: ", quiz.introduction), "Shuffle answers: false"]
    for number, question in enumerate(quiz.questions, start=1):
        lines += ["", f"Title: {number}. {question.title}", item(f"{number}. ", question.text)]
        for letter, choice in zip(LETTERS, question.choices, strict=False):
            lines += [item(f"{'*' * choice.right}{letter}) ", choice.text), item("... ", choice.reply)]
    return "\n".join(lines) + "\n"


def item(mark: str, text: str) -> str:
    """A field of text2qti, which would make a formula at the start of a paragraph a paragraph of its own."""
    text = re.sub(r"^\$", "<span></span>$", text, flags=re.M)
    return mark + text.replace("\n\n", "\n\n" + " " * len(mark))


# Moodle


def write_moodle(quiz: Quiz, target: Path) -> None:
    """Formulas are TeX between \\( and \\), which Moodle's own filter shows."""
    quiz = in_html(quiz, "--mathjax")
    root = ElementTree.Element("quiz")
    texts(ElementTree.SubElement(root, "question", type="category"), "category", f"$course$/top/{quiz.title}")
    introduction = ElementTree.SubElement(root, "question", type="description")
    texts(introduction, "name", "0. Introduction")
    texts(introduction, "questiontext", quiz.introduction, format="html")
    for number, question in enumerate(quiz.questions, start=1):
        node = ElementTree.SubElement(root, "question", type="multichoice")
        texts(node, "name", f"{number}. {question.title}")
        texts(node, "questiontext", question.text, format="html")
        for name, value in MOODLE.items():
            ElementTree.SubElement(node, name).text = value
        for choice in question.choices:
            answer = texts(node, "answer", choice.text, fraction="100" if choice.right else "0", format="html")
            texts(answer, "feedback", choice.reply, format="html")
    ElementTree.ElementTree(root).write(target, encoding="utf-8", xml_declaration=True)


def texts(parent: ElementTree.Element, name: str, text: str, **attributes: str) -> ElementTree.Element:
    node = ElementTree.SubElement(parent, name, attributes)
    ElementTree.SubElement(node, "text").text = text
    return node


# Paper


def form(quiz: Quiz) -> str:
    """The questions without their answers."""
    sections = [section(question, [choice.text for choice in question.choices]) for question in quiz.questions]
    return "\n".join([NAME, quiz.introduction, *sections])


def key(quiz: Quiz, misconceptions: dict[str, str]) -> str:
    def answered(choice: Choice) -> str:
        reply = choice.reply.removeprefix("<p>")
        name = choice.misconception
        meaning = "" if choice.right else f"<p>Misconception <code>{name}</code>: {escape(misconceptions[name])}</p>"
        return f"{choice.text}\n<p><b>{VERDICT[choice.right]}</b> {reply}\n{meaning}"

    right = (LETTERS[[choice.right for choice in question.choices].index(True)] for question in quiz.questions)
    summary = ", ".join(f"{number}{letter}" for number, letter in enumerate(right, start=1))
    sections = [section(question, list(map(answered, question.choices))) for question in quiz.questions]
    return "\n".join([f"<!-- {CANARY} -->", f"<p>Right: {summary}.</p>", quiz.introduction, *sections])


def section(question: Question, choices: list[str]) -> str:
    items = "\n".join(f"<li>{choice}</li>" for choice in choices)
    return f'<section>\n{question.text}\n<ol type="a">\n{items}\n</ol>\n</section>'


def page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    content = f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>"
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n{content}\n</html>\n'


def in_html(quiz: Quiz, mathematics: str) -> Quiz:
    """The quiz with HTML in place of Markdown. One call of pandoc serves all of it."""
    sources = [quiz.introduction]
    for question in quiz.questions:
        sources += [question.text, *(text for choice in question.choices for text in (choice.text, choice.reply))]
    options = [mathematics, "--wrap=none"]
    whole = pypandoc.convert_text(f"\n\n{BREAK}\n\n".join(sources), "html", format="markdown", extra_args=options)
    done = map(str.strip, whole.split(BREAK))

    def choice_in_html(choice: Choice) -> Choice:
        return replace(choice, text=next(done), reply=next(done))

    def question_in_html(question: Question) -> Question:
        return replace(question, text=next(done), choices=tuple(map(choice_in_html, question.choices)))

    return replace(quiz, introduction=next(done), questions=tuple(map(question_in_html, quiz.questions)))
