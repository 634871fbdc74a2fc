"""Kernels at the start beside their limits, over 200 networks at each of seven widths.

    python tools/sweep_limits.py

writes book/results/theorem-2-3-limits.json: the distances of (2.3) and the single entries whose distribution the
chapter "Theorem 2.3: the hierarchy" draws. The chapter computes a sample of one width again and compares.
"""

import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from sweep_hierarchy import rounded

import ntkbook

OUT = Path(__file__).parents[1] / "book" / "results" / "theorem-2-3-limits.json"
WIDTHS = [64, 128, 256, 512, 1024, 2048, 4096]
SEEDS = 200
ENTRIES = {2: (0, 1), 4: (0, 0, 1, 1)}  # drawn as histograms


def main() -> None:
    ntkbook.enable_float64()
    start = time.time()
    x = ntkbook.data.sphere_points(jax.random.key(1), n=3, input_dim=5)
    keys = jax.random.split(jax.random.key(2), SEEDS)
    limits = {r: ntkbook.limit_kernel(ntkbook.mlp(width=1, depth=2), x, r) for r in ENTRIES}
    distance: dict[int, Any] = {r: np.zeros((SEEDS, len(WIDTHS))) for r in ENTRIES}
    entry: dict[int, Any] = {r: np.zeros((SEEDS, len(WIDTHS))) for r in ENTRIES}
    for j, width in enumerate(WIDTHS):
        net = ntkbook.mlp(width=width, depth=2)
        for k, key in enumerate(keys):
            params = net.init(key, 5)
            for r, at in ENTRIES.items():
                K = width ** (r / 2 - 1) * ntkbook.empirical_kernel(net, params, x, order=r)
                distance[r][k, j], entry[r][k, j] = np.abs(K - limits[r]).max(), K[at]
        print(f"width {width}: {time.time() - start:.0f} s", flush=True)
    result = {
        "command": "python tools/sweep_limits.py",
        "setting": "tanh, two hidden layers, three points of sphere_points(key(1), 3, 5), seeds split(key(2), 200); "
        "kernels times m^(r/2-1)",
        "versions": {name: version(name) for name in ("jax", "numpy")} | {"python": platform.python_version()},
        "seeds": SEEDS,
        "widths": WIDTHS,
        "distance": {str(r): rounded(values) for r, values in distance.items()},
        "entry": {str(r): rounded(values) for r, values in entry.items()},
        "seconds": round(time.time() - start),
    }
    OUT.write_text(json.dumps(result).replace("], [", "],\n  [") + "\n")


if __name__ == "__main__":
    main()
