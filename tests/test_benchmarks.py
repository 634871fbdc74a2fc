"""The benchmarks: none is forgotten, and what they measure with measures what it says."""

from __future__ import annotations

import inspect
import json

import jax
import jax.numpy as jnp
import pytest

import ntkbook
from benchmarks import __main__ as run
from benchmarks import flows, imports, kernels, measure, pages, widgets


def test_every_benchmark_is_run() -> None:
    found = {
        function
        for module in (kernels, flows, imports, pages, widgets)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if name.endswith("_rows") and not inspect.signature(function).parameters
    }
    assert found == set(run.PARTS)


@pytest.mark.parametrize("order", [2, 3])
def test_flops_are_those_of_the_compiled_kernel(order: int) -> None:
    at = {"n": 8, "width": 256, "depth": 2}
    net, params, x = measure.setting(**at)
    compute = jax.jit(lambda params: ntkbook.empirical_kernel(net, params, x, order=order))
    compiled = compute.lower(params).compile().cost_analysis()["flops"]
    assert 0.9 < compiled / measure.flops(order, input_dim=16, **at) < 1.2


def test_memory_is_that_of_the_compiled_computation() -> None:
    x = jnp.ones((1000, 100))
    assert measure.megabytes(jax.jit(lambda x: x @ x.T @ x), x) == pytest.approx(1e-6 * 1000**2 * x.itemsize, rel=0.2)


def test_table_is_written(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "times.json").write_text(json.dumps({"seconds": {"book/a": 12.0}, "gigabytes": 1.0}))
    monkeypatch.setattr(pages, "BUILD", tmp_path)
    monkeypatch.setattr(run, "BUILD", tmp_path)
    monkeypatch.setattr(ntkbook, "enable_float64", lambda: None)  # the tests' own precision stays
    monkeypatch.setattr(run, "PARTS", (pages.chapter_rows,))
    run.main()
    (first, _) = json.loads((tmp_path / "bench.json").read_text())
    assert first == {"name": "book/a: execution", "value": 12.0, "unit": "s", "budget": "at most 40"}
    assert "book/a: execution" in capsys.readouterr().out
