"""How large K^(2), ..., K^(5) become along training, at widths from 64 to 1024.

    python tools/sweep_training.py

writes book/results/theorem-2-3-training.json: the sizes behind (2.4) in the chapter "Theorem 2.3: the hierarchy". Every
network starts with the same residual. The chapter computes the first seed of one width again and compares.
"""

import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import ntkbook
from ntkbook.diagnostics import max_abs

OUT = Path(__file__).parents[1] / "book" / "results" / "theorem-2-3-training.json"
WIDTHS = [64, 128, 256, 512, 1024]
SEEDS = 64
ORDERS = (2, 3, 4, 5)


def main() -> None:
    ntkbook.enable_float64()
    x = ntkbook.data.sphere_points(jax.random.key(1), n=3, input_dim=5)
    times = jnp.linspace(0.0, 4.0, 5)
    largest = {str(r): np.zeros((SEEDS, len(WIDTHS))) for r in ORDERS}
    moved = np.zeros((SEEDS, len(WIDTHS)))
    start = time.time()
    for j, width in enumerate(WIDTHS):
        net = ntkbook.mlp(width=width, depth=2, activation="tanh")
        for s, key in enumerate(jax.random.split(jax.random.key(0), SEEDS)):
            params = net.init(key, 5)
            y = net(params, x) + jnp.array([1.0, -1.0, 1.0])
            flow = ntkbook.gradient_flow(net, params, x, y, times, keep_params=True, rtol=1e-7, atol=1e-7)
            moved[s, j] = max_abs(flow.kernel - flow.kernel[0])
            for r in ORDERS:
                moments = (jax.tree.map(lambda leaf, k=k: leaf[k], flow.params) for k in range(len(times)))
                largest[str(r)][s, j] = max(max_abs(ntkbook.empirical_kernel(net, p, x, order=r)) for p in moments)
        print(f"width {width}: {time.time() - start:.0f} s so far", flush=True)
    result = {
        "command": "python tools/sweep_training.py",
        "setting": "tanh, two hidden layers, points of theorem-2-3.json, times 0, 1, .., 4, labels f_0 + (1,-1,1)",
        "versions": {name: version(name) for name in ("jax", "diffrax", "numpy")}
        | {"python": platform.python_version()},
        "seconds": round(time.time() - start),
        "widths": WIDTHS,
        "seeds": SEEDS,
        "largest": {r: rounded(values) for r, values in largest.items()},
        "moved": rounded(moved),
    }
    OUT.write_text(json.dumps(result, indent=1) + "\n")


def rounded(values: np.ndarray) -> list:
    return [[float(f"{v:.9g}") for v in row] for row in values]


if __name__ == "__main__":
    main()
