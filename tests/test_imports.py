"""Imports go in one direction, and importing the package is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ntkbook

ROOT = Path(ntkbook.__file__).parent
# From the bottom up: a module may import from earlier lines only. "" is the package with its public names.
LAYERS = [
    {"_checks", "_progress"},
    {"activations", "data", "results"},
    {"networks"},
    {"architectures"},
    {"kernels", "limits.quadrature"},
    {"terms"},
    {"limits.calculus", "limits.ntk"},
    {"limits.kernel"},
    {"limits", "dynamics", "diagnostics"},
    {"claims", "plots"},
    {""},
    {"widgets._modules"},
    {"widgets._base"},
    {
        "widgets.convergence",
        "widgets.derivation",
        "widgets.hierarchy",
        "widgets.motion",
        "widgets.orders",
        "widgets.predict",
        "widgets.train",
        "widgets.truncation",
    },
    {"widgets"},
]
LEVEL = {name: k for k, layer in enumerate(LAYERS) for name in layer}


def imported(source, module, is_package):
    """Modules of the package that the source imports, wherever in it: inside of functions and TYPE_CHECKING too."""
    here = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = here.split(".")[: len(here.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names] if base else []
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "ntkbook")


def target(name):
    """The module of the package that holds this name: the longest prefix that is one."""
    while name.partition(".")[2] not in LEVEL:
        name = name.rpartition(".")[0]
    return name.partition(".")[2]


def violations(module, source, is_package=False):
    for name in imported(source, module, is_package):
        if LEVEL[target(name)] >= LEVEL[module.partition(".")[2]]:
            yield f"{module} imports {name}, which is not below it"


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield ".".join(["ntkbook", *(parts[:-1] if is_package else parts)]), path.read_text(), is_package


def test_imports_go_downwards():
    found = [violation for module, *source in modules() for violation in violations(module, *source)]
    assert not found, "\n".join(found)


def test_every_module_has_a_layer():
    assert {module.partition(".")[2] for module, *_ in modules()} == set(LEVEL)


@pytest.mark.parametrize(
    "source",
    [
        "from ntkbook import dynamics",
        "import ntkbook.dynamics",
        "import ntkbook",
        "from ntkbook import mlp",
        "from ntkbook.dynamics import Result",
        "from .dynamics import Result",
        "from . import dynamics",
        "def f():\n    from ntkbook.plots import use_style",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ntkbook.dynamics import Result",
    ],
)
def test_an_upward_import_is_seen(source):
    assert list(violations("ntkbook.kernels", source))
    assert not list(violations("ntkbook.kernels", "from ntkbook import _checks\nfrom ntkbook.networks import MLP"))


def test_the_package_imports_no_figure_widget_solver_or_data_library():
    program = """
import sys, jax
before = jax.config.jax_enable_x64
import ntkbook
heavy = {"matplotlib", "ipywidgets", "anywidget", "diffrax", "sklearn", "scipy.integrate", "IPython"}
loaded = heavy & set(sys.modules)
assert not loaded, loaded
assert jax.config.jax_enable_x64 == before
ntkbook.enable_float64()
assert jax.config.jax_enable_x64
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_public_names_exist_once():
    assert len(set(ntkbook.__all__)) == len(ntkbook.__all__)
    for name in ntkbook.__all__:
        assert getattr(ntkbook, name).__doc__, name
