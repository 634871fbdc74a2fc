"""Imports go in one direction, and importing the package is light."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import ntkbook

ROOT = Path(ntkbook.__file__).parent
# From the bottom up: a module may import from earlier lines only. "" is the package with its public names.
LAYERS = [
    {"_checks", "_extras", "_moments", "_progress"},
    {"activations._registry"},
    {"activations", "data"},
    {"networks.protocol"},
    {"networks.fully_connected"},
    {"networks.convolution", "networks.skip"},
    {"networks"},
    {"kernels.products", "kernels.recursion"},
    {"kernels.layers", "kernels.tree", "kernels.blocks"},
    {"kernels.devices", "kernels.mlp"},
    {"kernels.arguments", "kernels.routes"},
    {"kernels.empirical"},
    {"kernels", "limits.own", "limits.quadrature"},
    {"terms"},
    {"limits.calculus", "limits.ntk"},
    {"limits.kernel"},
    {"dynamics.trajectory", "dynamics._hierarchies"},
    {"dynamics._integrate"},
    {"dynamics.exact", "dynamics.truncated", "dynamics.frozen"},
    {"dynamics.discrete"},
    {"limits", "dynamics", "diagnostics"},
    {"claims", "plots"},
    {"drawings"},
    {""},
    {"experiments._base"},
    {
        "experiments.corollary_2_4",
        "experiments.corollary_2_5",
        "experiments.costs",
        "experiments.deriving",
        "experiments.predicting",
        "experiments.theorem_2_3",
        "experiments.theorem_2_6",
    },
    {"experiments"},
    {"experiments.__main__", "widgets._modules"},
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
heavy = {"matplotlib", "ipywidgets", "anywidget", "equinox", "sklearn", "scipy.integrate", "IPython"}
loaded = (heavy | {"ntkbook.experiments"}) & set(sys.modules)
assert not loaded, loaded
assert jax.config.jax_enable_x64 == before
ntkbook.enable_float64()
assert jax.config.jax_enable_x64
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("statement", "hidden"),
    [
        ("import ntkbook.plots", "matplotlib"),
        ("import ntkbook.drawings", "matplotlib"),
        ("import ntkbook.widgets", "anywidget"),
        ("import ntkbook, jax; ntkbook.data.digits(4, key=jax.random.key(0))", "sklearn"),
    ],
)
def test_a_missing_extra_says_how_to_get_it(statement, hidden):
    program = f"""
import sys
sys.modules[{hidden!r}] = None
try:
    {statement}
except ModuleNotFoundError as error:
    assert 'needs {hidden}' in str(error) and 'pip install "ntkbook[book]"' in str(error), error
    assert error.name.startswith({hidden!r}) and isinstance(error.__cause__, ModuleNotFoundError)
else:
    raise SystemExit("nothing was raised")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_experiments_need_no_figure_or_widget_library():
    program = """
import sys
import ntkbook.experiments
loaded = {"matplotlib", "ipywidgets", "anywidget", "equinox", "sklearn", "IPython"} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_version_is_that_of_the_installed_package():
    assert ntkbook.__version__ == version("ntkbook")


def test_public_names_exist_once():
    assert len(set(ntkbook.__all__)) == len(ntkbook.__all__)
    for name in ntkbook.__all__:
        assert getattr(ntkbook, name).__doc__, name
