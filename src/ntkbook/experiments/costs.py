"""The page "Costs and accuracy": how long the kernels take, against n, m, H and k, and the truncated hierarchy."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

import ntkbook
from ntkbook.experiments._base import Result, experiment, steps

__all__: list[str] = []

INPUT_DIM = 16
FLOWS = {3: (8, 16, 32, 64, 128), 4: (4, 8, 16, 32), 5: (3, 4, 6, 8, 12)}  # numbers of points by level


def seconds(f: Callable[..., Any], *args: Any, runs: int = 5) -> float:
    """Median time of a call after one that compiles."""
    jax.block_until_ready(f(*args))
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        jax.block_until_ready(f(*args))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def flops(order: int, *, n: int, width: int, depth: int, input_dim: int = INPUT_DIM) -> float:
    """Flops of K^(order): products with the weights, and inner products."""
    products = 4 * (depth - 1) * width**2 * sum(n**k for k in range(1, order)) + 4 * n * width * input_dim
    return products + 4 * depth * width * n**order * max(1.0, 2.0 ** (order - 3))


def product_rate() -> float:
    """Flops a second of a 1024 x 1024 matrix product."""
    A = jax.random.normal(jax.random.key(0), (1024, 1024))
    return 2 * 1024**3 / seconds(jax.jit(jnp.matmul), A, A, runs=9)


def setting(*, n: int, width: int, depth: int) -> tuple[ntkbook.MLP, ntkbook.MLPParams, Array]:
    """A network, its parameters, and n points on the sphere of R^16."""
    net = ntkbook.mlp(width=width, depth=depth)
    x = ntkbook.data.sphere_points(jax.random.key(1), n, INPUT_DIM)
    return net, net.init(jax.random.key(0), INPUT_DIM), x


def _kernel_time(at: dict[str, int]) -> Result:
    """One kernel's setting with its times."""
    order, cost = at["order"], flops(**at)
    net, params, x = setting(n=at["n"], width=at["width"], depth=at["depth"])
    compute = lambda: ntkbook.empirical_kernel(net, params, x, order=order)  # noqa: E731
    start = time.perf_counter()
    jax.block_until_ready(compute())
    first = time.perf_counter() - start
    spent = seconds(compute, runs=15 if cost < 1e9 else 3)
    return at | {"seconds": spent, "of_its_flops": cost / product_rate(), "compiling": max(first - spent, 0.0)}


def _kernel_times(
    orders: Sequence[int], points: Sequence[int], widths: Sequence[int], depths: Sequence[int], most: float
) -> list[Result]:
    """Against n, m and H, about n = 8, m = 1024, H = 2, the second for H = 1 too; none of more than `most` flops."""
    over = [{"order": k, "n": n, "width": 1024, "depth": 2} for k in orders for n in points]
    over += [{"order": k, "n": 8, "width": m, "depth": H} for H in (1, 2) for k in orders[:3] for m in widths]
    over += [{"order": k, "n": 8, "width": 1024, "depth": H} for k in orders[:3] for H in depths]
    distinct = [dict(at) for at in dict.fromkeys(tuple(at.items()) for at in over)]
    return [_kernel_time(at) for at in steps([at for at in distinct if flops(**at) < most], "kernel")]


def _flow_time(level: int, n: int) -> Result:
    """A truncated flow to t = 10, and the memory that XLA asks for beside the kernels."""
    net, params, x = setting(n=n, width=1024, depth=1)
    h = ntkbook.kernel_hierarchy(net, params, x, max_order=level)
    y, times = jnp.sin(jnp.arange(n, dtype=x.dtype)), jnp.linspace(0.0, 10.0, 11)
    flow = lambda h, y: ntkbook.truncated_flow(h, y, times, level=level).outputs  # noqa: E731
    used = jax.jit(flow).lower(h, y).compile().memory_analysis()
    return {
        "level": level,
        "n": n,
        "seconds": seconds(flow, h, y, runs=3),
        "bytes": used.temp_size_in_bytes,  # type: ignore[union-attr]
        "kernel_bytes": h.kernels[level].nbytes,
    }


@experiment(
    "costs",
    chapter="costs",
    setting="points on the sphere of R^16, tanh",
    minutes=3,
    digits=4,
)
def _costs(
    *,
    orders: Sequence[int] = (2, 3, 4, 5),
    points: Sequence[int] = (2, 4, 8, 16, 32, 64),
    widths: Sequence[int] = (128, 256, 512, 1024, 2048, 4096),
    depths: Sequence[int] = (1, 2, 3, 4, 6),
    most: float = 6e10,
    flows: Mapping[int, Sequence[int]] = FLOWS,
) -> Result:
    """Times of kernels in both precisions, as medians of several calls after one that compiles, and of truncated flows.

    Beside each time of a kernel stands that of its flops at the rate of a 1024 x 1024 matrix product just measured.
    """
    cases = [(level, n) for level, numbers in flows.items() for n in numbers]
    in_float64 = _kernel_times(orders, points, widths, depths, most)
    truncated = [_flow_time(level, n) for level, n in steps(cases, "flow")]
    with jax.enable_x64(False):
        in_float32 = _kernel_times(orders, points, widths, depths, most)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "float64": in_float64,
        "flows": truncated,
        "float32": in_float32,
    }
