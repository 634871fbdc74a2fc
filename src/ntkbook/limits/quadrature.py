r"""Means of products of derivatives of an activation at correlated Gaussians, in any number of dimensions.

The trapezoidal rule on a lattice in independent coordinates: for an activation that is analytic in a strip its error
falls exponentially in 1 / spacing, in every dimension alike. Near-singular covariances only mean fewer dimensions. How
fine a lattice must be is read off in one dimension, from the products that are to be integrated: nothing varies faster
than a product whose Gaussians all move together. Errors are measured by the mean of a product's absolute value, so
that small means are as accurate as large ones. Everything is computed in float64, whatever JAX's setting.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from ntkbook import _progress
from ntkbook.activations import Activation

__all__ = ["Powers", "check", "means", "settled_rule"]

# For each Gaussian the orders of the derivatives whose product is taken there: ((0, 1), (2,)) for sigma sigma' at the
# first and sigma'' at the second.
Powers = tuple[tuple[int, ...], ...]

_STEP = 1 / 512  # of the grid against which a rule in one dimension is settled, in standard deviations
_FINEST = 0.03  # spacing: many steps of that grid, so that the grid itself is exact
_ROUNDING = 1e-15
_FURTHEST = 9.5  # deviations: beyond the reach of every lattice
_GROWTH = 4  # with which power of the Gaussians the products may grow
_RANK_TOLERANCE = 1e-11  # relative: what is left of a variance below it is the error of the covariance
_BLOCK = 1 << 13  # arguments at once: one shape, so that the derivatives are compiled once
_CHUNK = 1 << 12  # lattice points at once
_MOST = 20_000_000  # lattice points: about a gigabyte and some minutes


@dataclass(frozen=True)
class Rule:
    """A lattice that resolves as much as a cubic one of this spacing, in standard deviations, to this accuracy."""

    spacing: float
    accuracy: float

    def line(self) -> tuple[np.ndarray, np.ndarray]:
        """Nodes (N,) and weights (N,) in one dimension; weights sum to 1."""
        nodes, weights = self.ball(1)
        return nodes[:, 0], weights

    def ball(self, dimension: int) -> tuple[np.ndarray, np.ndarray]:
        """Nodes (N, dimension) and weights (N,) that sum to 1."""
        return _ball(self.spacing, _reach(self.accuracy, dimension), dimension)

    def size(self, dimension: int) -> float:
        """About how many nodes that is."""
        volume = np.pi ** (dimension / 2) / math.gamma(dimension / 2 + 1)
        return 2 * volume * (_reach(self.accuracy, dimension) / _edge(self.spacing, dimension)) ** dimension


@lru_cache(maxsize=64)
def _reach(accuracy: float, dimension: int) -> float:
    """The radius beyond which a standard Gaussian z has this share of the mean of |z|^_GROWTH."""
    r = _STEP * np.arange(20 / _STEP)
    beyond = np.cumsum((r ** (dimension - 1 + _GROWTH) * np.exp(-(r**2) / 2))[::-1])[::-1]
    return float(r[np.searchsorted(-beyond, -accuracy * beyond[0])]) if dimension else 0.0


def _edge(spacing: float, dimension: int) -> float:
    """Of the cubes of a body-centred lattice that resolves as much as a cubic one of this spacing."""
    return spacing * (2 if dimension == 1 else np.sqrt(2))


@lru_cache(maxsize=16)
def _ball(spacing: float, reach: float, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """A body-centred lattice: in five dimensions a third of the points of the cubic one resolve as much."""
    edge = _edge(spacing, dimension)
    steps = int(reach / edge) + 1
    corners = []
    for corner in (0, edge / 2) if dimension else (0,):
        line = edge * np.arange(-steps, steps + 1) + corner
        nodes = np.zeros((1, 0))
        for _ in range(dimension):
            column = np.tile(line, len(nodes))[:, None]
            nodes = np.concatenate([np.repeat(nodes, len(line), axis=0), column], axis=1)
            nodes = nodes[np.sum(nodes**2, axis=1) <= reach**2]
        corners.append(nodes)
    nodes = np.concatenate(corners)
    weights = np.exp(-np.sum(nodes**2, axis=1) / 2)
    return nodes, weights / weights.sum()


# -- which lattice ----------------------------------------------------------------------------------------------------


def settled_rule(activation: Activation, std: float, wanted: Sequence[Powers], accuracy: float) -> Rule:
    """The widest rule in one dimension for these products, all of their Gaussians the same, of that deviation.

    Raises
    ------
    ArithmeticError
        If it would have to be finer than those that are tried.
    """
    t = _grid(_STEP)
    derivatives = _derivatives(activation, std * t, max(u for powers in wanted for U in powers for u in U))
    merged = np.stack([np.prod([derivatives[u] for U in powers for u in U], axis=0) for powers in wanted])
    spacing = _widest(merged, _STEP, accuracy)
    if spacing < _FINEST or not _resolved(derivatives, std, t):
        raise ArithmeticError(
            f"the quadrature did not settle to {accuracy:g} for products of derivatives up to order "
            f"{len(derivatives) - 1} of the activation {activation.name} at standard deviation {std:.3g}: it is too "
            "steep there, or not smooth. Shorten the inputs, for example to norm 1, or lower w_std, b_std or the "
            "sharpness."
        )
    return Rule(spacing, accuracy)


def _grid(step: float) -> np.ndarray:
    number = math.ceil(_FURTHEST / step)
    return step * np.arange(-number, number + 1)


def _widest(products: np.ndarray, step: float, accuracy: float) -> float:
    """The widest spacing up to which the means of products (., N) on the grid of this step agree."""
    t = _grid(step)
    middle = len(t) // 2
    density, sizes = np.exp(-(t**2) / 2), np.abs(products) @ np.exp(-(t**2) / 2)
    allowed = accuracy * sizes + _ROUNDING * sizes.max()  # a small derivative is a difference of larger ones
    weighted = np.vstack([products, t**_GROWTH]) * density
    exact, allowed = weighted.sum(axis=1), np.append(allowed, accuracy * weighted[-1].sum())
    stride = 2
    while np.all(np.abs(stride * weighted[:, middle % stride :: stride].sum(axis=1) - exact) <= allowed):
        stride += 1
    return (stride - 1) * step


def _resolved(derivatives: np.ndarray, std: float, t: np.ndarray) -> bool:
    """Whether the functions move from node to node as their derivatives say: an oscillation is not stepped over."""
    weights = np.exp(-(t[1:] ** 2) / 2)
    moved = np.diff(derivatives[:-1], axis=1)
    expected = std * np.diff(t) * (derivatives[1:, 1:] + derivatives[1:, :-1]) / 2
    rounding = _ROUNDING * np.abs(derivatives[:, 1:]).max(axis=0)
    return bool(np.all((np.abs(moved - expected) - rounding) @ weights <= 0.1 * np.abs(expected) @ weights))


def check(
    activation: Activation, covariances: Iterable[np.ndarray], wanted: Sequence[Powers], line: Rule, accuracy: float
) -> None:
    """Refuse what `means` would take too long for, given the covariances of one size that it will be called with.

    Raises
    ------
    ArithmeticError
        If a lattice has too many points.
    """
    std, least = 0.0, dict[int, float]()  # the deviation and the shares that need the finest lattices
    for covariance in covariances:
        stds, share, factor, _ = _split(covariance)
        std, dimension = max(std, stds.max()), factor.shape[1]
        least[dimension] = min(share, least.get(dimension, 1.0))
    for dimension, share in least.items():
        tables = [_Table(activation, _singles(wanted), std, share, line)] * len(wanted[0])
        number = _lattice(tables, wanted, accuracy).size(dimension)
        if number > _MOST:
            raise ArithmeticError(
                f"the quadrature would take {number:.1e} lattice points in {dimension} dimensions, more than "
                f"{_MOST:.0e}: the activation {activation.name} is steep at these points, and the points are many or "
                "nearly dependent. Shorten the inputs, lower w_std or b_std, or pass fewer points."
            )


# -- means ------------------------------------------------------------------------------------------------------------


def means(
    activation: Activation,
    covariance: np.ndarray,
    wanted: Sequence[Powers],
    line: Rule,
    accuracy: float,
    *,
    progress: bool = False,
) -> np.ndarray:
    r"""E of :math:`\prod_j \prod_{u \in U_j} \sigma^{(u)}(h_j)` for centred Gaussians h and each choice of the U_j.

    With independent e_j, as large as the covariance allows, write :math:`h_j = c_j + e_j`. The means over the e_j are
    functions of the c_j, one each, smoother than the activation, and tabulated beforehand; the c_j have one dimension
    less than the h_j.

    Parameters
    ----------
    covariance
        Of h, shape (k, k); it may be singular.
    wanted
        The choices, each with k entries.
    line
        A rule of `settled_rule` for the largest deviation and these products, for the e_j.
    accuracy
        That at which the lattice for the c_j is chosen.
    progress
        Whether to show how far it is.

    Returns
    -------
    numpy.ndarray
        Shape (len(wanted),).
    """
    stds, share, factor, order = _split(covariance)
    wanted = [tuple(powers[j] for j in order) for powers in wanted]
    tables = [
        _Table(activation, sorted({powers[j] for powers in wanted}), float(std), share, line)
        for j, std in enumerate(stds[order])
    ]
    nodes, weights = _lattice(tables, wanted, accuracy).ball(factor.shape[1])
    half = (len(stds) + 1) // 2
    parts = [sorted({powers[part] for powers in wanted}) for part in (slice(None, half), slice(half, None))]
    total = np.zeros((len(parts[0]), len(parts[1])))
    for start in _progress.steps(range(0, len(nodes), _CHUNK), f"{len(stds)} points", wanted=progress):
        c = factor @ nodes[start : start + _CHUNK].T
        values = [table(row) for table, row in zip(tables, c, strict=True)]
        left, right = _products(parts[0], values[:half]), _products(parts[1], values[half:])
        total += (left * weights[start : start + _CHUNK]) @ np.broadcast_to(right, (len(right), c.shape[1])).T
    numbers = [{powers: i for i, powers in enumerate(part)} for part in parts]
    return np.array([total[numbers[0][powers[:half]], numbers[1][powers[half:]]] for powers in wanted])


def _split(covariance: np.ndarray) -> tuple[np.ndarray, float, np.ndarray, list[int]]:
    r"""Deviations; the share of all variances that independent Gaussians take; what the rest is made of, standardised.

    The rest c has the deviations :math:`\sqrt{1 - share}` times those of h, and the correlations L L^T. L (k, rank) is
    lower triangular, for the variables in the order that comes with it.
    """
    stds = np.sqrt(np.diag(covariance))
    scale = np.where(stds > 0, stds, np.inf)
    correlation = covariance / np.outer(scale, scale)
    moving = stds > 0
    share = float(np.linalg.eigvalsh(correlation[np.ix_(moving, moving)])[0]) if moving.any() else 1.0
    share = min(share, 1.0) if share > _RANK_TOLERANCE else 0.0
    factor, order = _pivoted_cholesky(correlation - share * np.diag(np.diag(correlation)))
    return stds, share, factor / np.sqrt(1 - share or 1.0), order


def _lattice(tables: Sequence[_Table], wanted: Sequence[Powers], accuracy: float) -> Rule:
    """The widest rule for the tabulated functions, where all Gaussians move together."""
    merged = [
        np.prod([table.values[table.row[U]] for table, U in zip(tables, powers, strict=True)], axis=0)
        for powers in wanted
    ]
    return Rule(_widest(np.stack(merged), tables[0].step, accuracy), accuracy)


class _Table:
    """The products that are wanted at one Gaussian h = c + e, their means over e as functions of c, interpolated.

    The argument is c in its standard deviations.
    """

    _POINTS = np.arange(-4, 6)  # of the interpolation, around the interval 0..1
    _LAGRANGE = np.linalg.inv(np.vander(_POINTS, increasing=True)).T  # (points, powers of the place in the interval)
    _FINER = 8  # than the rule's spacing: then the interpolation's error is far below the rule's

    def __init__(
        self, activation: Activation, wanted: list[tuple[int, ...]], std: float, share: float, line: Rule
    ) -> None:
        self.wanted = wanted
        self.row = {U: i for i, U in enumerate(wanted)}
        self.step = line.spacing / self._FINER
        c = np.sqrt(1 - share) * _grid(self.step)
        nodes, weights = line.line() if share > 0 else (np.zeros(1), np.ones(1))
        highest = max(u for U in wanted for u in U)
        parts = []
        for part in np.array_split(c, math.ceil(len(c) * len(nodes) / _BLOCK)):
            derivatives = _derivatives(activation, std * (part[:, None] + np.sqrt(share) * nodes), highest)
            parts.append(np.stack([np.prod([derivatives[u] for u in U], axis=0) @ weights for U in wanted]))
        self.values = np.concatenate(parts, axis=1)

    def __call__(self, c: np.ndarray) -> dict[tuple[int, ...], np.ndarray]:
        position = c / self.step + self.values.shape[1] // 2
        left = np.floor(position).astype(int)
        place = np.broadcast_to(position - left, (len(self._POINTS), len(c))).copy()
        place[0] = 1
        weights = self._LAGRANGE @ np.multiply.accumulate(place)
        total = np.zeros((len(self.wanted), len(c)))
        for p, weight in zip(self._POINTS, weights, strict=True):
            total += weight * np.take(self.values, left + p, axis=1)
        return dict(zip(self.wanted, total, strict=True))


def _singles(wanted: Sequence[Powers]) -> list[tuple[int, ...]]:
    return sorted({U for powers in wanted for U in powers})


def _products(part: Sequence[Powers], values: Sequence[dict[tuple[int, ...], np.ndarray]]) -> np.ndarray:
    """For each choice of powers the product over these Gaussians, shape (len(part), N)."""
    if not values:
        return np.ones((len(part), 1))
    return np.stack([np.prod([v[U] for v, U in zip(values, powers, strict=True)], axis=0) for powers in part])


def _derivatives(activation: Activation, h: np.ndarray, order: int) -> np.ndarray:
    """sigma, ..., sigma^(order) at h, shape (order + 1,) + h.shape."""
    flat = np.zeros(-(-h.size // _BLOCK) * _BLOCK)
    flat[: h.size] = h.ravel()
    with jax.enable_x64(True):
        blocks = [activation.derivatives(jnp.asarray(part), order) for part in flat.reshape(-1, _BLOCK)]
        values = np.concatenate([np.asarray(block) for block in blocks], axis=1)
    return values[:, : h.size].reshape(order + 1, *h.shape)


def _pivoted_cholesky(covariance: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """L (k, rank), lower triangular, with covariance L L^T for the k variables in that order; variances up to 1."""
    k = len(covariance)
    rest, order, factor = covariance.copy(), list(range(k)), np.zeros((k, k))
    for rank in range(k):
        pivot = rank + int(np.argmax(np.diag(rest)[rank:]))
        if rest[pivot, pivot] <= _RANK_TOLERANCE:
            return factor[:, :rank], order
        swap, swapped = [rank, pivot], [pivot, rank]
        order[rank], order[pivot] = order[pivot], order[rank]
        factor[swap] = factor[swapped]
        rest[swap] = rest[swapped]
        rest[:, swap] = rest[:, swapped]
        factor[rank:, rank] = rest[rank:, rank] / np.sqrt(rest[rank, rank])
        rest = rest - np.outer(factor[:, rank], factor[:, rank])
    return factor, order
