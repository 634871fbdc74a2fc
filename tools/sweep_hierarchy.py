"""How large K^(2), ..., K^(5) are at the start, and how far they scatter over seeds, at widths from 8 to 4096.

    python tools/sweep_hierarchy.py

writes book/results/theorem-2-3.json: the sizes behind (2.3) in the chapter "Theorem 2.3: the hierarchy". The chapter
computes the sample of one width again and compares.
"""

import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
from jax import Array

import ntkbook

OUT = Path(__file__).parents[1] / "book" / "results" / "theorem-2-3.json"
WIDTHS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
PLANE_WIDTHS = [128, 256, 512, 1024]
SEEDS = 64
ORDERS = (2, 3, 4, 5)


def main() -> None:
    ntkbook.enable_float64()
    start = time.time()
    sphere = ntkbook.data.sphere_points(jax.random.key(1), n=3, input_dim=5)
    _, plane = ntkbook.data.half_circle(3)
    result = {
        "command": "python tools/sweep_hierarchy.py",
        "setting": "tanh, two hidden layers, three points of sphere_points(key(1), 3, 5), seeds split(key(0), 64); "
        "in the plane: half_circle(3)",
        "versions": {name: version(name) for name in ("jax", "numpy")} | {"python": platform.python_version()},
        "seeds": SEEDS,
        "widths": WIDTHS,
        **sizes(sphere, WIDTHS),
        "plane": {"widths": PLANE_WIDTHS, **sizes(plane, PLANE_WIDTHS)},
    }
    result["seconds"] = round(time.time() - start)
    OUT.write_text(json.dumps(result, indent=1) + "\n")


def sizes(x: Array, widths: list[int]) -> dict:
    """The largest entry of each K^(r) for every seed and width, and the largest standard deviation of an entry."""
    largest = {r: np.zeros((SEEDS, len(widths))) for r in ORDERS}
    scatter = {r: np.zeros(len(widths)) for r in ORDERS}
    for j, width in enumerate(widths):
        net = ntkbook.mlp(width=width, depth=2, activation="tanh")
        keys = jax.random.split(jax.random.key(0), SEEDS)
        samples = [ntkbook.kernel_hierarchy(net, net.init(key, x.shape[1]), x, max_order=5).kernels for key in keys]
        for r in ORDERS:
            K = np.stack([kernels[r] for kernels in samples]).reshape(SEEDS, -1)
            largest[r][:, j] = np.abs(K).max(axis=1)
            scatter[r][j] = K.std(axis=0, ddof=1).max()
        print(f"{x.shape[1]} coordinates, width {width}: done", flush=True)
    return {
        "largest": {str(r): rounded(largest[r]) for r in ORDERS},
        "scatter": {str(r): rounded(scatter[r]) for r in ORDERS},
    }


def rounded(values: np.ndarray) -> list:
    return [float(f"{v:.9g}") if np.ndim(v) == 0 else rounded(v) for v in values]


if __name__ == "__main__":
    main()
