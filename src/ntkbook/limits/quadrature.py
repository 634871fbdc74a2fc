r"""Means of products of derivatives of an activation at correlated Gaussians, in any number of dimensions.

The trapezoidal rule on a lattice in independent coordinates: for an activation that is analytic in a strip its error
falls exponentially in 1 / spacing, in every dimension alike. Near-singular covariances only mean fewer dimensions.
Everything is computed in float64, whatever JAX's setting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from ntkbook import _progress
from ntkbook.activations import Activation

__all__ = ["Powers", "means", "settled_rule"]

# For each Gaussian the orders of the derivatives whose product is taken there: ((0, 1), (2,)) for sigma sigma' at the
# first and sigma'' at the second.
Powers = tuple[tuple[int, ...], ...]

_SPACINGS = tuple(0.6 * 0.93**k for k in range(26))  # to 0.1; in five dimensions each step costs a factor 1.4
_RANK_TOLERANCE = 1e-11  # relative: what is left of a variance below it is the error of the covariance
_BLOCK = 1 << 13  # arguments at once: one shape, so that the derivatives are compiled once
_CHUNK = 1 << 12  # lattice points at once
_MOST = 20_000_000  # lattice points: about a gigabyte and some minutes


@dataclass(frozen=True)
class Rule:
    """A lattice that resolves as much as a cubic one of this spacing, in the ball of this radius.

    Both are in standard deviations.
    """

    spacing: float
    reach: float

    def line(self) -> tuple[np.ndarray, np.ndarray]:
        """Nodes (N,) and weights (N,) in one dimension; weights sum to 1."""
        nodes, weights = self.ball(1)
        return nodes[:, 0], weights

    def ball(self, dimension: int) -> tuple[np.ndarray, np.ndarray]:
        """Nodes (N, dimension) and weights (N,) that sum to 1."""
        return _ball(self.spacing, self.reach, dimension)


@lru_cache(maxsize=16)
def _ball(spacing: float, reach: float, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """A body-centred lattice: in five dimensions a third of the points of the cubic one resolve as much."""
    edge = spacing * (2 if dimension == 1 else np.sqrt(2))
    number = 2 * np.pi ** (dimension / 2) / math.gamma(dimension / 2 + 1) * (reach / edge) ** dimension
    if number > _MOST:
        raise ArithmeticError(
            f"the quadrature takes {number:.1e} lattice points in {dimension} dimensions, more than {_MOST:.0e}: the "
            "activation is steep at these points, and the points are many. Shorten the inputs, lower w_std, or pass "
            "fewer points."
        )
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


def settled_rule(activation: Activation, std: float, highest: int, accuracy: float) -> Rule:
    """The widest lattice at which the mean squares of sigma(u), ..., sigma^(highest)(u) settle, u of that deviation.

    Raises
    ------
    ArithmeticError
        If none of those tried is fine enough.
    """
    return _widest(activation, accuracy, highest, std, lambda u: _derivatives(activation, u, highest))


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
        A rule of `settled_rule` for the largest deviation and the highest derivative, for the e_j.
    accuracy
        That at which the lattice for the c_j is chosen.
    progress
        Whether to show how far it is.

    Returns
    -------
    numpy.ndarray
        Shape (len(wanted),).
    """
    stds = np.sqrt(np.diag(covariance))
    share = _independent_share(covariance, stds)
    factor, order = _pivoted_cholesky(covariance - share * np.diag(stds**2))
    wanted = [tuple(powers[j] for j in order) for powers in wanted]
    tables = [
        _Table(activation, sorted({powers[j] for powers in wanted}), float(std), share, line)
        for j, std in enumerate(stds[order])
    ]
    lattice = _lattice(activation, wanted, float(stds.max()), share, line, accuracy)
    nodes, weights = lattice.ball(factor.shape[1])
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


def _independent_share(covariance: np.ndarray, stds: np.ndarray) -> float:
    """The largest share of all variances that independent Gaussians may have: the least eigenvalue of correlations."""
    if not stds.all():
        return 0.0
    share = np.linalg.eigvalsh(covariance / np.outer(stds, stds))[0]
    return min(float(share), 1.0) if share > _RANK_TOLERANCE else 0.0


