"""How large K^(2), ..., K^(5) are at the start, for several activations and depths: what the widget on (2.3) shows.

    python tools/sweep_orders.py

writes book/results/orders.json, which `ntkbook.widgets.OrdersOfMagnitude` reads; it takes up what an interrupted run
has left. Most of the time goes into compiling, so it asks XLA for the cheap passes only.
"""

import json
import os
import platform
import time
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true"

import ntkbook  # noqa: E402 - XLA reads its flags when it is loaded
from ntkbook.widgets import sizes_at_start  # noqa: E402

OUT = Path(__file__).parents[1] / "book" / "results" / "orders.json"
ACTIVATIONS = ["tanh", "erf", "softplus", "relu"]
DEPTHS = [1, 2]
ORDERS = [2, 3, 4, 5]
WIDTHS = [32, 64, 128, 256, 512, 1024, 2048]
SEEDS = 16


def main() -> None:
    ntkbook.enable_float64()
    result: dict[str, Any] = json.loads(OUT.read_text()) if OUT.exists() else {"seconds": 0, "sizes": {}}
    for activation, depth, width in product(ACTIVATIONS, DEPTHS, WIDTHS):
        name = f"{activation} {depth} {width}"
        if name in result["sizes"]:
            continue
        start = time.time()
        sizes = sizes_at_start(activation=activation, depth=depth, width=width, orders=ORDERS, seeds=range(SEEDS))
        result["sizes"][name] = [[float(f"{v:.6g}") for v in row] for row in sizes]
        result["seconds"] += round(time.time() - start)
        print(f"{name}: {result['seconds']} s so far", flush=True)
        OUT.write_text(json.dumps(described(result), indent=1).replace("\n    ", " ").replace("\n   ]", " ]") + "\n")


def described(result: dict[str, Any]) -> dict[str, Any]:
    return {
        "command": "python tools/sweep_orders.py",
        "setting": "four fixed points on the unit sphere of R^8, see ntkbook.widgets.sizes_at_start",
        "versions": {name: version(name) for name in ("jax", "numpy")} | {"python": platform.python_version()},
        "seconds": result["seconds"],
        "activations": ACTIVATIONS,
        "depths": DEPTHS,
        "orders": ORDERS,
        "widths": WIDTHS,
        "seeds": SEEDS,
        "sizes": result["sizes"],
    }


if __name__ == "__main__":
    main()
