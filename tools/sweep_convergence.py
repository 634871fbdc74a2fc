"""How fast the loss falls, and how wide a network must be for its kernel to stay positive, tanh, one hidden layer.

    python tools/sweep_convergence.py

writes book/results/corollary-2-5.json, the numbers behind the chapter "Corollary 2.5: linear convergence when m
exceeds (n/λ)³", and book/results/convergence.npz, which `ntkbook.widgets.LinearConvergence` reads. The chapter does a
part of it again.
"""

import json
import platform
import time
from collections.abc import Callable
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
POINTS = [4, 6, 8, 12, 16, 24]
DATA_SETS, SEEDS, SEEDS_WIDE, WIDE = 6, 32, 8, 1024
RATIOS = [0.75, 1.5, 3, 6]  # widths over points
RATIOS_TRAINED = [1.5, 3]
RATE_WIDTHS, RATE_SEEDS = [2, 4, 8, 16, 32, 64, 128, 256, 512], 64
SHOWN: dict[str, list] = {
    "activations": ["tanh", "softplus"],
    "depths": [1, 2],
    "labels": ["hardest", "signs"],
    "points": [4, 8, 16],
    "widths": [2, 8, 32, 128],
}
SEEDS_SHOWN = 5


def least_eigenvalue(kernel: Array) -> Array:
    return jnp.linalg.eigvalsh(kernel)[..., 0]


@partial(jax.jit, static_argnames=("net", "wanted"))
def along_training(net: ntkbook.MLP, wanted: Callable, x: Array, residual: Array, least: Array, keys: Array) -> Array:
    """For data sets x, (data sets, n, d), and keys, (seeds,): the wanted numbers of each network."""
    n = x.shape[1]
    fractions = jnp.concatenate([jnp.zeros(1), jnp.geomspace(0.01, 1.0, 12)])  # of the time (n/lambda) ln 100

    def train(x: Array, least: Array, key: Array) -> Array:
        params = net.init(key, INPUT_DIM)
        y = net(params, x) - residual
        times = fractions * jnp.log(100.0) * n / least
        flow = ntkbook.gradient_flow(net, params, x, y, times, rtol=1e-6, atol=1e-6, throw=False)
        return wanted(net, params, x, y, flow.kernel)

    return jax.lax.map(lambda of: jax.lax.map(lambda key: train(of[0], of[1], key), keys), (x, least))


def lowest(net: ntkbook.MLP, params: ntkbook.MLPParams, x: Array, y: Array, kernel: Array) -> Array:
    """The least eigenvalue of the kernel, least over time."""
    return least_eigenvalue(kernel).min()


def steps(net: ntkbook.MLP, params: ntkbook.MLPParams, x: Array, y: Array, kernel: Array) -> Array:
    """What the proof bounds: the largest entry of dK/dt at t = 0; then, largest over time, of K_t - K_0 the largest
    entry, the Frobenius and the operator norm; last the change of the least eigenvalue, and how far it falls."""
    rate = ntkbook.diagnostics.hierarchy_slope(net, params, x, y, order=2)
    moved = kernel - kernel[0]
    fall = least_eigenvalue(kernel[0]) - least_eigenvalue(kernel)
    norms = [
        jnp.abs(moved).max(axis=(1, 2)),
        jnp.sqrt((moved**2).sum(axis=(1, 2))),
        jnp.abs(jnp.linalg.eigvalsh(moved)).max(axis=1),
        jnp.abs(fall),
        fall,
    ]
    return jnp.stack([jnp.abs(rate).max(), *(norm.max() for norm in norms)])


@partial(jax.jit, static_argnames="net")
def at_start(net: ntkbook.MLP, x: Array, keys: Array) -> Array:
    """The least eigenvalue of K_0, (data sets, seeds)."""

    def one(key: Array) -> Array:
        params = net.init(key, INPUT_DIM)
        return least_eigenvalue(jnp.stack([ntkbook.empirical_ntk(net, params, points) for points in x]))

    return jax.lax.map(one, keys).T


def main() -> None:
    ntkbook.enable_float64()
    for_the_chapter()
    for_the_widget()


