"""The reference has every public name, and every public name has an example."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
from docutils import nodes
from ntksite import reference

pytest.importorskip("anywidget")

PAGE = Path(__file__).resolve().parents[2] / "book" / "api.md"
ENTRIES = {name: module for module in reference.public_modules() for name in reference.entries(module)}


def test_every_public_module_stands_on_the_page_once():
    # A new module: add an {api} directive to book/api.md.
    assert sorted(reference.modules_on(PAGE)) == sorted(reference.public_modules())


@pytest.mark.parametrize("module", reference.public_modules())
def test_every_public_name_has_one_entry(module):
    shown = {name.rpartition(".")[2]: name for name in ENTRIES}
    assert len(shown) == len(ENTRIES)
    for name in import_module(module).__all__:
        value = getattr(import_module(module), name)
        if inspect.ismodule(value):
            assert value.__name__ in reference.modules_on(PAGE), name
        else:
            assert reference.look_up(shown[name]) is value, name


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_has_an_example_or_is_a_constant_with_a_comment(name):
    value = reference.look_up(name)
    if reference.is_constant(value):
        assert reference.comment(ENTRIES[name], name)
    else:
        assert "Examples\n--------\n>>> " in inspect.cleandoc(value.__doc__ or "")


def test_entries_stand_under_the_path_they_are_imported_by():
    assert ENTRIES["ntkbook.mlp"] == "ntkbook.networks"
    assert ENTRIES["ntkbook.enable_float64"] == "ntkbook"
    assert ENTRIES["ntkbook.data.half_circle"] == "ntkbook.data"
    assert ENTRIES["ntkbook.widgets.TrainLive"] == "ntkbook.widgets"


def test_functions_come_first_and_in_the_order_of_the_source():
    names = [name.rpartition(".")[2] for name in reference.entries("ntkbook.dynamics")]
    assert names[:2] == ["gradient_flow", "truncated_flow"] and names[-3:] == ["Result", "Trajectory", "FlowError"]


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"a = b, \qquad c = d", r"& a = b, \\ & c = d"),
        (rf"a = {'b + ' * 30}c", rf"& a \\ & \quad = {'b + ' * 30}c"),
        (r"\alpha = \langle \nabla_\theta f_\alpha, \nabla_\theta f_\beta \rangle", None),
        (r"a &= b \qquad c", None),
    ],
)
def test_formulas_are_broken_for_phones(tex, expected):
    formula = nodes.math_block("", tex)
    reference.break_lines(formula)
    assert formula.astext() == (expected or tex)


@pytest.mark.parametrize("name", ENTRIES)
def test_no_description_begins_as_a_list_does(name):
    """A line such as "m." counts an item of a list."""
    lines = inspect.cleandoc(reference.look_up(name).__doc__ or "").splitlines()
    assert [line for line in lines if re.match(r" +[A-Za-z]\.( |$)", line)] == []
