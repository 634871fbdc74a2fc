"""How fast the loss falls, and how wide a network must be for its kernel to stay positive, tanh, one hidden layer.

    python tools/sweep_convergence.py

writes book/results/corollary-2-5.json, the numbers behind the chapter "Corollary 2.5: linear convergence when m
exceeds n^3", and book/results/convergence.npz, which `ntkbook.widgets.LinearConvergence` reads. The chapter computes a
part again.
"""

import json
import platform
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import ntkbook
from ntkbook.widgets import linear_convergence, residual_at_start
from ntkbook.widgets.convergence import INPUT_DIM, MOST_POINTS, TIMES

FOLDER = Path(__file__).parents[1] / "book" / "results"
POINTS = [4, 6, 8, 12, 16, 24, 32]
DATA_SETS, SEEDS, SEEDS_WIDE, WIDE = 6, 32, 8, 1024
RATIOS = [0.5, 1, 2, 4, 8]  # widths over points
RATE_WIDTHS, RATE_SEEDS = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024], 64
SHOWN = {
    "activations": ["tanh", "erf", "softplus"],
    "depths": [1, 2],
    "labels": ["hardest", "signs"],
    "points": [4, 8, 16],
    "widths": [2, 8, 32, 128],
}
SEEDS_SHOWN = 5


def least(kernel: Array) -> Array:
    return jnp.linalg.eigvalsh(kernel)[..., 0]


@partial(jax.jit, static_argnames="net")
def along_training(net: ntkbook.MLP, x: Array, residual: Array, eigenvalue: Array, keys: Array) -> Array:
    """For data sets x, (data sets, n, d), and keys, (seeds,): seven numbers a network, (data sets, seeds, 7).

    The least eigenvalue of K_0; the least over t; then the largest over t of |its change|, of the operator norm, the
    Frobenius norm and the largest entry of K_t - K_0; last the largest entry of dK/dt at t = 0.
    """
    n = x.shape[1]
    fractions = jnp.concatenate([jnp.zeros(1), jnp.geomspace(0.01, 1.0, 12)])  # of the time (n/lambda) ln 100

    def train(x: Array, eigenvalue: Array, key: Array) -> Array:
        params = net.init(key, INPUT_DIM)
        y = net(params, x) - residual
        times = fractions * jnp.log(100.0) * n / eigenvalue
        flow = ntkbook.gradient_flow(net, params, x, y, times, rtol=1e-6, atol=1e-6, throw=False)
        moved = flow.kernel - flow.kernel[0]
        low = least(flow.kernel)
        rate = ntkbook.diagnostics.hierarchy_slope(net, params, x, y, order=2)
        norms = [
            jnp.abs(low - low[0]),
            jnp.abs(jnp.linalg.eigvalsh(moved)).max(axis=1),
            jnp.sqrt((moved**2).sum(axis=(1, 2))),
            jnp.abs(moved).max(axis=(1, 2)),
        ]
        return jnp.stack([low[0], low.min(), *(norm.max() for norm in norms), jnp.abs(rate).max()])

    return jax.lax.map(lambda d: jax.lax.map(lambda key: train(*d, key), keys), (x, eigenvalue))


def main() -> None:
    ntkbook.enable_float64()
    for_the_chapter()
    for_the_widget()


