"""The chapter "Corollary 2.4: the kernel moves at rate 1/m": how far and how fast, and the limit of the mean."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import ntkbook
from ntkbook.diagnostics import max_abs
from ntkbook.experiments._base import Differences, Result, difference, experiment, steps

__all__ = ["kernel_motion", "limiting_motion"]

CHAPTER = "corollary-2-4"
POINTS, INPUT_DIM = 3, 5
ENTRIES = POINTS * (POINTS + 1) // 2  # of a symmetric matrix, row by row from the diagonal on
TIMES = tuple(0.5 * k for k in range(17))
LARGE = 1e5  # a width at which the truncated hierarchy shows its limit
WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


def _points() -> Array:
    return ntkbook.data.sphere_points(jax.random.key(1), POINTS, INPUT_DIM)


def kernel_motion(*, width: int, seeds: Sequence[int]) -> np.ndarray:
    r"""How far and how fast the kernel has moved, times the width, for networks and their mirror twins.

    One hidden layer, tanh, three fixed points on the unit sphere of :math:`R^5`, times 0, 0.5, ..., 8. The labels are
    :math:`f_0 + 1`, so that every residual starts at -1. The twin of a network has the readout -a in place of a.
    See the chapter "Corollary 2.4: the kernel moves at rate 1/m". All in float64, whatever the caller's mode.

    Parameters
    ----------
    width
        The width m.
    seeds
        Integers, one a network.

    Returns
    -------
    ndarray
        Shape (seeds, 2, 2, times, 6), float64: for the network and its twin, :math:`m (K_t^{(2)} - K_0^{(2)})` and
        :math:`m\, \frac{d}{dt} K_t^{(2)}`; the six entries are those on and above the diagonal, row by row.

    Notes
    -----
    The cost is that of two calls of `gradient_flow` until 8 for each seed.

    Examples
    --------
    >>> from ntkbook.experiments import kernel_motion
    >>> kernel_motion(width=16, seeds=[0, 1]).shape
    (2, 2, 2, 17, 6)
    """
    with jax.enable_x64(True):
        keys = jnp.stack([jax.random.key(seed) for seed in seeds])
        return np.asarray(_motion(ntkbook.mlp(width=width), _points(), keys))


@partial(jax.jit, static_argnames="net")
def _motion(net: ntkbook.MLP, x: Array, keys: Array) -> Array:
    def along(params: ntkbook.MLPParams) -> Array:
        y = net(params, x) + 1.0
        flow = ntkbook.gradient_flow(
            net, params, x, y, jnp.array(TIMES), keep_params=True, rtol=1e-9, atol=1e-9, throw=False
        )
        slope = partial(ntkbook.diagnostics.hierarchy_slope, net, x=x, y=y, order=2)
        rates = jax.lax.map(slope, flow.params)
        return net.width * jnp.stack([flow.kernel - flow.kernel[0], rates])[..., *jnp.triu_indices(POINTS)]

    def twins(key: Array) -> Array:
        params = net.init(key, x.shape[1])
        both = jax.tree.map(lambda a, b: jnp.stack([a, b]), params, params._replace(readout=-params.readout))
        return jax.lax.map(along, both)

    return jax.lax.map(twins, keys)


def limiting_motion() -> np.ndarray:
    r"""The limit of the mean of `kernel_motion` as the width grows: no network is drawn.

    The hierarchy truncated at level 4, (2.7), runs on the limits of Theorem 2.3, :math:`K^{(2)}`, 0 and
    :math:`K^{(4)} / m`, with :math:`m = 10^5`. See the chapter "Corollary 2.4: the kernel moves at rate 1/m".

    Returns
    -------
    ndarray
        Shape (times, 6), float64.

    Notes
    -----
    The cost is that of `limit_kernel` of order 4 at three points.

    Examples
    --------
    >>> from ntkbook.experiments import limiting_motion
    >>> limiting_motion().shape
    (17, 6)
    """
    with jax.enable_x64(True):
        net, x = ntkbook.mlp(width=1), _points()
        kernels = {2: ntkbook.limit_kernel(net, x, 2), 3: jnp.zeros((POINTS,) * 3)}
        kernels[4] = ntkbook.limit_kernel(net, x, 4) / LARGE
        h = ntkbook.KernelHierarchy(outputs=-jnp.ones(POINTS), kernels=kernels)
        flow = ntkbook.truncated_flow(h, jnp.zeros(POINTS), jnp.array(TIMES), level=4, rtol=1e-12, atol=1e-12)
        motion = LARGE * (flow.kernel - flow.kernel[0])
        return np.asarray(motion[:, *np.triu_indices(POINTS)])


@partial(jax.jit, static_argnames="net")
def _moved_with_kinks(net: ntkbook.MLP, x: Array, keys: Array) -> Array:
    """max |K_t - K_0| at t = 2 by gradient descent, for every key."""

    def of_network(key: Array) -> Array:
        params = net.init(key, INPUT_DIM)
        y = net(params, x) + 1.0
        path = ntkbook.gradient_descent(net, params, x, y, learning_rate=0.01, steps=200, every=200, progress=False)
        return max_abs(path.kernel[-1] - path.kernel[0])

    return jax.lax.map(of_network, keys)


def _motion_again(stored: Result) -> Differences:
    """How far and how fast the kernels of eight networks of width 128 move."""
    sizes = np.abs(kernel_motion(width=128, seeds=range(8))[:, 0]).max(axis=(2, 3)) / 128
    kept = {name: stored[name][:8, stored["widths"] == 128][:, 0] for name in ("moved", "speed")}
    return {name: difference(kept[name], sizes[:, k]) for k, name in enumerate(kept)}


@experiment(
    "corollary-2-4",
    chapter=CHAPTER,
    setting="tanh, one hidden layer, seeds 0..63, see ntkbook.experiments.kernel_motion; relu: the first point or "
    "all three, the same labels, gradient descent to t = 2",
    minutes=3,
    digits=9,
    again=_motion_again,
    tolerance=1e-6,
)
def _motion_over_widths(*, widths: Sequence[int] = WIDTHS, seeds: int = 64) -> Result:
    """How far and how fast the kernel moves, the mean over pairs of twins and the scatter; and how far with a kink."""
    runs = [kernel_motion(width=width, seeds=range(seeds)) for width in steps(widths, "width")]
    scaled = np.stack(runs, axis=1)  # (seeds, widths, twins, moved or rate, times, entries)
    unscaled = np.abs(scaled[:, :, 0]) / np.array(widths)[:, None, None, None]
    even = scaled[:, :, :, 0].mean(axis=2)
    odd = scaled[:, :, 0, 0] - even
    keys = jnp.stack([jax.random.key(seed) for seed in range(seeds)])
    kinked = {
        n: np.stack(
            [_moved_with_kinks(ntkbook.mlp(width=m, activation="relu"), _points()[:n], keys) for m in widths], 1
        )
        for n in steps((1, POINTS), "relu, points")
    }
    return {
        "widths": list(widths),
        "seeds": seeds,
        "moved": unscaled[:, :, 0].max(axis=(2, 3)),
        "speed": unscaled[:, :, 1].max(axis=(2, 3)),
        "speed_in_time": unscaled[:, :, 1].max(axis=3).mean(axis=0),
        "mean": scaled[:, :, 0, 0].mean(axis=0),
        "mean_of_twins": even.mean(axis=0),
        "scatter": {"same": even.std(axis=0, ddof=1)[:, -1], "odd": odd.std(axis=0, ddof=1)[:, -1]},
        "moved_relu": kinked,
    }


def _shown_again(stored: Result) -> Differences:
    """The motion of two networks of the narrowest width and of their twins; the limit."""
    again = {"runs": kernel_motion(width=stored["widths"][0], seeds=range(2))[:, :, 0], "limit": limiting_motion()}
    kept = {"runs": stored["runs"][0, :2], "limit": stored["limit"]}
    return {key: difference(kept[key], again[key], scale=np.abs(kept[key]).max()) for key in again}  # zero at first


@experiment(
    "kernel-in-motion",
    chapter=CHAPTER,
    setting="tanh, one hidden layer, seeds 0..31, see ntkbook.experiments.kernel_motion and limiting_motion",
    minutes=1,
    again=_shown_again,
    tolerance=1e-5,
)
def _motion_shown(*, widths: Sequence[int] = (16, 64, 512, 4096), seeds: int = 32) -> Result:
    """What "the kernel in motion" shows."""
    runs = [kernel_motion(width=width, seeds=range(seeds))[:, :, 0] for width in steps(widths, "width")]
    return {"widths": list(widths), "runs": np.array(runs, np.float32), "limit": limiting_motion()}
