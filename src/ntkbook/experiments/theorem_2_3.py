"""The chapter "Theorem 2.3: the hierarchy": sizes of the kernels, their limits, and both sides of (2.1), (2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import ntkbook
from ntkbook.diagnostics import max_abs
from ntkbook.experiments._base import Differences, Result, difference, experiment, steps

__all__ = ["along_training", "sizes_at_start"]

CHAPTER = "theorem-2-3"
INPUT_DIM = 5  # of the three points of this chapter
WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
PLANE_WIDTHS = (128, 256, 512, 1024)
LIMIT_WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)
TRAINED_WIDTHS = (64, 128, 256, 512, 1024)
SEEDS, LIMIT_SEEDS = 64, 200
ORDERS = (2, 3, 4, 5)
ENTRIES: dict[int, tuple[Any, ...]] = {2: (..., 0, 1), 4: (..., 0, 0, 1, 1)}  # drawn as histograms

SHOWN_POINTS, SHOWN_INPUT_DIM = 4, 8
SHOWN_ACTIVATIONS = ("tanh", "erf", "softplus", "relu")
SHOWN_WIDTHS = (32, 64, 128, 256, 512, 1024, 2048)

POINTS = 3
TARGETS = (1.0, -1.0, 0.5)
STEP = 0.3
TIMES = tuple(STEP * k for k in range(41))
STENCIL = 0.02  # the spacing of the central difference that measures d/dt
DIFFERENCES = 3 + 9 + 27  # numbers a time: those of the outputs, of K^(2), of K^(3)
LENGTH = 3 + 9 + 27 + 81 + DIFFERENCES  # the residual and K^(2..4) before them


def _kernels_at_start(net: ntkbook.MLP, x: Array, keys: Array, orders: Sequence[int]) -> dict[int, np.ndarray]:
    """K_0^(k) of the network that each key draws, for each order: the keys on the first axis."""
    draws = (net.init(keys[k], x.shape[1]) for k in range(len(keys)))
    kernels = [ntkbook.kernel_hierarchy(net, params, x, max_order=max(orders)).kernels for params in draws]
    return {k: np.stack([of_draw[k] for of_draw in kernels]) for k in orders}


def _largest(kernels: np.ndarray) -> np.ndarray:
    """The largest entry of each kernel, by size."""
    return abs(kernels).max(axis=tuple(range(1, kernels.ndim)))


def _sphere() -> Array:
    return ntkbook.data.sphere_points(jax.random.key(1), n=3, input_dim=INPUT_DIM)


# -- how large the kernels are at the start, and how far they scatter --------------------------------------------------


def _start(x: Array, width: int, seeds: int) -> dict[int, np.ndarray]:
    keys = jax.random.split(jax.random.key(0), SEEDS)[:seeds]
    return _kernels_at_start(ntkbook.mlp(width=width, depth=2), x, keys, ORDERS)


def _sizes(x: Array, widths: Sequence[int], seeds: int) -> Result:
    """The largest entry of each K^(k), (seeds, widths), and the largest standard deviation of an entry, (widths,)."""
    starts = [_start(x, width, seeds) for width in steps(widths, f"{x.shape[1]} coordinates, width")]
    return {
        "largest": {k: np.stack([_largest(kernels[k]) for kernels in starts], axis=1) for k in ORDERS},
        "scatter": {k: np.stack([kernels[k].std(axis=0, ddof=1).max() for kernels in starts]) for k in ORDERS},
    }


def _sizes_again(stored: Result) -> Differences:
    """All networks of width 128."""
    kernels, at = _start(_sphere(), 128, stored["seeds"]), stored["widths"] == 128
    return {str(k): difference(stored["largest"][str(k)][:, at][:, 0], _largest(kernels[k])) for k in ORDERS}


@experiment(
    "theorem-2-3",
    chapter=CHAPTER,
    setting="tanh, two hidden layers, three points of sphere_points(key(1), 3, 5), seeds split(key(0), 64); "
    "in the plane: half_circle(3)",
    minutes=15,
    digits=9,
    again=_sizes_again,
    tolerance=1e-6,
)
def _sizes_over_widths(
    *, widths: Sequence[int] = WIDTHS, plane_widths: Sequence[int] = PLANE_WIDTHS, seeds: int = SEEDS
) -> Result:
    """How large K^(2), ..., K^(5) are at the start, on a sphere and in the plane."""
    plane = ntkbook.data.half_circle(3)[1]
    return {
        "seeds": seeds,
        "widths": list(widths),
        **_sizes(_sphere(), widths, seeds),
        "plane": {"widths": list(plane_widths), **_sizes(plane, plane_widths, seeds)},
    }


# -- kernels beside their limits ---------------------------------------------------------------------------------------


def _limits() -> dict[int, np.ndarray]:
    return {k: np.asarray(ntkbook.limit_kernel(ntkbook.mlp(width=1, depth=2), _sphere(), k)) for k in ENTRIES}


def _scaled(width: int, seeds: int) -> dict[int, np.ndarray]:
    """m^(k/2-1) K_0^(k) of each network."""
    keys = jax.random.split(jax.random.key(2), LIMIT_SEEDS)[:seeds]
    kernels = _kernels_at_start(ntkbook.mlp(width=width, depth=2), _sphere(), keys, tuple(ENTRIES))
    return {k: width ** (k / 2 - 1) * kernels[k] for k in ENTRIES}


def _limits_again(stored: Result) -> Differences:
    """Eight networks of width 128."""
    kernels, limits, at = _scaled(128, 8), _limits(), stored["widths"] == 128
    kept = {k: stored["distance"][str(k)][:8, at][:, 0] for k in ENTRIES}
    return {str(k): difference(kept[k], _largest(kernels[k] - limits[k])) for k in ENTRIES}


@experiment(
    "theorem-2-3-limits",
    chapter=CHAPTER,
    setting="tanh, two hidden layers, three points of sphere_points(key(1), 3, 5), seeds split(key(2), 200); "
    "kernels times m^(k/2-1)",
    minutes=7,
    digits=9,
    again=_limits_again,
    tolerance=1e-6,
)
def _kernels_beside_limits(*, widths: Sequence[int] = LIMIT_WIDTHS, seeds: int = LIMIT_SEEDS) -> Result:
    """Kernels at the start beside their limits: the distances of (2.3), and single entries to draw."""
    limits, kernels = _limits(), [_scaled(width, seeds) for width in steps(widths, "width")]
    return {
        "seeds": seeds,
        "widths": list(widths),
        "distance": {k: np.stack([_largest(K[k] - limits[k]) for K in kernels], axis=1) for k in ENTRIES},
        "entry": {k: np.stack([K[k][at] for K in kernels], axis=1) for k, at in ENTRIES.items()},
    }


# -- how large the kernels become along training -----------------------------------------------------------------------


@partial(jax.jit, static_argnames="net")
def _largest_in_time(net: ntkbook.MLP, x: Array, keys: Array) -> tuple[dict[int, Array], Array]:
    """The largest entry of each K_t^(k) over t = 0, .., 4, and of K_t^(2) - K_0^(2), for each key."""

    def of_network(key: Array) -> tuple[dict[int, Array], Array]:
        params = net.init(key, x.shape[1])
        y, times = net(params, x) + jnp.array([1.0, -1.0, 1.0]), jnp.linspace(0.0, 4.0, 5)
        flow = ntkbook.gradient_flow(
            net, params, x, y, times, keep_params=True, rtol=1e-7, atol=1e-7, throw=False, progress=False
        )
        sizes = lambda theta: {  # noqa: E731
            k: max_abs(K) for k, K in ntkbook.kernel_hierarchy(net, theta, x, max_order=max(ORDERS)).kernels.items()
        }
        return {k: v.max() for k, v in jax.lax.map(sizes, flow.params).items()}, max_abs(flow.kernel - flow.kernel[0])

    return jax.lax.map(of_network, keys)


def _trained(width: int, seeds: int) -> tuple[dict[int, Array], Array]:
    keys = jax.random.split(jax.random.key(0), SEEDS)[:seeds]
    return _largest_in_time(ntkbook.mlp(width=width, depth=2), _sphere(), keys)


def _training_again(stored: Result) -> Differences:
    """The first network of width 128."""
    (largest, moved), at = _trained(128, 1), stored["widths"] == 128
    sizes = {str(k): difference(stored["largest"][str(k)][0, at], largest[k]) for k in ORDERS}
    return sizes | {"moved": difference(stored["moved"][0, at], moved)}


@experiment(
    "theorem-2-3-training",
    chapter=CHAPTER,
    setting="tanh, two hidden layers, points of theorem-2-3.json, times 0, 1, .., 4, labels f_0 + (1,-1,1)",
    minutes=12,
    digits=9,
    again=_training_again,
    tolerance=1e-5,
)
def _sizes_along_training(*, widths: Sequence[int] = TRAINED_WIDTHS, seeds: int = SEEDS) -> Result:
    """The sizes behind (2.4). Every network starts with the same residual."""
    largest, moved = zip(*(_trained(width, seeds) for width in steps(widths, "width")), strict=True)
    return {
        "widths": list(widths),
        "seeds": seeds,
        "largest": {k: np.stack([of_width[k] for of_width in largest], axis=1) for k in ORDERS},
        "moved": np.stack(moved, axis=1),
    }


# -- several activations and depths: what "orders of magnitude" shows --------------------------------------------------


def sizes_at_start(
    *, activation: str, depth: int, width: int, seeds: Sequence[int], orders: Sequence[int] = (2, 3, 4, 5)
) -> np.ndarray:
    r"""The largest entry :math:`\max |K_0^{(k)}|` for several draws of the weights, (2.3).

    Four fixed points on the unit sphere of :math:`R^8`; the draw depends on the seed and the width.

    Parameters
    ----------
    activation, depth, width
        The network, as in `ntkbook.mlp`.
    seeds
        Integers, one a draw.
    orders
        Which k.

    Returns
    -------
    ndarray
        Shape (orders, seeds), in JAX's default floating dtype.

    Notes
    -----
    The cost is that of `kernel_hierarchy` for each seed.

    Examples
    --------
    >>> from ntkbook.experiments import sizes_at_start
    >>> sizes_at_start(activation="tanh", depth=1, width=16, seeds=[0, 1, 2], orders=(2, 3)).shape
    (2, 3)
    """
    net = ntkbook.mlp(width=width, depth=depth, activation=activation)
    x = ntkbook.data.sphere_points(jax.random.key(0), SHOWN_POINTS, SHOWN_INPUT_DIM)
    keys = jnp.stack([jax.random.fold_in(jax.random.key(seed), width) for seed in seeds])
    kernels = _kernels_at_start(net, x, keys, orders)
    return np.stack([_largest(kernels[k]) for k in orders])


def _orders_again(stored: Result) -> Differences:
    """Orders 2 and 3 of all draws of one network."""
    again = sizes_at_start(activation="softplus", depth=1, width=128, seeds=range(stored["seeds"]), orders=(2, 3))
    return {"softplus 1 128": difference(stored["sizes"]["softplus 1 128"][:2], again)}


@experiment(
    "orders",
    chapter=CHAPTER,
    setting="four fixed points on the unit sphere of R^8, see ntkbook.experiments.sizes_at_start",
    minutes=15,
    digits=6,
    again=_orders_again,
    tolerance=1e-5,
)
def _sizes_of_networks(
    *,
    activations: Sequence[str] = SHOWN_ACTIVATIONS,
    depths: Sequence[int] = (1, 2),
    orders: Sequence[int] = ORDERS,
    widths: Sequence[int] = SHOWN_WIDTHS,
    seeds: int = 16,
) -> Result:
    """How large K^(2), ..., K^(5) are at the start, for several activations and depths."""
    networks = list(product(activations, depths, widths))
    return {
        "activations": list(activations),
        "depths": list(depths),
        "orders": list(orders),
        "widths": list(widths),
        "seeds": seeds,
        "sizes": {
            f"{activation} {depth} {width}": sizes_at_start(
                activation=activation, depth=depth, width=width, seeds=range(seeds), orders=orders
            )
            for activation, depth, width in steps(networks, "network")
        },
    }


# -- both sides of (2.1) and (2.2) along training: what "the hierarchy at work" shows ----------------------------------


def along_training(*, width: int, depth: int = 2, activation: str = "tanh", seed: int = 0) -> np.ndarray:
    r"""Residual, kernels, and how far (2.1) and (2.2) are from a measured derivative, along the exact flow.

    Three fixed points on the unit sphere of :math:`R^5`; times 0, 0.3, ..., 12. The derivative d/dt is measured by
    central differences of fourth order between five states of the flow that are 0.02 apart; at time 0, which has no
    past, the differences are nan. All in float64, whatever the caller's mode.

    Parameters
    ----------
    width, depth, activation
        The network, as in `ntkbook.mlp`.
    seed
        Of the weights.

    Returns
    -------
    ndarray
        Shape (times, 159), float64. In each row: the residual r (3), K^(2) (9), K^(3) (27), K^(4) (81), and for the
        outputs (3), K^(2) (9) and K^(3) (27) the measured derivative minus
        :math:`-\frac1n \sum_\beta K^{(k+1)} r_\beta`.

    Notes
    -----
    The cost is that of `gradient_flow` until 12 and of 200 kernels of order 3.

    Examples
    --------
    >>> from ntkbook import experiments
    >>> experiments.load("at-work")["runs"].shape  # stored runs of four widths
    (4, 41, 159)
    """
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=width, depth=depth, activation=activation)
        x = ntkbook.data.sphere_points(jax.random.key(3), POINTS, INPUT_DIM)
        y = jnp.array(TARGETS)
        params = net.init(jax.random.fold_in(jax.random.key(seed), width), INPUT_DIM)
        flow = partial(ntkbook.gradient_flow, net, x=x, y=y, keep_params=True, rtol=1e-12, atol=1e-12)
        lead = flow(params, times=jnp.array([0.0, STEP - 2 * STENCIL])).params
        stops = jnp.array([0.0, *(STENCIL * k for k in (1, 2, 3, 4)), STEP])
        at_zero = _row(net, x, y, jax.tree.map(lambda leaf: jnp.stack([leaf[0]] * 5), lead))
        rows = [at_zero.at[-DIFFERENCES:].set(jnp.nan)]
        params = jax.tree.map(lambda leaf: leaf[-1], lead)
        for _ in TIMES[1:]:
            states = flow(params, times=stops).params
            rows.append(_row(net, x, y, jax.tree.map(lambda leaf: leaf[:-1], states)))
            params = jax.tree.map(lambda leaf: leaf[-1], states)
        return np.asarray(jnp.stack(rows))


@partial(jax.jit, static_argnames="net")
def _row(net: ntkbook.MLP, x: Array, y: Array, states: ntkbook.MLPParams) -> Array:
    """One row of `along_training`, from the five states of the stencil."""

    def evaluate(params: ntkbook.MLPParams) -> list[Array]:
        h = ntkbook.kernel_hierarchy(net, params, x, max_order=3)
        return [h.outputs, h.kernels[2], h.kernels[3]]

    def derivative(values: Array) -> Array:
        weights = jnp.array([1.0, -8.0, 0.0, 8.0, -1.0]) / (12 * STENCIL)
        return jnp.tensordot(weights, values, axes=1)

    stencil = jax.lax.map(evaluate, states)
    middle = jax.tree.map(lambda leaf: leaf[2], states)
    kernels = [stencil[1][2], stencil[2][2], ntkbook.empirical_kernel(net, middle, x, order=4)]
    residual = stencil[0][2] - y
    differences = [derivative(v) + K @ residual / len(y) for v, K in zip(stencil, kernels, strict=True)]
    return jnp.concatenate([part.ravel() for part in (residual, *kernels, *differences)])


def _at_work_again(stored: Result) -> Differences:
    """The residual and the kernels of order 2 and 3 of the narrowest network."""
    again = along_training(width=stored["widths"][0], depth=stored["depth"], activation=stored["activation"])
    kept = stored["runs"][0, :, : 3 + 9 + 27]
    return {"runs": difference(kept, again[:, : 3 + 9 + 27], scale=np.abs(kept).max(axis=0))}  # residuals cross zero


@experiment(
    "at-work",
    chapter=CHAPTER,
    setting="three fixed points on the unit sphere of R^5, see ntkbook.experiments.along_training",
    minutes=6,
    again=_at_work_again,
    tolerance=1e-6,
)
def _runs_at_work(
    *, widths: Sequence[int] = (16, 64, 256, 1024), depth: int = 2, activation: str = "tanh"
) -> dict[str, Any]:
    """Both sides of (2.1) and (2.2) along training, at several widths."""
    runs = [along_training(width=width, depth=depth, activation=activation) for width in steps(widths, "width")]
    return {"widths": list(widths), "depth": depth, "activation": activation, "runs": np.array(runs, np.float32)}
