"""The chapter "Predicting new points": what networks learn there, exactly and as the hierarchy says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import ntkbook
from ntkbook.experiments._base import Differences, Result, difference, experiment, steps

__all__ = ["learned", "regression"]

CHAPTER = "predicting"
W_STD = 2.0  # of the first layer: the functions of the circle that it makes easy are less flat than with 1
POINTS = 6
GRID = 37  # angles from 0 to pi; the training angles are among them
TIMES = (0.0, 4.0, 16.0, 32.0)
TRAINED, NEW = 12, 24  # digits
LARGE = 1e5  # a width at which the truncated hierarchy shows its limit


@partial(jax.jit, static_argnames=("net", "levels", "tolerance"))
def learned(
    net: ntkbook.MLP,
    params: ntkbook.MLPParams,
    x: Array,
    targets: Array,
    times: Array,
    x_test: Array,
    *,
    levels: tuple[int, ...] = (2, 3, 4),
    tolerance: float = 1e-11,
) -> Array:
    r"""What a network learns, :math:`f_t - f_0` at test points: exactly, and as the hierarchy predicts it, (2.11).

    The labels are :math:`f_0 + z` with the targets z. See the chapter "Predicting new points".

    Parameters
    ----------
    net, params
        A network of `mlp` and its parameters at time 0.
    x, targets
        Training points (n, d) and z, (n,).
    times
        Increasing, (T,).
    x_test
        Test points, (n', d).
    levels
        The levels at which the hierarchy is cut.
    tolerance
        rtol and atol of all integrations.

    Returns
    -------
    Array
        Shape (1 + levels, T, n'): the exact network first. Times that a level does not reach hold NaN.

    Notes
    -----
    The cost is that of `gradient_flow`, of `kernel_hierarchy` up to the highest level, and of `truncated_flow` for
    each level.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> from ntkbook.experiments import learned
    >>> net = ntkbook.mlp(width=16)
    >>> params = net.init(jax.random.key(0), 3)
    >>> learned(net, params, jnp.eye(3), jnp.ones(3), jnp.linspace(0.0, 1.0, 5), jnp.ones((1, 3)), levels=(2,)).shape
    (2, 5, 1)
    """
    y = net(params, x) + targets
    options: dict[str, Any] = {"rtol": tolerance, "atol": tolerance, "throw": False}
    h = ntkbook.kernel_hierarchy(net, params, x, max(levels), x_test=x_test)
    cut = lambda level: ntkbook.truncated_flow(h, y, times, level, **options)  # noqa: E731
    flows = [ntkbook.gradient_flow(net, params, x, y, times, x_test, **options)]
    flows += [cut(level) if level > 2 else ntkbook.frozen_kernel_flow(h, y, times) for level in levels]
    return jnp.stack([jnp.asarray(flow.test_outputs) for flow in flows]) - jnp.asarray(h.test_outputs)


@jax.jit
def regression() -> tuple[Array, Array, Array, Array, Array]:
    """The regression of the chapter "Predicting new points": six training points on the half circle, 37 test points.

    Returns
    -------
    tuple of Arrays
        Training angles (6,), training points (6, 2) and targets (6,); test angles (37,) from 0 to pi, the training
        angles among them, and test points (37, 2).

    Examples
    --------
    >>> from ntkbook.experiments import regression
    >>> [array.shape for array in regression()]
    [(6,), (6, 2), (6,), (37,), (37, 2)]
    """
    angles, x = ntkbook.data.half_circle(POINTS)
    grid = jnp.linspace(0.0, jnp.pi, GRID)
    return angles, x, jnp.sin(2 * angles) + 0.5 * jnp.cos(angles), grid, jnp.stack([jnp.cos(grid), jnp.sin(grid)], 1)


def regression_in_the_limit() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the regression, in float64: training angles and targets, test angles, and the limiting kernel of these points,
    (37, 6)."""
    with jax.enable_x64(True):
        angles, x, targets, grid, x_test = regression()
        kernel = ntkbook.limit_kernel(ntkbook.mlp(width=1, w_std=W_STD), x, 2, x_test)
    return np.asarray(angles), np.asarray(targets), np.asarray(grid), np.asarray(kernel)


def _limiting(net: ntkbook.MLP, x: Array, z: Array, x_test: Array, fourth: dict[str, Array], level: int) -> Array:
    """What the hierarchy of the limits learns, (times, points); a fourth order divided by LARGE where there is one."""
    n, k = len(x), len(x_test)
    kernels, test_kernels = {2: ntkbook.limit_kernel(net, x)}, {2: ntkbook.limit_kernel(net, x, 2, x_test)}
    if fourth:
        kernels |= {3: jnp.zeros((n,) * 3), 4: fourth["x"] / LARGE}
        test_kernels |= {3: jnp.zeros((k, n, n)), 4: fourth["x_test"] / LARGE}
    h = ntkbook.KernelHierarchy(jnp.zeros(n), kernels, jnp.zeros(k), test_kernels)
    flow = ntkbook.truncated_flow(h, z, jnp.array(TIMES), level, rtol=1e-12, atol=1e-12)
    return jnp.asarray(flow.test_outputs)


def _twins(net: ntkbook.MLP, input_dim: int, seed: Array) -> ntkbook.MLPParams:
    params = net.init(jax.random.key(seed), input_dim)
    return jax.tree.map(lambda a, b: jnp.stack([a, b]), params, params._replace(readout=-params.readout))


@partial(jax.jit, static_argnames="net")
def _regressions(net: ntkbook.MLP, limit: Array, seeds: Array) -> tuple[Array, ...]:
    """For each seed the errors, the bends, the part of the bend that twins share and that which they do not."""
    _, x, z, _, x_test = regression()

    def of_seed(seed: Array) -> tuple[Array, ...]:
        run = partial(learned, net, x=x, times=jnp.array(TIMES), x_test=x_test)
        tasks = lambda p: jax.lax.map(lambda c: run(p, targets=c * z), jnp.array([1.0, 2.0]))  # noqa: E731
        pairs = jax.lax.map(tasks, _twins(net, 2, seed))
        once, twice = pairs[0]
        errors = jnp.concatenate([(limit - once[0])[None], once[1:] - once[0]])
        bend = twice - 2 * once
        bends = jnp.concatenate([bend[:1], bend[2:] - bend[0]])
        common = (pairs[:, 1] - 2 * pairs[:, 0]).mean(axis=0)[0]
        return jnp.abs(errors).max(axis=2), jnp.abs(bends).max(axis=2), common, bend[0] - common

    return jax.lax.map(of_seed, seeds)


def _of_regression(width: int, seeds: int) -> dict[str, Array]:
    """At one width: errors of the limit and of levels 2 to 4, and g(2z) - 2 g(z), by seeds and times."""
    net = ntkbook.mlp(width=width, w_std=W_STD)
    _, x, z, _, x_test = regression()
    errors, bends, common, private = _regressions(net, _limiting(net, x, z, x_test, {}, 2), jnp.arange(seeds))
    return {
        "errors": errors,  # (seeds, limit and levels 2 to 4, times)
        "bends": bends,  # (seeds, exact and the errors of levels 3 and 4, times)
        "common_bend": width * common.mean(axis=0)[2],  # m times the mean over pairs of twins, at t = 16, (37,)
        "common_error": width * common.std(axis=0, ddof=1)[2] / np.sqrt(seeds),
        "private_bend": width * private.std(axis=0, ddof=1)[2],
    }


def _of_limits() -> dict[str, Array]:
    """The limit of m times the mean of g(2z) - 2 g(z) at t = 16, and of exact minus frozen, from orders 2 and 4."""
    net = ntkbook.mlp(width=1, w_std=W_STD)
    _, x, z, _, x_test = regression()
    fourth = {"x": ntkbook.limit_kernel(net, x, 4), "x_test": ntkbook.limit_kernel(net, x, 4, x_test)}
    once, twice = (_limiting(net, x, c * z, x_test, fourth, 4)[2] for c in (1.0, 2.0))
    frozen = _limiting(net, x, z, x_test, {}, 2)[2]
    return {"bend": LARGE * (twice - 2 * once), "shift": LARGE * (once - frozen), "frozen": frozen}


@partial(jax.jit, static_argnames=("net", "twin"))
def _digit_runs(
    net: ntkbook.MLP, points: Array, targets: Array, limit: Array, seeds: Array, twin: bool
) -> tuple[Array, ...]:
    """For each seed, and its twin: errors, squared errors and alignments of the kernel with the targets."""
    x, x_test, z, z_test = points[:TRAINED], points[TRAINED:], targets[:TRAINED], targets[TRAINED:]
    times = jnp.array(TIMES)
    options: dict[str, Any] = {"rtol": 1e-11, "atol": 1e-11, "throw": False}

    def alignment(K: Array) -> Array:
        return jnp.einsum("a,tab,b->t", z, K, z) / jnp.linalg.norm(K, axis=(1, 2)) / TRAINED

    def of_network(params: ntkbook.MLPParams) -> tuple[Array, ...]:
        y = net(params, x) + z
        h = ntkbook.kernel_hierarchy(net, params, x, 4, x_test=x_test)
        flows = [ntkbook.gradient_flow(net, params, x, y, times, x_test, **options)]
        flows += [ntkbook.truncated_flow(h, y, times, level, **options) for level in (2, 3, 4)]
        g = jnp.stack([jnp.asarray(flow.test_outputs) for flow in flows]) - jnp.asarray(h.test_outputs)
        errors = jnp.concatenate([(limit - g[0])[None], g[1:] - g[0]])
        aligned = jnp.stack([alignment(flow.kernel) for flow in flows])
        return jnp.abs(errors).max(axis=2), ((g - z_test) ** 2).mean(axis=2), aligned

    def of_seed(seed: Array) -> tuple[Array, ...]:
        return jax.lax.map(of_network, jax.tree.map(lambda leaf: leaf[: 1 + twin], _twins(net, 64, seed)))

    return jax.lax.map(of_seed, seeds)


def _of_digits(width: int, seeds: int, *, twin: bool = True) -> dict[str, Array]:
    """At one width: errors at new digits, mean squared errors and alignments, by seeds and the two of a pair."""
    net = ntkbook.mlp(width=width)
    points, targets = ntkbook.data.digits(TRAINED + NEW, key=jax.random.key(0))
    limit = _limiting(net, points[:TRAINED], targets[:TRAINED], points[TRAINED:], {}, 2)
    errors, squares, aligned = _digit_runs(net, points, targets, limit, jnp.arange(seeds), twin)
    return {
        "errors": errors[:, 0],  # (seeds, limit and levels 2 to 4, times)
        "squares": squares[..., 2:],  # (seeds, twins, exact and levels 2 to 4, the last two times)
        "alignment": aligned[..., 2:] - aligned[..., :1],
    }


def _errors_again(stored: Result) -> Differences:
    """The errors of levels 2 to 4 of eight networks of width 64 at t = 16."""
    net = ntkbook.mlp(width=64, w_std=W_STD)
    _, x, z, _, x_test = regression()
    run = partial(learned, net, x=x, targets=z, times=jnp.array(TIMES), x_test=x_test)
    again = jax.lax.map(lambda seed: run(net.init(jax.random.key(seed), 2)), jnp.arange(8))
    kept = stored["regression"]["errors"][stored["widths"] == 64, :8, 1:, 2][0]
    return {"regression": difference(kept, jnp.abs(again[:, 1:] - again[:, :1]).max(axis=3)[..., 2])}


def _stacked(parts: Sequence[dict[str, Array]], names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: np.stack([np.asarray(part[name]) for part in parts]) for name in names}


@experiment(
    "predicting",
    chapter=CHAPTER,
    setting="tanh, one hidden layer, labels f_0 + z, seeds 0..31 with mirror twins (wide_digits: 0..15 alone). "
    "Regression: ntkbook.experiments.regression, sigma_w = 2; digits: 12 threes and eights, 24 new ones, sigma_w = 1",
    minutes=18,
    digits=6,
    again=_errors_again,
    tolerance=1e-5,
)
def _predictions(
    *,
    widths: Sequence[int] = (64, 128, 256, 512, 1024, 2048, 4096),
    digit_widths: Sequence[int] = (64, 128, 256, 512, 1024),
    wide: Sequence[int] = (4096, 8192, 16384, 32768, 65536),  # where level 4 has its power on the digits
    seeds: int = 32,
    wide_seeds: int = 16,
) -> Result:
    """Predictions at new points against the exact network: a regression on the half circle, and the digits."""
    regressions = [_of_regression(width, seeds) for width in steps(widths, "regression, width")]
    digits = [_of_digits(width, seeds) for width in steps(digit_widths, "digits, width")]
    wider = [_of_digits(width, wide_seeds, twin=False) for width in steps(wide, "digits, width")]
    return {
        "widths": list(widths),
        "digit_widths": list(digit_widths),
        "wide": list(wide),
        "seeds": seeds,
        "times": list(TIMES),
        "regression": _stacked(regressions, list(regressions[0])),
        "digits": _stacked(digits, list(digits[0])),
        "wide_digits": _stacked(wider, ["errors"]),
        "limits": _of_limits(),
    }


# -- what the motion is worth, beyond speed ----------------------------------------------------------------------------


@partial(jax.jit, static_argnames="net")
def _squares(net: ntkbook.MLP, points: Array, targets: Array, seeds: Array) -> Array:
    """Squared errors at new digits, mean over twins, (seeds, 3): exact; frozen at equal time; at equal loss."""
    x, x_test, z, z_test = points[:TRAINED], points[TRAINED:], targets[:TRAINED], targets[TRAINED:]
    end = jnp.array([TIMES[-1]])

    def of_network(params: ntkbook.MLPParams) -> Array:
        y = net(params, x) + z
        exact = ntkbook.gradient_flow(net, params, x, y, end, x_test, rtol=1e-10, atol=1e-10, keep_kernel=False)
        h = ntkbook.kernel_hierarchy(net, params, x, 2, x_test=x_test)
        frozen = partial(ntkbook.frozen_kernel_flow, h, y, keep_kernel=False)

        def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            early, late = ends
            middle = (early + late) / 2
            too_early = frozen(middle).loss > exact.loss
            return jnp.where(too_early, middle, early), jnp.where(too_early, late, middle)

        equal, _ = jax.lax.fori_loop(0, 48, halve, (0 * end, 4 * end))
        learned = [
            jnp.asarray(flow.test_outputs)[0] - jnp.asarray(h.test_outputs)
            for flow in (exact, frozen(end), frozen(equal))
        ]
        return ((jnp.stack(learned) - z_test) ** 2).mean(axis=1)

    return jax.lax.map(lambda seed: jax.lax.map(of_network, _twins(net, 64, seed)).mean(axis=0), seeds)


def _squares_of_draw(draw: int, width: int, seeds: int) -> Array:
    points, targets = ntkbook.data.digits(TRAINED + NEW, key=jax.random.key(draw))
    return _squares(ntkbook.mlp(width=width), points, targets, jnp.arange(seeds))


def _gain_again(stored: Result) -> Differences:
    """Two pairs of the second draw."""
    again = _squares_of_draw(1, stored["width"], 2)
    return {"squares": difference(stored["squares"][1, :2], again)}


@experiment(
    "predicting-gain",
    chapter=CHAPTER,
    setting="draws 0..7 of 12 and 24 digits, tanh, one hidden layer, width 1024, seeds 0..31 with twins, t = 32: "
    "squared error at the new digits; exact, frozen kernel at equal time, frozen kernel at equal training loss",
    minutes=1,
    digits=9,
    again=_gain_again,
    tolerance=1e-6,
)
def _gain(*, draws: int = 8, width: int = 1024, seeds: int = 32) -> Result:
    """What the motion of the kernel is worth at new digits, over several draws of digits."""
    squares = [_squares_of_draw(draw, width, seeds) for draw in steps(range(draws), "draw")]
    return {"width": width, "squares": np.stack([np.asarray(one) for one in squares])}


# -- how late the fifth order has its power ----------------------------------------------------------------------------


@partial(jax.jit, static_argnames="net")
def _fifth(net: ntkbook.MLP, x: Array, seeds: Array) -> Array:
    """The mean square of the entries of K_0^(5) for each seed."""

    def of_network(seed: Array) -> Array:
        params = net.init(jax.random.key(seed), x.shape[1])
        return (ntkbook.empirical_kernel(net, params, x, 5) ** 2).mean()

    return jax.lax.map(of_network, seeds)


def _four_digits() -> Array:
    return ntkbook.data.digits(TRAINED, key=jax.random.key(0))[0][:4]


def _fifth_again(stored: Result) -> Differences:
    """The first 32 networks of width 64."""
    again = _fifth(ntkbook.mlp(width=64), _four_digits(), jnp.arange(32))
    return {"squares": difference(stored["squares"][:32, stored["widths"] == 64][:, 0], again)}


@experiment(
    "predicting-fifth",
    chapter=CHAPTER,
    setting="four digits, tanh, one hidden layer, seeds 0..255: mean square of the entries of K_0^(5)",
    minutes=1,
    digits=9,
    again=_fifth_again,
    tolerance=1e-6,
)
def _fifth_over_widths(*, widths: Sequence[int] = (64, 128, 256, 512, 1024), seeds: int = 256) -> Result:
    """How large K^(5) is on digits, (seeds, widths)."""
    squares = [_fifth(ntkbook.mlp(width=m), _four_digits(), jnp.arange(seeds)) for m in steps(widths, "width")]
    return {"widths": list(widths), "seeds": seeds, "squares": np.stack(squares, axis=1)}
