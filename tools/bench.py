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


def kernel_seconds(order: int, *, n: int, width: int, depth: int, runs: int = 3) -> float:
    net, params, x = setting(n=n, width=width, depth=depth)
    return seconds(lambda: ntkbook.empirical_kernel(net, params, x, order=order), runs=runs)


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
    net = ntkbook.resnet(width=512, depth=3)
    params = net.init(jax.random.key(0), 16)
    kernel = lambda route: ntkbook.empirical_kernel(net, params, x, order=3, implementation=route)  # noqa: E731
    ratio = seconds(kernel, "autodiff", runs=3) / seconds(kernel, "structured", runs=9)
    return [*rows, Row("K^(3), resnet, H=3, m=512, n=8: time of autodiff over ours", ratio, "x", "at least 80")]


FLOOR = {(2, 8): 3, (3, 8): 2, (3, 16): 1.4, (4, 8): 1.6, (4, 16): 1.6, (5, 8): 2.3}  # by (r, n)


def floor_rows() -> list[Row]:
    """K^(r) over the time its flops take at the rate of a 1024 x 1024 matrix product, in float64."""
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
            ratios.append(spent * product_rate() / flops(order, n=n, width=1024, depth=depth, input_dim=16))
        name = f"K^({order}), H={depth}, m=1024, n={n}: time over that of its flops"
        rows.append(Row(name, statistics.median(ratios), "x", f"at most {budget:g}"))
    return rows


def product_rate() -> float:
    """Flops a second of a 1024 x 1024 matrix product."""
    A = jax.random.normal(jax.random.key(0), (1024, 1024))
    return 2 * 1024**3 / seconds(jax.jit(jnp.matmul), A, A, runs=9)


def one_layer_rows() -> list[Row]:
    """H = 1, where no product has m^2 flops."""
    return [
        Row(f"K^({r}), H=1, m=1024, n=16", 1e3 * kernel_seconds(r, n=16, width=1024, depth=1, runs=7), "ms")
        for r in (2, 3, 4)
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


def megabytes(compute: Any, *args: Any) -> float:
    return compute.lower(*args).compile().memory_analysis().temp_size_in_bytes / 1e6


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


def import_rows() -> list[Row]:
    """What `import ntkbook` adds to `import jax`, in fresh processes."""

    def run(statement: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - start

    pairs = [(run("import jax, jax.numpy"), run("import jax, jax.numpy, ntkbook")) for _ in range(5)]
    added = statistics.median(both - alone for alone, both in pairs)
    return [Row("import ntkbook, added to importing jax", added, "s", "at most 0.8")]


def browser_rows() -> list[Row]:
    """The site in a browser: weight of each page, answer of each control, frames of the animation."""
    import browser as local_browser
    from playwright.sync_api import sync_playwright

    pages = sorted((BUILD / "html" / "book").glob("*.html"))
    program = local_browser.find()
    if not pages or not program:
        print("left out: no built site (make book), or no browser (make browser)", file=sys.stderr)
        return []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        rows = [row for page in pages for row in page_rows(launched, page)]
        launched.close()
    return rows


def page_rows(launched: Any, path: Path) -> list[Row]:
    page = launched.new_page(reduced_motion="reduce")
    loaded: dict[str, int] = {}
    page.on("response", lambda response: loaded.setdefault(response.url, len(gzip.compress(response.body()))))
    page.goto(path.as_uri(), wait_until="load")
    page.evaluate("window.MathJax?.startup?.promise")
    page.wait_for_timeout(2000)  # fonts of the mathematics, runs of the widgets in the background
    name = path.stem
    rows = [Row(f"page {name}: all it loads, compressed", sum(loaded.values()) / 1e6, "MB", "at most 1.5")]
    for root in page.locator("[data-ntk-widget]").all():
        widget = root.get_attribute("data-ntk-widget")
        answers = [
            answer
            for control in root.locator("input:visible, select:visible").all()
            for answer in control.evaluate(ANSWER)
        ]
        rows.append(Row(f"page {name}, {widget}: slowest answer of a control", max(answers), "ms", "at most 50"))
        if widget == "train-live":
            for depth, width in ((1, 1024), (2, 256)):
                rate = root.evaluate(FRAMES, [depth, width])
                rows.append(Row(f"page {name}, {widget}, H={depth}, m={width}: frames", rate, "/s", "60"))
    page.close()
    return rows


# Milliseconds from moving a control to the first frame after, for every setting of the control.
ANSWER = """
async (node) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  const answers = [];
  const time = async (change) => {
    await new Promise((done) => setTimeout(done, 300));
    await frame();
    const start = performance.now();
    change();
    await frame();
    answers.push(performance.now() - start);
  };
  if (node.type === "checkbox") {
    for (let k = 0; k < 2; k++) await time(() => node.click());
    return answers;
  }
  const event = node.tagName === "SELECT" ? "change" : "input";
  const values = node.tagName === "SELECT"
    ? [...node.options].map((option) => option.value)
    : Array.from({ length: Math.min(12, Number(node.max) + 1) }, (_, k) => String(k));
  for (const value of values) {
    await time(() => {
      node.value = value;
      node.dispatchEvent(new Event(event, { bubbles: true }));
    });
  }
  return answers;
}
"""

# Frames a second over two seconds of a running training.
FRAMES = """
async (root, [depth, width]) => {
  const controls = [...root.querySelectorAll("input, select")];
  const control = (label) => controls.find((node) => node.labels[0]?.textContent.startsWith(label));
  const set = (node, value, event) => {
    node.value = value;
    node.dispatchEvent(new Event(event, { bubbles: true }));
  };
  const layers = control("Hidden layers");
  set(layers, [...layers.options].find((option) => option.text === String(depth)).value, "change");
  const slider = control("Width");
  for (let k = 0; k <= Number(slider.max); k++) {
    set(slider, String(k), "input");
    if (slider.getAttribute("aria-valuetext").includes(String(width))) break;
  }
  const button = (name) => [...root.querySelectorAll("button")].find((node) => node.textContent.trim() === name);
  button("Restart").click();
  await new Promise((done) => setTimeout(done, 500));
  return new Promise((done) => {
    const start = performance.now();
    let frames = 0;
    const count = (now) => {
      frames += 1;
      if (now - start < 2000) requestAnimationFrame(count);
      else done((1000 * frames) / (now - start));
    };
    requestAnimationFrame(count);
  });
}
"""


def chapter_rows() -> list[Row]:
    """How long each chapter took to execute in the last build that executed it, and its kernel's memory."""
    table = BUILD / "times.json"
    if not table.exists():
        return []
    executed = json.loads(table.read_text())
    rows = [Row(f"{name}: execution", t, "s", "at most 60") for name, t in executed["seconds"].items()]
    return [*rows, Row("largest kernel of the last build", executed["gigabytes"], "GB", "at most 1.5")]


PARTS = (
    usual_rows,
    floor_rows,
    float32_rows,
    one_layer_rows,
    memory_rows,
    truncated_rows,
    import_rows,
    browser_rows,
    chapter_rows,
)


def main() -> None:
    ntkbook.enable_float64()
    rows: list[Row] = []
    for part in PARTS:
        print(f"measuring: {part.__doc__}", file=sys.stderr)
        rows += part()
    for row in rows:
        print(f"{row.name:62} {row.value:10.3g} {row.unit:3} {row.budget}")
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