def for_the_chapter() -> None:
    start = time.time()
    draws = [ntkbook.data.sphere_points(jax.random.key(k), MOST_POINTS, INPUT_DIM) for k in range(DATA_SETS)]
    x = jnp.stack(draws)
    eigenvalue, first_layer = [], []
    trained, wide = [], []
    for n in POINTS:
        part = x[:, :n]
        kernels = [
            jnp.stack([ntkbook.limit_kernel(ntkbook.mlp(width=1, a_std=a_std), points) for points in part])
            for a_std in (1.0, 2**0.5)
        ]
        eigenvalue.append(least(kernels[0]))
        first_layer.append(least(kernels[1] - kernels[0]))  # K is linear in a_std^2, with the slope G^(1)
        residual = residual_at_start(kernels[0][0], labels="signs")
        widths = [round(ratio * n) for ratio in RATIOS]
        at = {m: jax.random.split(jax.random.key(m), SEEDS) for m in [*widths, WIDE]}
        runs = [along_training(ntkbook.mlp(width=m), part, residual, eigenvalue[-1], at[m]) for m in widths]
        trained.append(np.stack([np.asarray(run)[:, :, :2] for run in runs], axis=1))
        norms = along_training(ntkbook.mlp(width=WIDE), part, residual, eigenvalue[-1], at[WIDE][:SEEDS_WIDE])
        wide.append(np.median(norms, axis=1))
        print(f"n = {n}: {time.time() - start:.0f} s so far", flush=True)
    low = np.stack(trained, axis=1) / np.stack(eigenvalue, axis=1)[:, :, None, None, None]
    rates = np.stack([linear_convergence(n=8, width=m, seeds=range(RATE_SEEDS)) for m in RATE_WIDTHS], axis=1)
    slowest = (-np.log(rates[:, :, 0, 1:]) / np.array(TIMES[1:])).min(axis=2)
    result = about(start) | {
        "points": POINTS,
        "ratios": RATIOS,
        "data_sets": DATA_SETS,
        "seeds": SEEDS,
        "lambda": rounded(np.stack(eigenvalue, axis=1)),
        "lambda_H": rounded(np.stack(first_layer, axis=1)),
        "start": rounded(low[..., 0]),
        "trained": rounded(low[..., 1]),
        "wide": WIDE,
        "norms": rounded(np.stack(wide, axis=1)),
        "rate_widths": RATE_WIDTHS,
        "slowest": rounded(slowest),
        "rate_start": rounded(rates[:, :, 1, 0]),
        "rate_low": rounded(rates[:, :, 1].min(axis=2)),
    }
    (FOLDER / "corollary-2-5.json").write_text(json.dumps(result) + "\n")


def about(start: float) -> dict:
    return {
        "command": "python tools/sweep_convergence.py",
        "setting": "tanh, one hidden layer, nested points on the unit sphere of R^8 from keys 0..5; seeds: key(width) "
        "split; residual of signs; until (n/lambda) ln 100; rates: see ntkbook.widgets.linear_convergence, n = 8",
        "versions": {name: version(name) for name in ("jax", "numpy", "diffrax")}
        | {"python": platform.python_version()},
        "seconds": round(time.time() - start),
    }


def for_the_widget() -> None:
    start = time.time()
    eigenvalues, runs = [], []
    x = ntkbook.data.sphere_points(jax.random.key(0), MOST_POINTS, INPUT_DIM)
    for activation in SHOWN["activations"]:
        for depth in SHOWN["depths"]:
            net = ntkbook.mlp(width=1, depth=depth, activation=activation)
            eigenvalues.append([float(least(ntkbook.limit_kernel(net, x[:n]))) for n in SHOWN["points"]])
            runs.append(
                [
                    [[shown(activation, depth, labels, n, m) for m in SHOWN["widths"]] for n in SHOWN["points"]]
                    for labels in SHOWN["labels"]
                ]
            )
            print(f"{activation}, depth {depth}: {time.time() - start:.0f} s", flush=True)
    grid = [len(axis) for axis in SHOWN.values()]
    np.savez_compressed(
        FOLDER / "convergence.npz",
        runs=np.array(runs, np.float32).reshape(*grid, SEEDS_SHOWN, 2, -1),
        least=np.array(eigenvalues).reshape(grid[0], grid[1], grid[3]),
        about=json.dumps(about(start) | SHOWN),
    )


def shown(activation: str, depth: int, labels: str, n: int, width: int) -> np.ndarray:
    return linear_convergence(
        n=n, width=width, depth=depth, activation=activation, labels=labels, seeds=range(SEEDS_SHOWN)
    )


def rounded(values: np.ndarray) -> list:
    return [float(f"{v:.5g}") if np.ndim(v) == 0 else rounded(v) for v in values]


if __name__ == "__main__":
    main()
