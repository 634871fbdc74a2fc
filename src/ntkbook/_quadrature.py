r"""Means of products of derivatives of an activation at correlated Gaussians, in any number of dimensions.

The trapezoidal rule on a lattice in independent coordinates: for an activation that is analytic in a strip its error
falls exponentially in 1 / spacing, in every dimension alike. Near-singular covariances only mean fewer dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import jax.numpy as jnp
import numpy as np

from ntkbook.activations import Activation

__all__ = ["Rule", "choose_rule", "means"]

# For each Gaussian the orders of the derivatives whose product is taken there: ((0, 1), (2,)) for sigma sigma' at the
# first and sigma'' at the second.
Powers = tuple[tuple[int, ...], ...]

_SPACINGS = (0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.16, 0.12, 0.1)
_RANK_TOLERANCE = 1e-13  # relative: what is left of a variance below it is rounding
_BLOCK = 1 << 14  # arguments at once: one shape, so that the derivatives are compiled once
_CHUNK = 1 << 12  # lattice points at once


@dataclass(frozen=True)
class Rule:
    """A lattice with this spacing in the ball of this radius, both in standard deviations."""

    spacing: float
    reach: float

    @cached_property
    def line(self) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and weights in one dimension."""
        nodes, weights = self.ball(1)
        return nodes[:, 0], weights

    def ball(self, dimension: int) -> tuple[np.ndarray, np.ndarray]:
        """Nodes (N, dimension) and weights (N,) that sum to 1."""
        return _ball(self.spacing, self.reach, dimension)


@cache
def _ball(spacing: float, reach: float, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    steps = int(reach / spacing)
    line = spacing * np.arange(-steps, steps + 1)
    nodes = np.zeros((1, 0))
    for _ in range(dimension):
        nodes = np.concatenate([np.repeat(nodes, len(line), axis=0), np.tile(line, len(nodes))[:, None]], axis=1)
        nodes = nodes[np.sum(nodes**2, axis=1) <= reach**2]
    weights = np.exp(-np.sum(nodes**2, axis=1) / 2)
    return nodes, weights / weights.sum()


def choose_rule(activation: Activation, std: float, order: int, *, reach: float, accuracy: float) -> Rule:
    """The widest lattice at which the mean squares of sigma(u), ..., sigma^(order)(u) settle, u of that deviation."""

    def squares(spacing: float) -> np.ndarray:
        nodes, weights = Rule(spacing, reach).line
        return derivatives(activation, std * nodes, order) ** 2 @ weights

    for spacing in _SPACINGS:
        fine = squares(spacing / 2)
        if np.all(np.abs(squares(spacing) - fine) <= accuracy * (1 + np.abs(fine))):
            return Rule(spacing, reach)
    raise ArithmeticError(
        f"the quadrature did not settle to {accuracy:g} for the derivatives up to order {order} of the activation "
        f"{activation.name} at standard deviation {std:.3g}: it is too steep, or not smooth. Lower w_std or the "
        "sharpness."
    )


def derivatives(activation: Activation, h: np.ndarray, order: int) -> np.ndarray:
    """sigma, ..., sigma^(order) at h, in NumPy's float64 whatever JAX computes in: shape (order + 1,) + h.shape."""
    flat = np.zeros(-(-h.size // _BLOCK) * _BLOCK)
    flat[: h.size] = h.ravel()
    dtype = jnp.result_type(float)
    blocks = [activation.derivatives(jnp.asarray(part, dtype), order) for part in flat.reshape(-1, _BLOCK)]
    values = np.concatenate([np.asarray(block, float) for block in blocks], axis=1)
    return values[:, : h.size].reshape(order + 1, *h.shape)


def means(activation: Activation, covariance: np.ndarray, wanted: list[Powers], rule: Rule) -> np.ndarray:
    r"""E of :math:`\prod_j \prod_{u \in U_j} \sigma^{(u)}(h_j)` for centred Gaussians h and each choice of the U_j.

    Parameters
    ----------
    covariance
        Of h, shape (k, k); it may be singular.
    wanted
        The choices, each with k entries.

    Returns
    -------
    numpy.ndarray
        Shape (len(wanted),).
    """
    factor, order = _pivoted_cholesky(covariance)
    rank = factor.shape[1]
    wanted = [tuple(powers[j] for j in order) for powers in wanted]
    # At full rank the last coordinate occurs at the last Gaussian alone: it is integrated for each product there.
    dimension = rank - 1 if rank == len(order) else rank
    nodes, weights = rule.ball(dimension)
    half = (len(order) + 1) // 2
    halves = [sorted({powers[part] for powers in wanted}) for part in (slice(None, half), slice(half, None))]
    total = np.zeros((len(halves[0]), len(halves[1])))
    highest = max((u for powers in wanted for U in powers for u in U), default=0)
    for start in range(0, len(nodes), _CHUNK):
        z, w = nodes[start : start + _CHUNK], weights[start : start + _CHUNK]
        values = _values(activation, factor, z, rule, wanted, highest)
        left, right = (
            np.array([np.prod([values[j + shift][U] for j, U in enumerate(powers)], axis=0) for powers in part])
            for part, shift in zip(halves, (0, half), strict=True)
        )
        total += (left * w) @ np.broadcast_to(right.reshape(len(halves[1]), -1), (len(halves[1]), len(z))).T
    positions = [{powers: i for i, powers in enumerate(part)} for part in halves]
    return np.array([total[positions[0][powers[:half]], positions[1][powers[half:]]] for powers in wanted])


def _values(
    activation: Activation, factor: np.ndarray, z: np.ndarray, rule: Rule, wanted: list[Powers], highest: int
) -> list[dict[tuple[int, ...], np.ndarray]]:
    """For each Gaussian the products that are wanted there, at the lattice points z (N, dimension)."""
    dimension = z.shape[1]
    h = factor[:, :dimension] @ z.T
    averaged = dimension < factor.shape[1]
    result = []
    for j, row in enumerate(h):
        products = sorted({powers[j] for powers in wanted})
        if averaged and j == len(h) - 1:
            nodes, weights = rule.line
            table = derivatives(activation, row[:, None] + factor[j, -1] * nodes, highest)
            result.append({U: _product(table, U) @ weights for U in products})
        else:
            table = derivatives(activation, row, highest)
            result.append({U: _product(table, U) for U in products})
    return result


def _product(table: np.ndarray, powers: tuple[int, ...]) -> np.ndarray:
    value = np.ones(table.shape[1:])
    for u in powers:
        value = value * table[u]
    return value


def _pivoted_cholesky(covariance: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """L (k, rank) and an order of the k variables in which they have the covariance L L^T: L is lower triangular."""
    k = len(covariance)
    rest, order, rank = covariance.copy(), list(range(k)), 0
    factor = np.zeros((k, k))
    while rank < k:
        pivot = rank + int(np.argmax(np.diag(rest)[rank:]))
        if rest[pivot, pivot] <= _RANK_TOLERANCE * np.trace(covariance):
            break
        swap = [rank, pivot]
        order[rank], order[pivot] = order[pivot], order[rank]
        factor[swap] = factor[swap[::-1]]
        rest[swap] = rest[swap[::-1]]
        rest[:, swap] = rest[:, swap[::-1]]
        column = np.where(np.arange(k) >= rank, rest[:, rank] / np.sqrt(rest[rank, rank]), 0)
        factor[:, rank] = column
        rest = rest - np.outer(column, column)
        rank += 1
    return factor[:, :rank], order
