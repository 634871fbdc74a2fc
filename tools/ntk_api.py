"""The reference of the package: a Sphinx extension that makes its entries from `__all__` and the docstrings.

`{api} ntkbook.data ntkbook.results` has an entry for every public name of these modules; `{api-contents}` lists the
entries of its page by section. A name's entry stands under the shortest path it is imported by: `ntkbook.mlp`, not
`ntkbook.networks.mlp`.
"""

import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import signature, stringify_signature

PACKAGE = "ntkbook"


# -- public names --------------------------------------------------------------------------------------------


def public_modules() -> list[str]:
    """The package and its modules without an underscore in front; a package stands for what it exports."""
    package = import_module(PACKAGE)
    found = (module.name for module in pkgutil.iter_modules(package.__path__, f"{PACKAGE}."))
    return [PACKAGE, *(name for name in found if not name.rpartition(".")[2].startswith("_"))]


def entries(module_name: str) -> list[str]:
    """The full names of the entries of a module: functions, classes, constants, each kind in the source's order.

    Those of the package itself are what no module of it exports.
    """
    module = import_module(module_name)
    names = list(module.__all__)
    if module_name == PACKAGE:
        elsewhere = {name for other in public_modules()[1:] for name in import_module(other).__all__}
        names = [name for name in names if name not in elsewhere and not inspect.ismodule(getattr(module, name))]
    lines = analysed(module_name).tagorder

    def place(name: str) -> tuple:
        value = getattr(module, name)
        return is_constant(value), inspect.isclass(value), lines.get(name, 0), name

    return [f"{shortest_path(module, name)}.{name}" for name in sorted(names, key=place)]


def shortest_path(module: ModuleType, name: str) -> str:
    package = import_module(PACKAGE)
    exported = name in package.__all__ and getattr(package, name) is getattr(module, name)
    return PACKAGE if exported else module.__name__


def look_up(full_name: str) -> Any:
    module, _, name = full_name.rpartition(".")
    return getattr(import_module(module), name)


def is_constant(value: object) -> bool:
    return not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value))


def analysed(module_name: str) -> ModuleAnalyzer:
    analyzer = ModuleAnalyzer.for_module(module_name)
    analyzer.analyze()
    return analyzer


def comment(module_name: str, full_name: str) -> str:
    """What the `#:` comment above a constant says, "" where there is none."""
    return "\n".join(analysed(module_name).attr_docs.get(("", full_name.rpartition(".")[2]), [])).strip()


def modules_on(page: Path) -> list[str]:
    """The modules that the `{api}` directives of a page name."""
    return " ".join(re.findall(r"^```\{api\} (.+)$", page.read_text(), flags=re.M)).split()


# -- the page ------------------------------------------------------------------------------------------------


class Api(SphinxDirective):
    """`{api}`: the entries of all public names of some modules."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(__file__)  # an entry made another way is read again
        lines = ["```{eval-rst}"]
        for module in self.arguments[0].split():
            self.env.note_dependency(str(import_module(module).__file__))
            lines += [f".. automodule:: {module}", ""]
            for full_name in entries(module):
                lines += [*self.entry(module, full_name), ""]
        container = nodes.container(classes=["ntk-api"])
        self.state.nested_parse(StringList([*lines, "```"], self.get_source_info()[0]), self.content_offset, container)
        for formula in container.findall(nodes.math_block):
            break_lines(formula)
        return [container]

    def entry(self, module: str, full_name: str) -> list[str]:
        value = look_up(full_name)
        if is_constant(value):
            path, _, name = full_name.rpartition(".")
            text = comment(module, full_name).splitlines()
            return [f".. py:data:: {name}", f"   :module: {path}", "", *(f"   {line}" for line in text)]
        if not inspect.isclass(value):
            return [f".. autofunction:: {full_name}"]
        arguments = ""
        if "__init__" in vars(value):  # what autodoc would ask before it, of a base class, says less
            arguments = stringify_signature(signature(value.__init__, bound_method=True), show_annotation=False)
        lines = [f".. autoclass:: {full_name}{arguments}"]
        if not hasattr(value, "_fields"):  # the fields of a named tuple have no text of their own
            lines += ["   :members:", "   :member-order: bysource", "   :special-members: __call__"]
        return lines


PHONE = 36  # about as many symbols of displayed mathematics as a phone shows side by side


def break_lines(formula: nodes.math_block) -> None:
    """Formulas side by side become one below the other, and a long one goes on below its equals sign."""
    if "&" in formula.astext():
        return
    lines = [line for part in formula.astext().split(r"\qquad") for line in broken(part.strip())]
    if len(lines) > 1:
        formula.children = []
        formula += nodes.Text(r" \\ ".join(f"& {line}" for line in lines))


def broken(tex: str) -> list[str]:
    left, equals, right = tex.partition(" = ")
    symbols = re.sub(r"\\[,;:! ]|[{}^_\s]", "", re.sub(r"\\[a-zA-Z]+", "x", tex))
    return [left, rf"\quad = {right}"] if equals and len(symbols) > PHONE else [tex]


class contents(nodes.Element):  # noqa: N801 - docutils names nodes so
    """Where the list of a page's entries goes."""


class ApiContents(SphinxDirective):
    """`{api-contents}`: the entries of this page, by section."""

    def run(self) -> list[nodes.Node]:
        return [contents()]


def fill_contents(app: Sphinx, doctree: nodes.document) -> None:
    for placeholder in list(doctree.findall(contents)):
        items = nodes.definition_list(classes=["ntk-api-contents"])
        for section in doctree.findall(nodes.section):
            links = list(links_to_entries(section))
            if links and section.parent.parent is doctree:
                title = nodes.reference("", next(section.findall(nodes.title)).astext(), refid=section["ids"][0])
                term = nodes.term("", "", title)
                items += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", "", *links)))
        placeholder.replace_self(items)


def links_to_entries(section: nodes.section) -> Iterator[nodes.Node]:
    """A link to each entry of a section, methods aside, with spaces between."""
    for entry in section.findall(addnodes.desc):
        if not isinstance(entry.parent, addnodes.desc_content):
            heading = next(entry.findall(addnodes.desc_signature))
            yield nodes.reference("", "", nodes.literal("", heading["fullname"]), refid=heading["ids"][0])
            yield nodes.Text(" ")


def resolve(app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.Element) -> nodes.Node | None:
    """What stands between single backticks and is no entry: a name of the package, or an argument, set as code."""
    if node.get("refdomain") != "py" or node.get("reftype") != "obj":
        return None
    python = env.get_domain("py")
    full_name = f"{PACKAGE}.{node['reftarget']}"
    found = python.resolve_xref(env, node["refdoc"], app.builder, "obj", full_name, node, text)
    return found or text


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(contents)
    app.add_directive("api", Api)
    app.add_directive("api-contents", ApiContents)
    app.connect("doctree-read", fill_contents)
    app.connect("missing-reference", resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
