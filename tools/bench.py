"""The benchmarks: every figure is a ratio of two times measured in this run, or a size.

Prints a table and writes it to _build/bench.json. Times are medians. Ratios hold on a busy machine where times do not.
"""

from __future__ import annotations

import gzip
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

import ntkbook

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"


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


def ntk_rows() -> list[Row]:
    """K^(2) by the structured formula against the two usual ways of automatic differentiation."""
    net, params, x = setting(n=32, width=1024, depth=2)

    def gram(gradients: Any) -> Array:
        flat = [leaf.reshape(len(x), -1) for leaf in jax.tree.leaves(gradients)]
        return jax.tree.reduce(jnp.add, [J @ J.T for J in flat])

    routes = {
        "jacrev": jax.jit(lambda p: gram(jax.jacrev(lambda q: net(q, x))(p))),
        "vmap(grad)": jax.jit(lambda p: gram(jax.vmap(jax.grad(net), in_axes=(None, 0))(p, x))),
    }
    ours = seconds(lambda: ntkbook.empirical_ntk(net, params, x))
    return [
        Row(f"K^(2), H=2, m=1024, n=32: time of {name} over ours", seconds(route, params) / ours, "x")
        for name, route in routes.items()
    ]


def floor_rows() -> list[Row]:
    """K^(r) over the time its flops take at the rate of a 1024 x 1024 matrix product."""
    A = jax.random.normal(jax.random.key(0), (1024, 1024))
    rate = 2 * 1024**3 / seconds(jax.jit(jnp.matmul), A, A, runs=15)
    rows = []
    for order, n in ((2, 8), (3, 8), (3, 16), (4, 8), (4, 16)):
        net, params, x = setting(n=n, width=1024, depth=2)
        floor = flops(order, n=n, width=1024, depth=2, input_dim=16) / rate
        spent = seconds(lambda: ntkbook.empirical_kernel(net, params, x, order=order), runs=3)  # noqa: B023
        rows.append(Row(f"K^({order}), H=2, m=1024, n={n}: time over that of its flops", spent / floor, "x"))
    return rows


def import_rows() -> list[Row]:
    """What `import ntkbook` adds to `import jax`, in fresh processes."""

    def run(statement: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - start

    pairs = [(run("import jax, jax.numpy"), run("import jax, jax.numpy, ntkbook")) for _ in range(5)]
    added = statistics.median(both - alone for alone, both in pairs)
    return [Row("import ntkbook, added to importing jax", added, "s", "at most 0.8")]


def page_rows() -> list[Row]:
    """The largest page over the wire, compressed, with all it loads from the site."""
    weights = {}
    for page in sorted((BUILD / "html" / "book").glob("*.html")):
        weights[page.stem] = sum(len(gzip.compress(part.read_bytes())) for part in page_parts(page))
    return [Row(f"page {name}: compressed size", size / 1e6, "MB", "at most 1.5") for name, size in weights.items()]


def page_parts(page: Path) -> set[Path]:
    """The page, and the scripts, styles and pictures of the site that it names."""
    import bs4

    soup = bs4.BeautifulSoup(page.read_text(), "html.parser")
    names = [str(tag.get("src", "")) for tag in soup.find_all(["script", "img"])]
    names += [str(tag.get("href", "")) for tag in soup.find_all("link", rel="stylesheet")]
    paths = {(page.parent / name.split("?")[0]).resolve() for name in names if name and "://" not in name}
    return {page} | {path for path in paths if path.is_file()}


def chapter_rows() -> list[Row]:
    """How long each chapter took to execute in the last build that executed it."""
    table = BUILD / "times.json"
    times = json.loads(table.read_text()) if table.exists() else {}
    return [Row(f"chapter {name}: execution", float(t), "s", "at most 60") for name, t in sorted(times.items())]


def main() -> None:
    ntkbook.enable_float64()
    rows: list[Row] = []
    for part in (ntk_rows, floor_rows, import_rows, page_rows, chapter_rows):
        print(f"measuring: {part.__doc__}", file=sys.stderr)
        rows += part()
    for row in rows:
        print(f"{row.name:62} {row.value:10.3g} {row.unit:3} {row.budget}")
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
