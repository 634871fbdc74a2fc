"""What is shown and handed out in class: where it has the book's figures and numbers from, and where its links lead.

A deck or a handout is Markdown that begins with its title, `# ...`. In it

- `![](book:networks.html#fig-modes)` is a figure of the book, with the words that stand for it there;
- `{claim:networks-kernel-exponent}` is the value of a claim of the book, with two digits;
- `[...](networks.html#train-live?width=64)` is a link to a page of the book.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup
from ntksite.citation import read_citation

from course.settings import BadSetting, Settings

FIGURE = re.compile(r"!\[\]\(book:([\w-]+\.html)#([\w-]+)\)")
CLAIM = re.compile(r"\{claim:([\w-]+)\}")
LINK = re.compile(r"(?<=\]\()(?=[\w-]+\.html[#)])")


@dataclass(frozen=True)
class Text:
    """The deck or the handout of a module."""

    module: str
    title: str
    body: str


def read_texts(root: Path, settings: Settings, kind: str) -> list[Text]:
    """The decks, or the handouts, of all modules that are taught."""
    return [read_text(root, root / "course" / "modules" / module.module / f"{kind}.md") for module in settings.modules]


def read_text(root: Path, path: Path) -> Text:
    try:
        body = path.read_text("utf-8")
        title = re.match(r"# (.+)\n", body)
        if not title:
            raise BadSetting("it has to begin with its title, # ...")
        body = FIGURE.sub(lambda found: figure(root, *found.groups()), body)
        body = CLAIM.sub(lambda found: claim(root, found[1]), body)
    except (OSError, BadSetting) as error:
        raise BadSetting(f"{path.relative_to(root)}: {error}") from error
    return Text(path.parent.name, title[1], at_the_book(root, body, "../../html"))


def at_the_book(root: Path, text: str, built: str) -> str:
    """The text with its links leading to the book: to its address, else to the built pages, seen from where it lies."""
    return LINK.sub(f"{read_citation(root).site or built}/book/", text)


def figure(root: Path, page: str, name: str) -> str:
    built = root / "_build" / "html" / "book" / page
    found = BeautifulSoup(built.read_text("utf-8"), "html.parser").select_one(f"figure#{name} img")
    if not found:
        raise BadSetting(f"the book's {page} has no figure {name}")
    words = re.sub(r"([\[\]])", r"\\\1", str(found["alt"]))
    return f"![{words}]({(built.parent / str(found['src'])).resolve()})"


def claim(root: Path, name: str) -> str:
    claims = {claim["id"]: claim for claim in json.loads((root / "_build" / "html" / "claims.json").read_text("utf-8"))}
    if name not in claims:
        raise BadSetting(f"the book makes no claim {name}")
    return f"{claims[name]['measured']:.2g}"
