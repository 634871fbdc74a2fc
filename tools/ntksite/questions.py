"""`{self-check}`: a question in the text. A reader chooses an answer and is told at once, by the page alone.

    ```{self-check} How large is one entry?
    - [ ] Of order one.

      That is the length of the whole vector.
    - [x] Of order $m^{-1/2}$.

      There are $m$ of them.
    ```

The argument is the question, the list its choices; the marked one is right; what follows a choice is the reply to it.
A question that holds a role needs a fence of colons: a fence of backticks has no backtick on its first line.
"""

import re
from typing import Any, cast

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ntksite.notebooks.markdown import VERDICT

MARK = re.compile(r"^\[(?P<mark>[ x])\]\s+")


def html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


class SelfCheck(SphinxDirective):
    """Native radio buttons; the reply to the chosen one is shown by the style sheet."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        name = f"check-{self.env.new_serialno('self-check') + 1}"
        question, _ = self.state.inline_text(self.arguments[0], self.lineno)
        choices = [self.choice(f"{name}-{i}", name, item) for i, item in enumerate(self.items(), start=1)]
        legend = [html("<legend>Check yourself: "), nodes.inline("", "", *question), html("</legend>")]
        return [html(f'<fieldset class="ntk-check" id="{name}">'), *legend, *sum(choices, []), html("</fieldset>")]

    def items(self) -> list[nodes.list_item]:
        body = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, body)
        items = list(body.findall(nodes.list_item)) if [*map(type, body)] == [nodes.bullet_list] else []
        marks = [MARK.match(item[0].astext()) if len(item) > 1 else None for item in items]
        if not all(marks) or [match["mark"] for match in marks if match].count("x") != 1:
            raise self.error("self-check wants a list of '[ ] choice', one of them '[x]', each followed by a reply.")
        return items

    def choice(self, identity: str, group: str, item: nodes.list_item) -> list[nodes.Node]:
        text, *reply = cast(list[nodes.Element], item.children)
        right = text.astext()[1] == "x"
        text[0] = nodes.Text(MARK.sub("", text[0].astext()))
        reply[0].insert(0, nodes.strong("", VERDICT[right]))
        reply[0].insert(1, nodes.Text(" "))
        button = f'<input type="radio" name="{group}" id="{identity}"><label for="{identity}">'
        opening = html(f'<div class="ntk-choice">{button}')
        kind = "right" if right else "wrong"
        return [
            opening,
            nodes.inline("", "", *text.children),
            html(f'</label><div role="status"><div class="ntk-reply ntk-{kind}">'),
            *reply,
            html("</div></div></div>"),
        ]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("self-check", SelfCheck)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