def _lattice(
    activation: Activation, wanted: Sequence[Powers], std: float, share: float, line: Rule, accuracy: float
) -> Rule:
    """The rule at which the mean squares of the tabulated functions settle."""
    highest = max((u for powers in wanted for U in powers for u in U), default=0)
    single: list[tuple[int, ...]] = [(u,) for u in range(highest + 1)]
    table = _Table(activation, single, std, share, line)
    return _widest(activation, accuracy, highest, std * np.sqrt(1 - share), lambda c: np.array(list(table(c).values())))


def _widest(
    activation: Activation, accuracy: float, highest: int, std: float, functions: Callable[[np.ndarray], np.ndarray]
) -> Rule:
    def squares(spacing: float) -> np.ndarray:
        nodes, weights = Rule(spacing, _reach(accuracy)).line()
        return functions(std * nodes) ** 2 @ weights

    for spacing in _SPACINGS:
        fine = squares(spacing / 2)
        if np.all(np.abs(squares(spacing) - fine) <= accuracy * (1 + np.abs(fine))):
            return Rule(spacing, _reach(accuracy))
    raise ArithmeticError(
        f"the quadrature did not settle to {accuracy:g} for the derivatives up to order {highest} of the activation "
        f"{activation.name} at standard deviation {std:.3g}: it is too steep there, or not smooth. Shorten the "
        "inputs, for example to norm 1, or lower w_std or the sharpness."
    )


def _reach(accuracy: float) -> float:
    """Standard deviations beyond which the density is well below the accuracy, in up to six dimensions."""
    return float(np.sqrt(-2 * np.log(accuracy))) + 0.8


class _Table:
    """The products that are wanted at one Gaussian h = c + e, their means over e as functions of c, interpolated."""

    _POINTS = np.arange(-3, 5)  # of the interpolation, around the interval 0..1
    _FINER = 10  # than the rule's spacing: then the interpolation's error is far below the rule's

    def __init__(
        self, activation: Activation, wanted: list[tuple[int, ...]], std: float, share: float, line: Rule
    ) -> None:
        self.wanted = wanted
        self.step = line.spacing * (std or 1.0) / self._FINER
        self.middle = int((line.reach + line.spacing) * std / self.step) + len(self._POINTS)
        c = self.step * np.arange(-self.middle, self.middle + 1)
        nodes, weights = line.line() if share > 0 else (np.zeros(1), np.ones(1))
        highest = max((u for powers in wanted for u in powers), default=0)
        derivatives = _derivatives(activation, c[:, None] + std * np.sqrt(share) * nodes, highest)
        self.values = np.stack([np.prod(derivatives[list(powers)], axis=0) @ weights for powers in wanted])

    def __call__(self, c: np.ndarray) -> dict[tuple[int, ...], np.ndarray]:
        position = c / self.step + self.middle
        left = np.floor(position).astype(int)
        t, points = position - left, self._POINTS
        total = np.zeros((len(self.wanted), len(c)))
        for p in points:
            weight = np.ones_like(t)  # Lagrange's
            for q in points[points != p]:
                weight *= (t - q) / (p - q)
            total += weight * np.take(self.values, left + p, axis=1)
        return dict(zip(self.wanted, total, strict=True))


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
    """L (k, rank), lower triangular, and an order of the k variables in which their covariance is L L^T."""
    k = len(covariance)
    rest, order, factor = covariance.copy(), list(range(k)), np.zeros((k, k))
    for rank in range(k):
        pivot = rank + int(np.argmax(np.diag(rest)[rank:]))
        if rest[pivot, pivot] <= _RANK_TOLERANCE * np.trace(covariance):
            return factor[:, :rank], order
        swap, swapped = [rank, pivot], [pivot, rank]
        order[rank], order[pivot] = order[pivot], order[rank]
        factor[swap] = factor[swapped]
        rest[swap] = rest[swapped]
        rest[:, swap] = rest[:, swapped]
        factor[rank:, rank] = rest[rank:, rank] / np.sqrt(rest[rank, rank])
        rest = rest - np.outer(factor[:, rank], factor[:, rank])
    return factor, order
