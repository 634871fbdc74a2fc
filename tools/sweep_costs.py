"""How long the kernels take, against n, m, H and r, in both precisions, and the truncated hierarchy against n.

    PYTHONPATH=. python tools/sweep_costs.py

writes book/results/costs.json, which the page "Costs and accuracy" draws. Times are medians of several calls after one
that compiles; beside each stands the time of its flops at the rate of a 1024 x 1024 matrix product just measured.
"""

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import ntkbook
from benchmarks.measure import flops, product_rate, seconds, setting

OUT = Path(__file__).parents[1] / "book" / "results" / "costs.json"
MOST = 6e10  # flops of one kernel
POINTS = [2, 4, 8, 16, 32, 64]
WIDTHS = [128, 256, 512, 1024, 2048, 4096]
DEPTHS = [1, 2, 3, 4, 6]
ORDERS = [2, 3, 4, 5]
FLOWS = {3: [8, 16, 32, 64, 128], 4: [4, 8, 16, 32], 5: [3, 4, 6, 8, 12]}  # numbers of points by level


def kernel_time(**at: int) -> dict[str, Any]:
    """One kernel's setting with its times."""
    order, n, width, depth = (at[name] for name in ("order", "n", "width", "depth"))
    net, params, x = setting(n=n, width=width, depth=depth)
    cost = flops(order, n=n, width=width, depth=depth, input_dim=16)
    compute = lambda: ntkbook.empirical_kernel(net, params, x, order=order)  # noqa: E731
    start = time.perf_counter()
    jax.block_until_ready(compute())
    first = time.perf_counter() - start
    spent = seconds(compute, runs=15 if cost < 1e9 else 3)
    measured = {"seconds": spent, "of_its_flops": cost / product_rate(), "compiling": max(first - spent, 0.0)}
    return at | {name: float(f"{value:.4g}") for name, value in measured.items()}


def kernels() -> list[dict[str, Any]]:
    over = [{"order": r, "n": n, "width": 1024, "depth": 2} for r in ORDERS for n in POINTS]
    over += [{"order": r, "n": 8, "width": m, "depth": H} for H in (1, 2) for r in ORDERS[:3] for m in WIDTHS]
    over += [{"order": r, "n": 8, "width": 1024, "depth": H} for r in ORDERS[:3] for H in DEPTHS]
    distinct = [dict(at) for at in dict.fromkeys(tuple(at.items()) for at in over)]
    rows = []
    for at in distinct:
        if flops(input_dim=16, **at) < MOST:
            rows.append(kernel_time(**at))
            print(rows[-1], flush=True)
    return rows


def flows() -> list[dict[str, Any]]:
    """Truncated flows to t = 10, and the memory that XLA asks for beside the kernels."""
    rows = []
    for level, n in [(level, n) for level, numbers in FLOWS.items() for n in numbers]:
        net, params, x = setting(n=n, width=1024, depth=1)
        h = ntkbook.kernel_hierarchy(net, params, x, max_order=level)
        y, times = jnp.sin(jnp.arange(n, dtype=x.dtype)), jnp.linspace(0.0, 10.0, 11)
        flow = lambda h, y: ntkbook.truncated_flow(h, y, times, level=level).outputs  # noqa: B023, E731
        used = jax.jit(flow).lower(h, y).compile().memory_analysis().temp_size_in_bytes  # type: ignore[union-attr]
        spent = float(f"{seconds(flow, h, y, runs=3):.4g}")
        rows.append({"level": level, "n": n, "seconds": spent, "bytes": used, "kernel_bytes": h.kernels[level].nbytes})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    start = time.time()
    ntkbook.enable_float64()
    measured: dict[str, Any] = {"float64": kernels(), "flows": flows()}
    with jax.enable_x64(False):
        measured["float32"] = kernels()
    described = {
        "command": "python tools/sweep_costs.py",
        "setting": "points on the sphere of R^16, tanh",
        "versions": {name: version(name) for name in ("jax", "numpy", "diffrax")}
        | {"python": platform.python_version()},
        "cores": len(os.sched_getaffinity(0)),
        "seconds": round(time.time() - start),
    }
    text = json.dumps(described | measured, indent=1)
    OUT.write_text(text.replace("\n   ", " ").replace("\n  }", " }") + "\n")


if __name__ == "__main__":
    main()
