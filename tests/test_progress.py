"""Long work shows how far it is; short work shows nothing; results are the same."""

import re

import jax
import jax.numpy as jnp
import pytest
from closeness import assert_close

import ntkbook
from ntkbook import _progress

pytestmark = pytest.mark.usefixtures("strict")


@pytest.fixture
def impatient(monkeypatch):
    """Bars at once, moved at every step."""
    monkeypatch.setattr(_progress, "_PATIENCE", 0.0)
    monkeypatch.setattr(_progress, "_BETWEEN_REPORTS", 1.0)
    jax.clear_caches()  # how often a bar is moved is compiled in
    yield
    jax.clear_caches()


def calls():
    net = ntkbook.mlp(width=8, depth=2)
    params, x, y = net.init(jax.random.key(0), 3), jnp.eye(3), jnp.ones(3)
    h = ntkbook.KernelHierarchy(jnp.zeros(3), {2: jnp.eye(3), 3: jnp.zeros((3, 3, 3))})
    times = jnp.linspace(0.0, 2.0, 3)
    descend = {"learning_rate": 0.1, "steps": 4, "every": 4}
    return {
        "gradient flow": lambda **k: ntkbook.gradient_flow(net, params, x, y, times, **k).outputs,
        "truncated flow, level 3": lambda **k: ntkbook.truncated_flow(h, y, times, level=3, **k).outputs,
        "gradient descent": lambda **k: ntkbook.gradient_descent(net, params, x, y, **descend, **k).outputs,
        "K^(4)": lambda **k: ntkbook.empirical_kernel(net, params, x, 4, memory_limit=5e3 * x.dtype.itemsize, **k),
        "sets of 2 points": lambda **k: ntkbook.limit_kernel(ntkbook.mlp(width=1), x, 4, **k),
    }


@pytest.mark.parametrize("name", calls())
def test_work_that_takes_long_shows_how_far_it_is(name, impatient, capsys):
    quiet = calls()[name](progress=False)
    assert capsys.readouterr().err == ""
    loud = calls()[name]()
    shown = capsys.readouterr().err
    shares = [int(share) for share in re.findall(re.escape(name) + r": +(\d+)%", shown)]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] > 0
    assert_close(loud, quiet)


def test_short_work_shows_nothing(capsys, monkeypatch):
    assert _progress._PATIENCE >= 2  # seconds, in which small work is done where nothing else runs
    monkeypatch.setattr(_progress, "_PATIENCE", 60.0)  # and here, whatever else runs
    for call in calls().values():
        call()
    assert capsys.readouterr().err == ""


def test_inside_of_jit_nothing_is_shown(impatient, capsys):
    net = ntkbook.mlp(width=8, depth=1)
    flow = jax.jit(lambda params: ntkbook.gradient_flow(net, params, jnp.eye(3), jnp.ones(3), [1.0]).outputs)
    jax.block_until_ready(flow(net.init(jax.random.key(0), 3)))
    assert capsys.readouterr().err == ""


IN_A_NOTEBOOK = [
    pytest.param(name, marks=() if name in ("gradient descent", "K^(4)") else pytest.mark.slow) for name in calls()
]


@pytest.mark.parametrize("name", IN_A_NOTEBOOK)
def test_in_a_notebook_the_finished_bar_stays(name, impatient, capsys, monkeypatch):
    monkeypatch.setattr(_progress, "_in_notebook", lambda: True)
    calls()[name]()
    shares = re.findall(re.escape(name) + r": +(\d+)%", capsys.readouterr().err)
    assert shares[-1] == "100"


@pytest.mark.slow
def test_a_bar_leaves_no_empty_line_in_a_notebook():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    source = """
from ntkbook import _progress
_progress._PATIENCE = 0.0
with _progress.bar("work", wanted=True):
    _progress.report(0.5)
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = "".join(output["text"] for output in notebook.cells[0].outputs)
    assert re.split("[\r\n]+", shown.strip())[-1].startswith("work: 100%")
