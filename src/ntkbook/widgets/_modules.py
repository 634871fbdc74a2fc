"""One ES module from several: the scripts of ``js/`` import each other, a page loads a module from its text alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from ntkbook import activations

__all__ = ["module_text"]

SCRIPTS = files("ntkbook.widgets") / "js"
ACTIVATIONS = SCRIPTS / "activations.js"  # is no file: the registry makes it, and activations.d.ts has its type

IMPORT = re.compile(r'^import \{\s*(\w+(?:,\s*\w+)*),?\s*\} from "\./(\w+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:const|function|class) (\w+))", re.MULTILINE)
DEFAULT = re.compile(r"^export default (?=\{)", re.MULTILINE)
OTHERWISE = re.compile(r"^\s*(?:import|export)\b.*|\bimport\s*[(.].*", re.MULTILINE)
COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)  # whole lines


@dataclass(frozen=True)
class Script:
    """A script without its comments: what it imports by file, what it exports, and its text without import lines."""

    name: str
    imports: dict[str, list[str]]
    exports: list[str]
    text: str


def module_text(name: str, folder: Traversable = SCRIPTS) -> str:
    """The text of one ES module: the named script of `folder`, after all scripts that it imports.

    An imported script becomes a function that is called once and gives what the script exports, so that its other names
    stay its own. Only the forms that need no parser are understood, and the linter asks for them: named imports, one
    statement a file; exports where a name is declared; a default export in the named script alone.

    Raises
    ------
    ValueError
        If a script is missing, imports in a circle or what is not exported, or has another form of import or export.
    """
    *imported, own = _in_order(name, folder)
    return "".join(f"const ${script.name} = (() => {{\n{_body(script)}}})();\n" for script in imported) + (
        _imports(own) + own.text
    )


def _body(script: Script) -> str:
    return f"{_imports(script)}{EXPORT.sub('', script.text)}return {{ {', '.join(script.exports)} }};\n"


def _imports(script: Script) -> str:
    return "".join(f"const {{ {', '.join(names)} }} = ${other};\n" for other, names in script.imports.items())


def _in_order(name: str, folder: Traversable) -> list[Script]:
    """The script and all that it needs, each after what it imports."""
    found: dict[str, Script] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = " -> ".join(f"{other}.js" for other in (*above[above.index(name) :], name))
            raise ValueError(f"scripts must not import in a circle, got {circle}. Move what they share to another.")
        if name in found:
            return
        script = _read(name, folder, imported_by=above[-1] if above else None)
        for other, names in script.imports.items():
            visit(other, (*above, name))
            if missing := sorted(set(names) - set(found[other].exports)):
                raise ValueError(f"{name}.js imports {', '.join(missing)} from {other}.js, which does not export it.")
        found[name] = script

    visit(name, ())
    return list(found.values())


def _read(name: str, folder: Traversable, imported_by: str | None) -> Script:
    path = folder / f"{name}.js"
    if path == ACTIVATIONS:
        text = activations.javascript()
    elif path.is_file():
        text = path.read_text(encoding="utf-8")
    else:
        raise ValueError(f"{imported_by or 'a widget'} asks for the script {name}.js, which is not among the others.")
    text = COMMENT.sub("", text)
    imports: dict[str, list[str]] = {}
    for names, other in IMPORT.findall(text):
        imports.setdefault(other, []).extend(re.findall(r"\w+", names))
    all_names = [name for names in imports.values() for name in names]
    if twice := sorted({name for name in all_names if all_names.count(name) > 1}):
        raise ValueError(f"{name}.js imports {', '.join(twice)} twice. One name stands for one thing.")
    text = IMPORT.sub("", text)
    rest = EXPORT.sub("", text)
    if other_form := OTHERWISE.search(rest if imported_by else DEFAULT.sub("", rest)):
        raise ValueError(
            f'{name}.js: {other_form[0].strip()!r} is not understood. Write `import {{ a, b }} from "./other.js";`, '
            "`export` before const, function or class, and `export default {` in a widget's own script alone."
        )
    return Script(name, imports, EXPORT.findall(text), text)
