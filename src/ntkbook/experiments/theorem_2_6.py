"""The chapter "Theorem 2.6: the truncated hierarchy": truncated against exact, in m, in n, on digits, to long times."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import ntkbook
from ntkbook import _checks
from ntkbook.diagnostics import max_abs
from ntkbook.experiments._base import Differences, Result, difference, experiment, steps

__all__ = ["truncation_run"]

CHAPTER = "theorem-2-6"
LEVELS = (2, 3, 4, 5)
SWEEP_TIMES = np.linspace(0.0, 4.0, 9)
LONG = np.concatenate([[0.0], np.geomspace(0.5, 1024.0, 67)])
UPPER = np.triu_indices(3)
TIGHT: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}

DATA_SETS = {"sphere": 3, "half circle": 6, "digits": 8}  # and their numbers of points
TIMES = tuple(0.5 * k for k in range(13))  # of `truncation_run`


def _sphere() -> Array:
    return ntkbook.data.sphere_points(jax.random.key(1), n=3, input_dim=5)


def _compare(
    net: ntkbook.MLP, seed: int, x: Array, shift: Any, times: Any, levels: Sequence[int], **options: Any
) -> tuple[np.ndarray, np.ndarray, ntkbook.Trajectory, list[ntkbook.Trajectory]]:
    """Truncated minus exact, of the outputs (levels, times, n) and of the kernel; and the flows. Labels f_0 + shift."""
    params = net.init(jax.random.key(seed), x.shape[1])
    y = net(params, x) + shift
    options = {"throw": False, "progress": False, **TIGHT, **options}
    exact = ntkbook.gradient_flow(net, params, x, y, times, **options)
    h = ntkbook.kernel_hierarchy(net, params, x, max_order=max(levels))
    flows = [ntkbook.truncated_flow(h, y, times, level=p, **options) for p in levels]
    f = np.stack([flow.outputs - exact.outputs for flow in flows])
    K = np.stack([flow.kernel - exact.kernel for flow in flows])
    return f, K, exact, flows


def _by_level(values: np.ndarray, levels: Sequence[int] = LEVELS) -> dict[str, np.ndarray]:
    return dict(zip(map(str, levels), values, strict=True))


def _in_the_width(widths: Sequence[int], seeds: int) -> Result:
    """The largest errors over [0, 4], and for the odd levels m^(p-1)/2 (K - K~) at every time: mean and scatter."""
    x = _sphere()
    largest = np.zeros((2, len(LEVELS), seeds, len(widths)))
    scaled = np.zeros((2, seeds, len(widths), len(SWEEP_TIMES), 6))
    for w, width in enumerate(steps(widths, "width")):
        for seed in range(seeds):
            f, K, _, _ = _compare(ntkbook.mlp(width=width), seed, x, 1.0, SWEEP_TIMES, LEVELS)
            largest[:, :, seed, w] = np.abs(f).max(axis=(1, 2)), np.abs(K).max(axis=(1, 2, 3))
            scaled[0, seed, w] = -width * K[1][:, *UPPER]
            scaled[1, seed, w] = -(width**2) * K[3][:, *UPPER]
    odd = dict(zip((3, 5), scaled, strict=True))
    return {
        "outputs": _by_level(largest[0]),
        "kernel": _by_level(largest[1]),
        "odd_mean": {p: values.mean(axis=0) for p, values in odd.items()},
        "odd_scatter": {p: values[:, :, -1].std(axis=0, ddof=1) for p, values in odd.items()},
    }


@partial(jax.jit, static_argnames=("net", "orders"))
def _kernel_sizes(net: ntkbook.MLP, params: ntkbook.MLPParams, x: Array, orders: tuple[int, ...]) -> Array:
    kernels = ntkbook.kernel_hierarchy(net, params, x, max_order=max(orders)).kernels
    return jnp.stack([max_abs(kernels[k]) for k in orders])


def _largest_kernels(widths: Sequence[int], seeds: int, orders: tuple[int, ...]) -> Result:
    """max |K_t^(k)| over t = 0, 1, .., 4 and all entries, for each order k: (seeds, widths)."""
    x = _sphere()
    largest = np.zeros((len(orders), seeds, len(widths)))
    for w, width in enumerate(steps(widths, "kernels along training, width")):
        net = ntkbook.mlp(width=width)
        for seed in range(seeds):
            params = net.init(jax.random.key(seed), 5)
            flow = ntkbook.gradient_flow(
                net, params, x, net(params, x) + 1.0, jnp.arange(5.0), keep_params=True, progress=False
            )
            states = [jax.tree.map(lambda leaf, k=k: leaf[k], flow.params) for k in range(5)]
            largest[:, seed, w] = np.max([_kernel_sizes(net, state, x, orders) for state in states], axis=0)
    return _by_level(largest, orders)


def _deep(widths: Sequence[int], seeds: int) -> Result:
    """Two hidden layers: the largest error of the outputs over [0, 4], (seeds, widths) for each level."""
    x = _sphere()
    largest = np.zeros((len(LEVELS), seeds, len(widths)))
    for w, width in enumerate(steps(widths, "two hidden layers, width")):
        for seed in range(seeds):
            f, _, _, _ = _compare(ntkbook.mlp(width=width, depth=2), seed, x, 1.0, SWEEP_TIMES, LEVELS)
            largest[:, seed, w] = np.abs(f).max(axis=(1, 2))
    return _by_level(largest)


def _digits(widths: Sequence[int], seeds: int, levels: Sequence[int]) -> Result:
    """Twelve digits with labels f_0 + 1, f_0 - 1: the largest error of the outputs at each of nine times up to 16."""
    x, y = ntkbook.data.digits(12, key=jax.random.key(0))
    times = np.linspace(0.0, 16.0, 9)
    errors = np.zeros((len(levels), seeds, len(widths), len(times)))
    for w, width in enumerate(steps(widths, "digits, width")):
        for seed in range(seeds):
            f, _, _, _ = _compare(ntkbook.mlp(width=width), seed, x, y, times, levels)
            errors[:, seed, w] = np.abs(f).max(axis=2)
    return {"widths": list(widths), "times": times, "errors": _by_level(errors, levels)}


def _window(widths: Sequence[int], seeds: int) -> Result:
    """Two nearly dependent points: when an output is off by a tenth, or an entry of the kernel by a
    tenth of the largest at the start; and when a level ends."""
    x = _sphere()
    near = x.at[1].set(x[0] + 0.05 * (x[1] - x[0]))
    near = near / jnp.linalg.norm(near, axis=1, keepdims=True)
    shift = jnp.array([1.0, -1.0, 1.0])
    leaves = np.zeros((len(LEVELS), seeds, len(widths)))
    ends = np.zeros_like(leaves)
    for w, width in enumerate(steps(widths, "window, width")):
        for seed in range(seeds):
            net, loose = ntkbook.mlp(width=width), {"rtol": 1e-9, "atol": 1e-9}
            f, K, exact, flows = _compare(net, seed, near, shift, LONG, LEVELS, **loose)
            kernel = np.abs(K).max(axis=(2, 3)) / np.abs(exact.kernel[0]).max()
            off = np.maximum(np.abs(f).max(axis=2), kernel)
            gone = ~(off < 0.1)  # NaN counts
            leaves[:, seed, w] = [LONG[row.argmax()] if row.any() else 0.0 for row in gone]
            ends[:, seed, w] = [0.0 if flow.result.ok else float(flow.result.time) for flow in flows]
    return {
        "widths": list(widths),
        "times": LONG,
        "about": "0: not until the last time",
        "leaves": _by_level(leaves),
        "ends": _by_level(ends),
    }


def _in_n(points: Sequence[int], width: int, seeds: int) -> Result:
    """The Euclidean norm of f - f~ at t = 2 for n points of a sphere of R^16: (seeds, n)."""
    levels = (2, 3, 4)
    norms = np.zeros((len(levels), seeds, len(points)))
    everything = ntkbook.data.sphere_points(jax.random.key(2), n=16, input_dim=16)
    for k, n in enumerate(steps(points, "points")):
        for seed in range(seeds):
            times = np.array([1.0, 2.0])
            f, _, _, _ = _compare(ntkbook.mlp(width=width), seed, everything[:n], 1.0, times, levels)
            norms[:, seed, k] = np.sqrt((f[:, -1] ** 2).sum(axis=-1))
    return {"points": list(points), "errors": _by_level(norms, levels)}


def _errors_again(stored: Result) -> Differences:
    """The largest errors of four networks of width 64."""
    x, net, at = _sphere(), ntkbook.mlp(width=64), stored["widths"] == 64
    differences: Differences = {}
    for seed in range(4):
        f, K, _, _ = _compare(net, seed, x, 1.0, SWEEP_TIMES, LEVELS)
        again = np.stack([np.abs(f).max(axis=(1, 2)), np.abs(K).max(axis=(1, 2, 3))])
        kept = [[stored[name][str(p)][seed, at][0] for p in LEVELS] for name in ("outputs", "kernel")]
        differences[str(seed)] = difference(kept, again)
    return differences


@experiment(
    "theorem-2-6",
    chapter=CHAPTER,
    setting="tanh, one hidden layer unless deep (two), three points of a sphere, labels f_0 + 1, levels 2..5, "
    "integrated to 1e-12; see the functions of ntkbook.experiments.theorem_2_6 for the others",
    minutes=24,
    digits=6,
    again=_errors_again,
    tolerance=5e-3,
)
def _errors(
    *,
    widths: Sequence[int] = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
    far: Sequence[int] = (8192, 16384, 32768, 65536),
    far_with_kernels: int = 3,  # of the far widths
    deep: Sequence[int] = (32, 64, 128, 256, 512),
    digits: Sequence[int] = (1024, 2048, 4096, 8192, 16384),
    digits_wider: Sequence[int] = (32768, 65536),
    window: Sequence[int] = (8, 16, 32, 64, 128, 256, 512, 1024),
    points: Sequence[int] = (2, 4, 8, 16),
    points_width: int = 512,
    seeds: int = 64,
    far_seeds: int = 32,
    few: int = 16,
) -> Result:
    """Errors of the truncated hierarchy against the width and the number of points, in several settings."""
    return {
        "widths": list(widths),
        "seeds": seeds,
        "times": SWEEP_TIMES,
        **_in_the_width(widths, seeds),
        "far": {
            "widths": list(far),
            "seeds": far_seeds,
            **_in_the_width(far, far_seeds),
            "kernels": _largest_kernels(far[:far_with_kernels], few, (3, 4)),
        },
        "kernels": _largest_kernels(widths, few, (3, 4, 5, 6)),
        "deep": {"widths": list(deep), "errors": _deep(deep, few)},
        "digits": _digits(digits, few, LEVELS),
        "digits wider": _digits(digits_wider, few, LEVELS[:-1]),
        "window": _window(window, few),
        "in_n": _in_n(points, points_width, few),
    }


# -- what the truncation explorer shows --------------------------------------------------------------------------------


def truncation_run(*, data: str, width: int, seed: int, levels: Sequence[int] = LEVELS) -> np.ndarray:
    r"""One network trained exactly, and how far each level of the truncated hierarchy (2.7) is from it.

    One hidden layer, tanh, times 0, 0.5, ..., 6, integrated to 1e-12. See the chapter "Theorem 2.6: the truncated
    hierarchy". All in float64, whatever the caller's mode.

    Parameters
    ----------
    data
        "sphere": three points of :math:`R^5` with the labels :math:`f_0 + 1`; "half circle": six points with the
        labels :math:`\sin 2\varphi`; "digits": four threes (label 1) and four eights (label -1).
    width
        The width m.
    seed
        Draws the network.
    levels
        p, each at least 2.

    Returns
    -------
    ndarray
        Shape (1 + levels, times, n + n (n+1) / 2), float64. First the exact outputs and the exact entries of
        :math:`K_t^{(2)}` on and above the diagonal, row by row; then, for each level, truncated minus exact. Past the
        time at which a level blows up its rows are NaN.

    Raises
    ------
    ValueError
        If there is no such data set.

    Notes
    -----
    The cost is that of `gradient_flow`, of `kernel_hierarchy` up to the highest level, and of `truncated_flow` for
    each level.

    Examples
    --------
    >>> from ntkbook import experiments
    >>> experiments.load("truncation")["runs sphere"].shape  # stored runs of seven widths
    (7, 5, 13, 9)
    """
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=width)
        x, labels = _points(data)
        params = net.init(jax.random.key(seed), x.shape[1])
        y = net(params, x) + 1.0 if labels is None else labels
        times = jnp.array(TIMES)
        tight = TIGHT | {"progress": False}
        exact = _numbers(ntkbook.gradient_flow(net, params, x, y, times, **tight))
        h = ntkbook.kernel_hierarchy(net, params, x, max_order=max(levels))
        flows = [ntkbook.truncated_flow(h, y, times, level=p, throw=False, **tight) for p in levels]
        return np.stack([exact, *(_numbers(flow) - exact for flow in flows)])


def _points(data: str) -> tuple[Array, Array | None]:
    data = _checks.one_of(data, "data", tuple(DATA_SETS))
    if data == "sphere":
        return _sphere(), None
    if data == "half circle":
        angles, x = ntkbook.data.half_circle(DATA_SETS[data])
        return x, jnp.sin(2 * angles)
    return ntkbook.data.digits(DATA_SETS[data], key=jax.random.key(0))


def _numbers(flow: ntkbook.Trajectory) -> np.ndarray:
    upper = flow.kernel[:, *jnp.triu_indices(flow.kernel.shape[1])]
    return np.asarray(jnp.concatenate([flow.outputs, upper], axis=1))


def _largest_errors(run: np.ndarray, points: int) -> np.ndarray:
    """From a run of `truncation_run`: the largest error over points and over entries, (levels, times, 2)."""
    errors = np.abs(run[1:])
    return np.stack([errors[..., :points].max(axis=-1), errors[..., points:].max(axis=-1)], axis=-1)


def _runs_again(stored: Result) -> Differences:
    """The exact flow of the first network of width 16 on each data set; on the sphere its errors at the last time."""
    differences: Differences = {}
    for name in DATA_SETS:
        again = truncation_run(data=name, width=stored["widths"][0], seed=0, levels=LEVELS if name == "sphere" else [2])
        kept = stored[f"runs {name}"][0]
        differences[name] = difference(kept[0], again[0], scale=np.abs(kept[0]).max())  # outputs cross zero
        if name == "sphere":
            errors = _largest_errors(again, DATA_SETS[name])
            differences["errors"] = difference(stored["errors sphere"][0, 0, :, -1], errors[:, -1])
    return differences


@experiment(
    "truncation",
    chapter=CHAPTER,
    setting="see ntkbook.experiments.truncation_run: the runs of seed 0, the largest errors of seeds 0..7",
    minutes=3,
    again=_runs_again,
    tolerance=1e-4,
)
def _runs(
    *,
    data: Sequence[str] = tuple(DATA_SETS),
    widths: Sequence[int] = (16, 32, 64, 128, 256, 512, 1024),
    seeds: int = 8,
) -> Result:
    """Runs of one network at every width, and the largest errors of several, (seeds, widths, levels, times, 2)."""
    arrays: Result = {}
    for name in data:
        runs = [[truncation_run(data=name, width=m, seed=s) for s in range(seeds)] for m in steps(widths, f"{name}, m")]
        errors = [[_largest_errors(run, DATA_SETS[name]) for run in of_width] for of_width in runs]
        arrays[f"runs {name}"] = np.stack([of_width[0] for of_width in runs]).astype(np.float32)
        arrays[f"errors {name}"] = np.swapaxes(errors, 0, 1).astype(np.float32)
    return {"widths": list(widths)} | arrays
