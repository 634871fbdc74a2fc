"""float32 works, as accurately as `enable_float64` documents."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

import ntkbook


def single(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float32), tree)


@pytest.fixture(scope="module")
def problem():
    if jnp.result_type(float) != jnp.float64:
        pytest.skip("compares float32 with float64, which is off")
    net = ntkbook.mlp(width=128, depth=2)
    x = ntkbook.data.sphere_points(jax.random.key(1), 4, 8)
    return net, net.init(jax.random.key(0), 8), x, jnp.array([1.0, -1.0, 1.0, -1.0])


@pytest.mark.parametrize("order", [2, 3, 4, pytest.param(5, marks=pytest.mark.slow)])
def test_kernels_in_float32(problem, order):
    net, params, x, _ = problem
    exact = ntkbook.empirical_kernel(net, params, x, order=order)
    rough = ntkbook.empirical_kernel(net, single(params), single(x), order=order)
    assert rough.dtype == jnp.float32
    error = jnp.abs(exact - rough).max() / jnp.abs(exact).max()
    assert 1e-9 < error < 5e-6  # the lower end would mean that nothing ran in float32


@pytest.mark.slow
def test_flows_in_float32(problem):
    net, params, x, y = problem
    times = jnp.linspace(0.0, 10.0, 6)
    h = ntkbook.kernel_hierarchy(net, params, x, max_order=4)
    for flow, arguments in (
        (ntkbook.gradient_flow, (params, x, y, times)),
        (ntkbook.truncated_flow, (h, y, times)),
        (ntkbook.frozen_kernel_flow, (h, y, times)),
    ):
        first = (net,) if flow is ntkbook.gradient_flow else ()
        exact, rough = flow(*first, *arguments), flow(*first, *single(arguments))
        assert rough.outputs.dtype == jnp.float32
        assert jnp.abs(exact.outputs - rough.outputs).max() < 5e-6
        assert jnp.abs(exact.kernel - rough.kernel).max() < 5e-6
