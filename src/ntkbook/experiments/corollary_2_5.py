"""The chapter "Corollary 2.5: linear convergence when m exceeds (n/λ)³": rates, and the width that is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import ntkbook
from ntkbook import _checks
from ntkbook.experiments._base import Differences, Result, difference, experiment, steps

__all__ = ["linear_convergence", "residual_at_start"]

CHAPTER = "corollary-2-5"
MOST_POINTS, INPUT_DIM = 32, 8
LABELS = ("hardest", "signs")
TIMES = tuple(k / 5 for k in range(21))  # in units of n / lambda
SEEDS, SEEDS_WIDE, WIDE = 32, 8, 1024


def _least_eigenvalue(kernel: Array) -> Array:
    return jnp.linalg.eigvalsh(kernel)[..., 0]


def residual_at_start(kernel: Array, *, labels: str) -> Array:
    r"""A residual at time 0 with :math:`\sum_\beta r_\beta^2 = n`, for the two tasks of the chapter on convergence.

    See the chapter "Corollary 2.5: linear convergence when m exceeds (n/λ)³".

    Parameters
    ----------
    kernel
        A limiting kernel, (n, n) with n at most 32.
    labels
        "hardest": :math:`\sqrt n` times the eigenvector of the least eigenvalue, the slowest residual there is; its
        largest entry is positive. "signs": signs drawn once, the first n of 32.

    Returns
    -------
    Array
        Shape (n,).

    Raises
    ------
    ValueError
        If labels is neither of the two.

    Notes
    -----
    The cost is at most that of one eigendecomposition, of order n^3.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from ntkbook.experiments import residual_at_start
    >>> residual_at_start(jnp.diag(jnp.array([2.0, 1.0])), labels="hardest").round(3).tolist()
    [0.0, 1.414]
    """
    labels = _checks.one_of(labels, "labels", LABELS)
    n = len(kernel)
    if labels == "signs":
        return jnp.where(jax.random.bernoulli(jax.random.key(7), 0.5, (MOST_POINTS,)), 1.0, -1.0)[:n]
    v = jnp.linalg.eigh(kernel)[1][:, 0]
    return jnp.sqrt(n) * v * jnp.sign(v[jnp.argmax(jnp.abs(v))])


def linear_convergence(
    *,
    n: int,
    width: int,
    seeds: Sequence[int],
    depth: int = 1,
    activation: str = "tanh",
    labels: str = "hardest",
) -> np.ndarray:
    r"""Training error and least eigenvalue of the kernel along the exact flow, on the scales of Corollary 2.5.

    The first n of 32 fixed points on the unit sphere of :math:`R^8`. With :math:`\lambda` the least eigenvalue of the
    limiting kernel, the times are :math:`s\, n/\lambda` for s = 0, 0.2, ..., 4. The labels are such that the residual
    starts as `residual_at_start` says, whatever the random weights. All in float64, whatever the caller's mode.
    See the chapter "Corollary 2.5: linear convergence when m exceeds (n/λ)³".

    Parameters
    ----------
    n
        Number of points, at most 32.
    width, depth, activation
        The network, as in `ntkbook.mlp`.
    seeds
        Integers, one a network.
    labels
        "hardest" or "signs".

    Returns
    -------
    ndarray
        Shape (seeds, 2, times), float64: :math:`S_t / S_0` with :math:`S = \sum_\beta r_\beta^2`, and
        :math:`\lambda_{\min}(K_t^{(2)}) / \lambda`.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit.

    Notes
    -----
    The cost is that of `gradient_flow` until 4 n / lambda: the smaller lambda, the longer.

    Examples
    --------
    >>> from ntkbook.experiments import linear_convergence
    >>> linear_convergence(n=4, width=8, seeds=[0, 1]).shape
    (2, 2, 21)
    """
    n = _checks.integer(n, "n", at_least=1)
    if n > MOST_POINTS:
        raise ValueError(f"n must be at most {MOST_POINTS}, the points of the data set, got {n}. Take fewer.")
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=width, depth=depth, activation=activation)
        x = ntkbook.data.sphere_points(jax.random.key(0), MOST_POINTS, INPUT_DIM)[:n]
        kernel = ntkbook.limit_kernel(net, x)
        keys = jnp.stack([jax.random.fold_in(jax.random.key(seed), width) for seed in seeds])
        return np.asarray(
            _convergence(net, x, residual_at_start(kernel, labels=labels), _least_eigenvalue(kernel), keys)
        )


@partial(jax.jit, static_argnames="net")
def _convergence(net: ntkbook.MLP, x: Array, residual: Array, least: Array, keys: Array) -> Array:
    n = len(x)

    def along(key: Array) -> Array:
        params = net.init(key, x.shape[1])
        times = jnp.array(TIMES) * n / least
        y = net(params, x) - residual
        flow = ntkbook.gradient_flow(net, params, x, y, times, rtol=1e-6, atol=1e-6, throw=False)
        return jnp.stack([2 * n * flow.loss / (residual @ residual), _least_eigenvalue(flow.kernel) / least])

    return jax.lax.map(along, keys)


# -- the width that is needed ------------------------------------------------------------------------------------------

Wanted = Callable[[ntkbook.MLP, ntkbook.MLPParams, Array, Array, Array], Array]


@partial(jax.jit, static_argnames=("net", "wanted"))
def _along_training(net: ntkbook.MLP, wanted: Wanted, x: Array, residual: Array, least: Array, keys: Array) -> Array:
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


def _lowest(net: ntkbook.MLP, params: ntkbook.MLPParams, x: Array, y: Array, kernel: Array) -> Array:
    """The least eigenvalue of the kernel, least over time."""
    return _least_eigenvalue(kernel).min()


def _bounds(net: ntkbook.MLP, params: ntkbook.MLPParams, x: Array, y: Array, kernel: Array) -> Array:
    """What the proof bounds: the largest entry of dK/dt at t = 0; then, largest over time, of K_t - K_0 the largest
    entry, the Frobenius and the operator norm; last the change of the least eigenvalue, and how far it falls."""
    rate = ntkbook.diagnostics.hierarchy_slope(net, params, x, y, order=2)
    moved = kernel - kernel[0]
    fall = _least_eigenvalue(kernel[0]) - _least_eigenvalue(kernel)
    norms = [
        jnp.abs(moved).max(axis=(1, 2)),
        jnp.sqrt((moved**2).sum(axis=(1, 2))),
        jnp.abs(jnp.linalg.eigvalsh(moved)).max(axis=1),
        jnp.abs(fall),
        fall,
    ]
    return jnp.stack([jnp.abs(rate).max(), *(norm.max() for norm in norms)])


@partial(jax.jit, static_argnames="net")
def _at_start(net: ntkbook.MLP, x: Array, keys: Array) -> Array:
    """The least eigenvalue of K_0, (data sets, seeds)."""

    def one(key: Array) -> Array:
        params = net.init(key, INPUT_DIM)
        return _least_eigenvalue(jnp.stack([ntkbook.empirical_ntk(net, params, points) for points in x]))

    return jax.lax.map(one, keys).T


def _data_sets(count: int, points: int) -> Array:
    """Nested points on the unit sphere, (data sets, n, d)."""
    keys = [jax.random.key(k) for k in range(count)]
    return jnp.stack([ntkbook.data.sphere_points(key, MOST_POINTS, INPUT_DIM)[:points] for key in keys])


def _needed_again(stored: Result) -> Differences:
    """The effective rates of 16 networks of width 4; the start of 32 networks on 16 points of one data set."""
    rates = linear_convergence(n=8, width=4, seeds=range(16))
    x, net = _data_sets(1, 16), ntkbook.mlp(width=24)
    start = _at_start(net, x, jax.random.split(jax.random.key(24), stored["seeds"]))
    return {
        "slowest": difference(stored["slowest"][:16, stored["rate_widths"] == 4][:, 0], _slowest(rates)),
        "start": difference(
            stored["start"][0, stored["points"] == 16, stored["ratios"] == 1.5][0],
            start[0] / _least_eigenvalue(ntkbook.limit_kernel(net, x[0])),
        ),
    }


def _slowest(runs: np.ndarray) -> np.ndarray:
    """The effective rate of each run of `linear_convergence`: the least over time, in units of lambda / n."""
    return (-np.log(runs[..., 0, 1:]) / np.array(TIMES[1:])).min(axis=-1)


@experiment(
    "corollary-2-5",
    chapter=CHAPTER,
    setting="tanh, one hidden layer, nested points on the unit sphere of R^8 from keys 0..5; seeds: key(width) split; "
    "residual of signs; until (n/lambda) ln 100; rates: see ntkbook.experiments.linear_convergence, n = 8",
    minutes=3,
    digits=5,
    again=_needed_again,
    tolerance=1e-4,
)
def _width_needed(
    *,
    points: Sequence[int] = (4, 6, 8, 12, 16, 24),
    data_sets: int = 6,
    ratios: Sequence[float] = (0.75, 1.5, 3.0, 6.0),
    ratios_trained: Sequence[float] = (1.5, 3.0),
    seeds: int = SEEDS,
    wide: int = WIDE,
    rate_widths: Sequence[int] = (2, 4, 8, 16, 32, 64, 128, 256, 512),
    rate_seeds: int = 64,
) -> Result:
    """The width at which the kernel stays positive, and how fast errors fall; ratios are those of the width to n."""
    x = _data_sets(data_sets, max(points))
    limits = [
        jnp.stack([ntkbook.limit_kernel(ntkbook.mlp(width=1, a_std=a_std), of_set) for of_set in x])
        for a_std in (1.0, 2**0.5)
    ]
    least, first_layer, started, trained, bounds = [], [], [], [], []
    for n in steps(points, "points"):
        part, (kernels, larger) = x[:, :n], (limit[:, :n, :n] for limit in limits)
        least.append(_least_eigenvalue(kernels))
        first_layer.append(_least_eigenvalue(larger - kernels))  # K is linear in a_std^2, with the slope G^(1)
        residual = residual_at_start(kernels[0], labels="signs")
        widths = [round(ratio * n) for ratio in ratios]
        draws = {m: jax.random.split(jax.random.key(m), SEEDS)[:seeds] for m in [*widths, wide]}
        train = partial(_along_training, x=part, residual=residual, least=least[-1])
        chosen = [m for m, ratio in zip(widths, ratios, strict=True) if ratio in ratios_trained]
        started.append(np.stack([_at_start(ntkbook.mlp(width=m), part, draws[m]) for m in widths], axis=1))
        trained.append(np.stack([train(ntkbook.mlp(width=m), _lowest, keys=draws[m]) for m in chosen], axis=1))
        norms = train(ntkbook.mlp(width=wide), _bounds, keys=draws[wide][:SEEDS_WIDE])
        bounds.append(np.median(norms, axis=1))
    unit = np.stack(least, axis=1)[:, :, None, None]
    runs = [linear_convergence(n=8, width=m, seeds=range(rate_seeds)) for m in steps(rate_widths, "rates, width")]
    rates = np.stack(runs, axis=1)
    return {
        "points": list(points),
        "ratios": list(ratios),
        "ratios_trained": list(ratios_trained),
        "data_sets": data_sets,
        "seeds": seeds,
        "lambda": np.stack(least, axis=1),
        "lambda_H": np.stack(first_layer, axis=1),
        "start": np.stack(started, axis=1) / unit,
        "trained": np.stack(trained, axis=1) / unit,
        "wide": wide,
        "steps": np.stack(bounds, axis=1),
        "rate_widths": list(rate_widths),
        "slowest": _slowest(rates),
        "rate_start": rates[:, :, 1, 0],
        "rate_low": rates[:, :, 1].min(axis=2),
    }


# -- what "linear convergence" shows -----------------------------------------------------------------------------------


def _shown_again(stored: Result) -> Differences:
    """All networks of one setting, and the least eigenvalue of its limiting kernel."""
    again = linear_convergence(n=4, width=stored["widths"][1], seeds=range(stored["runs"].shape[5]), labels="signs")
    x = ntkbook.data.sphere_points(jax.random.key(0), MOST_POINTS, INPUT_DIM)[:4]
    kept = stored["runs"][0, 0, 1, 0, 1]
    return {
        "runs": difference(kept, again, scale=1.0),  # that of the start: errors fall towards zero
        "least": difference(stored["least"][0, 0, 0], _least_eigenvalue(ntkbook.limit_kernel(ntkbook.mlp(width=1), x))),
    }


@experiment(
    "convergence",
    chapter=CHAPTER,
    setting="see ntkbook.experiments.linear_convergence, seeds 0..4",
    minutes=6,
    again=_shown_again,
    tolerance=1e-5,
)
def _convergence_shown(
    *,
    activations: Sequence[str] = ("tanh", "softplus"),
    depths: Sequence[int] = (1, 2),
    labels: Sequence[str] = LABELS,
    points: Sequence[int] = (4, 8, 16),
    widths: Sequence[int] = (2, 8, 32, 128),
    seeds: int = 5,
) -> Result:
    """Runs of networks in every combination of these settings."""
    x = ntkbook.data.sphere_points(jax.random.key(0), MOST_POINTS, INPUT_DIM)
    runs, least = [], []
    for activation in activations:
        for depth in steps(depths, f"{activation}, depth"):
            limit = partial(ntkbook.limit_kernel, ntkbook.mlp(width=1, depth=depth, activation=activation))
            least += [_least_eigenvalue(limit(x[:n])) for n in points]
            runs += [
                linear_convergence(n=n, width=m, depth=depth, activation=activation, labels=kind, seeds=range(seeds))
                for kind in labels
                for n in points
                for m in widths
            ]
    grid = tuple(map(len, (activations, depths, labels, points, widths)))
    return {
        "activations": list(activations),
        "depths": list(depths),
        "labels": list(labels),
        "points": list(points),
        "widths": list(widths),
        "runs": np.array(runs, np.float32).reshape(*grid, seeds, 2, -1),
        "least": np.array(least).reshape(grid[0], grid[1], grid[3]),
    }
