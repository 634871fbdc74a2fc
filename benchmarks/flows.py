"""Flows: the truncated hierarchy on many points."""

from __future__ import annotations

import jax
import jax.numpy as jnp

import ntkbook
from benchmarks.measure import Row, megabytes, seconds, setting


def truncated_rows() -> list[Row]:
    """The truncated hierarchy on many points: time to t = 10, and memory beside the kernels."""
    rows = []
    for level, n in ((4, 32), (5, 12)):
        net, params, x = setting(n=n, width=1024, depth=2)
        h = ntkbook.kernel_hierarchy(net, params, x, max_order=level)
        y, times = jnp.sin(jnp.arange(n, dtype=x.dtype)), jnp.linspace(0.0, 10.0, 11)
        flow = lambda h, y: ntkbook.truncated_flow(h, y, times, level=level).outputs  # noqa: B023, E731
        name = f"truncated_flow, level {level}, n={n}"
        rows.append(Row(f"{name}: time", 1e3 * seconds(flow, h, y, runs=3), "ms"))
        rows.append(Row(f"{name}: memory beside the kernels", megabytes(jax.jit(flow), h, y), "MB"))
        rows.append(Row(f"{name}: memory of K^({level})", h.kernels[level].nbytes / 1e6, "MB"))
    return rows
