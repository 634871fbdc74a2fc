"""What is measured with: rows of the table, times, flops, memory, and the network that the rows share.

Times are medians. Ratios hold on a busy machine where times do not.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

import ntkbook

BUILD = Path(__file__).resolve().parent.parent / "_build"


@dataclass(frozen=True)
class Row:
    """One figure of the table: what was measured, in which unit, and the budget it is held against, if any."""

    name: str
    value: float
    unit: str
    budget: str = ""


def seconds(f: Callable[..., Any], *args: Any, runs: int = 5) -> float:
    """Median time of a call after one that compiles."""
    jax.block_until_ready(f(*args))
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        jax.block_until_ready(f(*args))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def flops(order: int, *, n: int, width: int, depth: int, input_dim: int) -> float:
    """Flops of K^(order): products with the weights, and inner products."""
    products = 4 * (depth - 1) * width**2 * sum(n**k for k in range(1, order)) + 4 * n * width * input_dim
    return products + 4 * depth * width * n**order * max(1.0, 2.0 ** (order - 3))


def setting(*, n: int, width: int, depth: int) -> tuple[Any, Any, Array]:
    net = ntkbook.mlp(width=width, depth=depth)
    x = ntkbook.data.sphere_points(jax.random.key(1), n, 16)
    return net, net.init(jax.random.key(0), 16), x


def kernel_seconds(order: int, *, n: int, width: int, depth: int, runs: int = 3) -> float:
    net, params, x = setting(n=n, width=width, depth=depth)
    return seconds(lambda: ntkbook.empirical_kernel(net, params, x, order=order), runs=runs)


def product_rate() -> float:
    """Flops a second of a 1024 x 1024 matrix product."""
    A = jax.random.normal(jax.random.key(0), (1024, 1024))
    return 2 * 1024**3 / seconds(jax.jit(jnp.matmul), A, A, runs=9)


def megabytes(compute: Any, *args: Any) -> float:
    return compute.lower(*args).compile().memory_analysis().temp_size_in_bytes / 1e6
