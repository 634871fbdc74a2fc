"""Kernels: against automatic differentiation, against their flops, and in memory."""

from __future__ import annotations

import statistics
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

import ntkbook
from benchmarks.measure import Row, flops, kernel_seconds, megabytes, product_rate, seconds, setting


def gram(net: Any, params: Any, x: Array) -> Array:
    """K^(2) by vmap(grad)."""
    gradients = jax.vmap(jax.grad(net), in_axes=(None, 0))(params, x)
    flat = [leaf.reshape(len(x), -1) for leaf in jax.tree.leaves(gradients)]
    return jax.tree.reduce(jnp.add, [J @ J.T for J in flat])


def usual_rows() -> list[Row]:
    """K^(2) and K^(3) against the usual ways of automatic differentiation."""
    net, params, x = setting(n=32, width=1024, depth=2)

    def by_jacrev(params: Any) -> Array:
        flat = [leaf.reshape(len(x), -1) for leaf in jax.tree.leaves(jax.jacrev(lambda q: net(q, x))(params))]
        return jax.tree.reduce(jnp.add, [J @ J.T for J in flat])

    routes = {"jacrev": jax.jit(by_jacrev), "vmap(grad)": jax.jit(lambda p: gram(net, p, x))}
    ours = kernel_seconds(2, n=32, width=1024, depth=2, runs=15)
    rows = [
        Row(f"K^(2), H=2, m=1024, n=32: time of {name} over ours", seconds(route, params) / ours, "x", "at least 40")
        for name, route in routes.items()
    ]
    net, params, x = setting(n=8, width=1024, depth=2)

    def slope(params: Any, point: Array) -> Array:
        return jax.jvp(lambda p: gram(net, p, x), (params,), (jax.grad(net)(params, point),))[1]

    third = jax.jit(lambda p: jax.lax.map(lambda point: slope(p, point), x))
    ratio = seconds(third, params, runs=3) / kernel_seconds(3, n=8, width=1024, depth=2, runs=7)
    rows.append(Row("K^(3), H=2, m=1024, n=8: time of jvp(Gram) over ours", ratio, "x", "at least 100"))
    skipping = ntkbook.resnet(width=512, depth=3)
    params = skipping.init(jax.random.key(0), 16)
    kernel = lambda route: ntkbook.empirical_kernel(skipping, params, x, order=3, implementation=route)  # noqa: E731
    ratio = seconds(kernel, "autodiff", runs=3) / seconds(kernel, "structured", runs=9)
    return [*rows, Row("K^(3), resnet, H=3, m=512, n=8: time of autodiff over ours", ratio, "x", "at least 80")]


FLOOR = {(2, 8): 3, (3, 8): 2, (3, 16): 1.4, (4, 8): 1.6, (4, 16): 1.6, (5, 8): 2.3}  # by (r, n)


def floor_rows() -> list[Row]:
    """K^(k) over the time its flops take at the rate of a 1024 x 1024 matrix product, in float64."""
    return [row for depth in (2, 3) for row in floor_rows_of(depth, FLOOR)]


def float32_rows() -> list[Row]:
    """The same in float32, whose products run at about twice the rate."""
    with jax.enable_x64(False):
        return [Row(f"float32, {row.name}", row.value, row.unit) for row in floor_rows_of(2, FLOOR)]


def floor_rows_of(depth: int, budgets: dict[tuple[int, int], float]) -> list[Row]:
    rows = []
    for (order, n), budget in budgets.items():
        ratios = []
        for _ in range(3):  # the machine's speed drifts: each time against the rate measured beside it
            spent = kernel_seconds(order, n=n, width=1024, depth=depth, runs=7 if order < 4 else 1)
            ratios.append(spent * product_rate() / flops(order, n=n, width=1024, depth=depth))
        name = f"K^({order}), H={depth}, m=1024, n={n}: time over that of its flops"
        rows.append(Row(name, statistics.median(ratios), "x", f"at most {budget:g}"))
    return rows


def one_layer_rows() -> list[Row]:
    """H = 1, where no product has m^2 flops."""
    return [
        Row(f"K^({k}), H=1, m=1024, n=16", 1e3 * kernel_seconds(k, n=16, width=1024, depth=1, runs=7), "ms")
        for k in (2, 3, 4)
    ]


def memory_rows() -> list[Row]:
    """Working memory, the result apart, as the compiled computation reports it."""
    net, params, x = setting(n=32, width=1024, depth=2)
    rows = []
    for limit in (None, 100e6):
        compute = jax.jit(lambda p, x: ntkbook.empirical_kernel(net, p, x, order=4, memory_limit=limit))  # noqa: B023
        asked = "no limit" if limit is None else f"limit of {limit / 1e6:.0f} MB"
        used = megabytes(compute, params, x)
        rows.append(
            Row(f"K^(4), H=2, m=1024, n=32, {asked}: memory", used, "MB", "" if limit is None else "at most 100")
        )
    return rows