def for_the_chapter() -> None:
    start = time.time()
    keys = [jax.random.key(k) for k in range(DATA_SETS)]
    x = jnp.stack([ntkbook.data.sphere_points(key, MOST_POINTS, INPUT_DIM)[: POINTS[-1]] for key in keys])
    limits = [
        jnp.stack([ntkbook.limit_kernel(ntkbook.mlp(width=1, a_std=a_std), points) for points in x])
        for a_std in (1.0, 2**0.5)
    ]
    print(f"limits: {time.time() - start:.0f} s so far", flush=True)
    eigenvalue, first_layer = [], []
    started, trained, wide = [], [], []
    for n in POINTS:
        part = x[:, :n]
        kernels = [limit[:, :n, :n] for limit in limits]
        eigenvalue.append(least_eigenvalue(kernels[0]))
        first_layer.append(least_eigenvalue(kernels[1] - kernels[0]))  # K is linear in a_std^2, with the slope G^(1)
        residual = residual_at_start(kernels[0][0], labels="signs")
        at = {round(ratio * n): ratio for ratio in RATIOS}
        draws = {m: jax.random.split(jax.random.key(m), SEEDS) for m in [*at, WIDE]}
        started.append(np.stack([at_start(ntkbook.mlp(width=m), part, draws[m]) for m in at], axis=1))
        train = partial(along_training, x=part, residual=residual, least=eigenvalue[-1])
        chosen = [m for m, ratio in at.items() if ratio in RATIOS_TRAINED]
        trained.append(np.stack([train(ntkbook.mlp(width=m), lowest, keys=draws[m]) for m in chosen], axis=1))
        norms = train(ntkbook.mlp(width=WIDE), steps, keys=draws[WIDE][:SEEDS_WIDE])
        wide.append(np.median(norms, axis=1))
        print(f"n = {n}: {time.time() - start:.0f} s so far", flush=True)
    unit = np.stack(eigenvalue, axis=1)[:, :, None, None]
    rates = np.stack([linear_convergence(n=8, width=m, seeds=range(RATE_SEEDS)) for m in RATE_WIDTHS], axis=1)
    slowest = (-np.log(rates[:, :, 0, 1:]) / np.array(TIMES[1:])).min(axis=2)
    setting = (
        "tanh, one hidden layer, nested points on the unit sphere of R^8 from keys 0..5; seeds: key(width) split; "
        "residual of signs; until (n/lambda) ln 100; rates: see ntkbook.widgets.linear_convergence, n = 8"
    )
    result = about(start, setting) | {
        "points": POINTS,
        "ratios": RATIOS,
        "ratios_trained": RATIOS_TRAINED,
        "data_sets": DATA_SETS,
        "seeds": SEEDS,
        "lambda": rounded(np.stack(eigenvalue, axis=1)),
        "lambda_H": rounded(np.stack(first_layer, axis=1)),
        "start": rounded(np.stack(started, axis=1) / unit),
        "trained": rounded(np.stack(trained, axis=1) / unit),
        "wide": WIDE,
        "steps": rounded(np.stack(wide, axis=1)),
        "rate_widths": RATE_WIDTHS,
        "slowest": rounded(slowest),
        "rate_start": rounded(rates[:, :, 1, 0]),
        "rate_low": rounded(rates[:, :, 1].min(axis=2)),
    }
    (FOLDER / "corollary-2-5.json").write_text(json.dumps(result) + "\n")


def about(start: float, setting: str) -> dict:
    return {
        "command": "python tools/sweep_convergence.py",
        "setting": setting,
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
            eigenvalues.append([float(least_eigenvalue(ntkbook.limit_kernel(net, x[:n]))) for n in SHOWN["points"]])
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
        about=json.dumps(about(start, "see ntkbook.widgets.linear_convergence, seeds 0..4") | SHOWN),
    )


def shown(activation: str, depth: int, labels: str, n: int, width: int) -> np.ndarray:
    return linear_convergence(
        n=n, width=width, depth=depth, activation=activation, labels=labels, seeds=range(SEEDS_SHOWN)
    )


def rounded(values: np.ndarray) -> list:
    return [float(f"{v:.5g}") if np.ndim(v) == 0 else rounded(v) for v in values]


if __name__ == "__main__":
    main()
