r"""Limits of the terms of K^(k) as the width grows: the Gaussian calculus of Appendix A.

At the start each inner product <u, v>/m of a term (3.8) concentrates around E[u v], the mean over one entry, and a
term tends to the product of these. An entry of a word is a polynomial in centred Gaussians times derivatives of the
activation at the Gaussians :math:`h_\alpha^{(\ell)} = W^{(\ell)} x_\alpha^{(\ell-1)}`. Each product with a weight
brings a new Gaussian, correlated with those from the same matrix, and a correction for each of those from its
transpose, since both sides use the same entries (Lemma A.3):

.. math:: \tfrac{W}{\sqrt m} v = G_v + \sum_u \sigma_w^2\, E\Big[\frac{\partial v}{\partial Z_u}\Big] u, \qquad
          \tfrac{W^\top}{\sqrt m} u = Z_u + \sum_v \sigma_w^2\, E\Big[\frac{\partial u}{\partial G_v}\Big] v, \qquad
          E[G_v G_{v'}] = \sigma_w^2 E[v v'],\quad E[Z_u Z_{u'}] = \sigma_w^2 E[u u'].

Here :math:`h_\alpha` is the G of :math:`\sqrt m\, x_\alpha^{(\ell-1)}`. Integration by parts in the Gaussians G, Z and
the readout then leaves means of products of derivatives of the activation at the h alone: Gaussian integrals with at
most as many dimensions as there are distinct points.

Biases, :math:`h^{(\ell)} = W^{(\ell)} x^{(\ell-1)} + b^{(\ell)}`, are the weights of one more input that is 1: the
covariances of the h gain :math:`\sigma_b^2`, and where weights moved, the inner product of their inputs gains 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations, product

import numpy as np

from ntkbook import _progress
from ntkbook.activations import Activation, identity
from ntkbook.limits.quadrature import Powers, check, means, settled_rule
from ntkbook.networks import MLP
from ntkbook.terms import Factor, Vector, kernel_terms

__all__ = ["highest_order", "limiting_kernel"]

Word = tuple[Factor, ...]
Slopes = tuple[tuple[int, int], ...]  # (slot, u) for each factor sigma^(u)(h_slot), sorted
# Products of slopes and of Gaussians, these by their numbers, with coefficients over all tuples of points.
Polynomial = dict[tuple[Slopes, tuple[int, ...]], np.ndarray]
Mean = Callable[[int, Slopes], np.ndarray]  # E of a product of slopes in a layer


# ---------------------------------------------------------------------------------------------------------------------
# The calculus
# ---------------------------------------------------------------------------------------------------------------------


class _Calculus:
    """The limits of inner products of words. Arrays have one axis for each slot, of length 1 where it plays no part."""

    def __init__(self, net: MLP, order: int, gram: Callable[[int, int], np.ndarray], mean: Mean) -> None:
        self.depth, self.w_variance, self.a_variance = net.depth, net.w_std**2, net.a_std**2
        self.biases = net.b_std > 0
        self.gram, self.mean = gram, mean
        self.one, self.zero = np.ones((1,) * order), np.zeros((1,) * order)
        self.gaussians: list[Word] = []  # a Gaussian is named by the word whose product with a weight it belongs to
        self.polynomials: dict[Word, Polynomial] = {}
        self.moments: dict[tuple[int, Slopes, tuple[int, ...]], np.ndarray] = {}
        self.covariances: dict[tuple[Word, Word], np.ndarray] = {}
        self.pairs: dict[tuple[Vector, Vector], np.ndarray] = {}

    # -- inner products --

    def pair(self, pair: tuple[Vector, Vector]) -> np.ndarray:
        """The limit of <u, v>/m."""
        if pair not in self.pairs:
            u, v = (vector.factors for vector in pair)
            layer = self.layer(u)
            if layer == 0:
                value = self.gram(u[0].slot, v[0].slot)
            else:
                value = self.expectation(layer, _times(self.polynomial(u), self.polynomial(v)))
            # Inputs of the same weights at two points: these weights moved. A bias is one more input that is 1.
            inputs = layer < self.depth and u[0].kind == v[0].kind == "layer"
            self.pairs[pair] = value + self.one if self.biases and inputs else value
        return self.pairs[pair]

    def layer(self, word: Word) -> int:
        """The layer whose neurons index the entries of the word."""
        factor = word[0]
        if factor.kind == "diag":
            return self.layer(factor.diags[0].factors)
        if factor.kind == "readout":
            return self.depth
        return factor.layer - 1 if factor.kind == "transpose" else factor.layer

    # -- entries of words --

    def polynomial(self, word: Word) -> Polynomial:
        if word not in self.polynomials:
            self.polynomials[word] = self._entry(word)
        return self.polynomials[word]

    def _entry(self, word: Word) -> Polynomial:
        factor, rest = word[0], word[1:]
        match factor.kind:
            case "ones":
                return {((), ()): self.one}
            case "readout":
                return self._gaussian(word)
            case "layer":
                return {(((factor.slot, 0),), ()): self.one}
            case "weight" | "transpose":
                return _plus(self._gaussian(word), *self._corrections(factor, rest))
        value = self.polynomial(rest)
        for diagonal in factor.diags:
            value = _times(value, self.polynomial(diagonal.factors))
        if factor.kind == "derivative":
            value = _times(value, {(((factor.slot, 1 + len(factor.diags)),), ()): self.one})
        return value

    def _gaussian(self, word: Word) -> Polynomial:
        self.gaussians.append(word)
        return {((), (len(self.gaussians) - 1,)): self.one}

    def _corrections(self, factor: Factor, rest: Word) -> Iterator[Polynomial]:
        """What W v or W^T v has besides its new Gaussian."""
        v, layer = self.polynomial(rest), self.layer(rest)
        opposite = "transpose" if factor.kind == "weight" else "weight"
        for g in sorted({g for _, gaussians in v for g in gaussians}):
            if self.gaussians[g][0].kind == opposite:
                slope = self.w_variance * self.expectation(layer, _derivative_in_gaussian(v, g))
                yield _scale(slope, self.polynomial(self.gaussians[g][1:]))
        if factor.kind == "transpose":
            for alpha in sorted({slot for slopes, _ in v for slot, _ in slopes}):
                slope = self.w_variance * self.expectation(layer, _derivative_in_h(v, alpha))
                yield _scale(slope, {(((alpha, 0),), ()): self.one})

    # -- expectations --

    def expectation(self, layer: int, polynomial: Polynomial) -> np.ndarray:
        total = self.zero
        for (slopes, gaussians), coefficient in polynomial.items():
            total = total + coefficient * self.moment(layer, slopes, gaussians)
        return total

    def moment(self, layer: int, slopes: Slopes, gaussians: tuple[int, ...]) -> np.ndarray:
        """E of a product, by parts in the first Gaussian."""
        key = (layer, slopes, gaussians)
        if key not in self.moments:
            self.moments[key] = self._by_parts(layer, slopes, gaussians)
        return self.moments[key]

    def _by_parts(self, layer: int, slopes: Slopes, gaussians: tuple[int, ...]) -> np.ndarray:
        if not gaussians:
            return self.mean(layer, slopes) if slopes else self.one
        backward = [g for g in gaussians if self.gaussians[g][0].kind != "weight"]
        if len(backward) % 2:  # Z and the readout are independent of the layer's G and h
            return self.zero
        first = backward[0] if backward else gaussians[0]
        word = self.gaussians[first]
        others = list(gaussians)
        others.remove(first)
        total = self.zero
        for i, g in enumerate(others):
            if self.gaussians[g][0].kind == word[0].kind:
                remaining = (*others[:i], *others[i + 1 :])
                total = total + self.covariance(word, self.gaussians[g]) * self.moment(layer, slopes, remaining)
        if word[0].kind == "weight":
            for i, (alpha, _) in enumerate(slopes):
                h_alpha = (word[0], Factor("layer", layer - 1, alpha))
                moment = self.moment(layer, _raise(slopes, i), tuple(others))
                total = total + self.covariance(word, h_alpha) * moment
        return total

    def covariance(self, word: Word, other: Word) -> np.ndarray:
        """E[G G'] for the Gaussians of two words that begin with the same matrix."""
        if word[0].kind == "readout":
            return self.a_variance * self.one
        if (word, other) not in self.covariances:
            u, v = word[1:], other[1:]
            value = self.expectation(self.layer(u), _times(self.polynomial(u), self.polynomial(v)))
            self.covariances[word, other] = self.covariances[other, word] = self.w_variance * value
        return self.covariances[word, other]


def _plus(*polynomials: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for polynomial in polynomials:
        for key, coefficient in polynomial.items():
            total[key] = total[key] + coefficient if key in total else coefficient
    return total


def _scale(coefficient: np.ndarray, polynomial: Polynomial) -> Polynomial:
    if not coefficient.any():
        return {}
    return {key: coefficient * value for key, value in polynomial.items()}


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for (slopes, gaussians), a in left.items():
        for (more_slopes, more_gaussians), b in right.items():
            key = (tuple(sorted(slopes + more_slopes)), tuple(sorted(gaussians + more_gaussians)))
            total[key] = total[key] + a * b if key in total else a * b
    return total


def _derivative_in_gaussian(polynomial: Polynomial, g: int) -> Polynomial:
    result: Polynomial = {}
    for (slopes, gaussians), coefficient in polynomial.items():
        power = gaussians.count(g)
        if power:
            rest = list(gaussians)
            rest.remove(g)
            result[slopes, tuple(rest)] = power * coefficient
    return result


def _derivative_in_h(polynomial: Polynomial, alpha: int) -> Polynomial:
    return _plus(
        *(
            {(_raise(slopes, i), gaussians): coefficient}
            for (slopes, gaussians), coefficient in polynomial.items()
            for i, (slot, _) in enumerate(slopes)
            if slot == alpha
        )
    )


def _raise(slopes: Slopes, i: int) -> Slopes:
    """The product with one more derivative of its factor i."""
    slot, u = slopes[i]
    return tuple(sorted((*slopes[:i], (slot, u + 1), *slopes[i + 1 :])))


# ---------------------------------------------------------------------------------------------------------------------
# Kernels
# ---------------------------------------------------------------------------------------------------------------------


def _sum_of_terms(calculus: _Calculus, order: int, depth: int) -> np.ndarray:
    total = calculus.zero
    for term in kernel_terms(order, depth):
        value = calculus.one
        for pair in term.products:
            value = value * calculus.pair(pair)
        total = total + value
    return total


@cache
def _needed(depth: int, order: int) -> frozenset[tuple[int, Powers]]:
    """The layers and products of slopes whose means occur in K^(order), for slots in any order."""
    needed: set[tuple[int, Powers]] = set()
    one = np.ones((1,) * order)

    def record(layer: int, slopes: Slopes) -> np.ndarray:
        needed.add((layer, _by_slot(slopes)[1]))
        return one  # positive, so that nothing cancels by chance

    net = MLP(width=1, depth=depth, activation=identity, w_std=1.0, a_std=1.0)
    _sum_of_terms(_Calculus(net, order, lambda alpha, beta: one, record), order, depth)
    return frozenset(needed)


def _by_slot(slopes: Slopes) -> tuple[tuple[int, ...], Powers]:
    """The slots that occur, and the orders of the derivatives at each; slots sorted by these orders."""
    orders: dict[int, tuple[int, ...]] = {}
    for slot, u in slopes:
        orders[slot] = (*orders.get(slot, ()), u)
    slots = tuple(sorted(orders, key=lambda slot: (orders[slot], slot)))
    return slots, tuple(orders[slot] for slot in slots)


_FEW = 3  # distinct points: up to here the integrals cost little, and are computed better than asked for
_BEST = 1e-12
_ACCURACY = {4: 1e-11, 6: 3e-6}  # by order
_PAIR: Powers = ((0,), (0,))  # E[sigma(h_1) sigma(h_2)], the next layer's covariance


def _tables(
    net: MLP, gram: np.ndarray, n: int, needed: frozenset[tuple[int, Powers]], order: int, progress: bool
) -> dict[tuple[int, Powers], np.ndarray]:
    """The means over all tuples of points with at most one from n on: an axis for each slot."""
    integrals = []
    for layer in range(1, net.depth + 1):
        covariance = net.w_std**2 * gram + net.b_std**2
        wanted = sorted(powers for k, powers in needed if k == layer)
        integrals.append(_Integrals(net.activation, covariance, n, wanted, _ACCURACY[order]))
        if layer < net.depth:
            gram = _Integrals(net.activation, covariance, n, [_PAIR], _BEST).tables()[_PAIR]
    return {
        (layer, powers): table
        for layer, of_layer in enumerate(integrals, start=1)
        for powers, table in of_layer.tables(progress).items()
    }


class _Integrals:
    """The means of products at all tuples of points; those that would take too long are refused at once.

    One integral for each set of distinct points and each product there: every tuple over the set shares them.
    """

    def __init__(
        self, activation: Activation, covariance: np.ndarray, n: int, wanted: list[Powers], accuracy: float
    ) -> None:
        self.activation, self.covariance, self.n, self.wanted = activation, covariance, n, wanted
        most = min(len(covariance), max(map(len, wanted)))
        self.sizes = [(size, *_products_on(size, wanted)) for size in range(1, most + 1)]
        self.accuracy = {size: _BEST if size <= _FEW else accuracy for size in range(1, most + 1)}
        on_one_point = self.sizes[0][1]
        self.line = settled_rule(activation, float(np.sqrt(np.diag(covariance).max())), on_one_point, _BEST)
        for size, products, _ in self.sizes:
            among_them = (covariance[np.ix_(points, points)] for points in self.sets(size))
            check(activation, among_them, products, self.line, self.accuracy[size])

    def sets(self, size: int) -> list[tuple[int, ...]]:
        n, total = self.n, len(self.covariance)
        with_late = [(*few, late) for late in range(n, total) for few in combinations(range(n), size - 1)]
        return list(combinations(range(n), size)) + with_late

    def tables(self, progress: bool = False) -> dict[Powers, np.ndarray]:
        tables = {powers: np.zeros((len(self.covariance),) * len(powers)) for powers in self.wanted}
        for size, products, places in self.sizes:
            for points in _progress.steps(self.sets(size), f"sets of {size} points", wanted=progress):
                among_them = self.covariance[np.ix_(points, points)]
                values = means(self.activation, among_them, products, self.line, self.accuracy[size], progress=progress)
                for powers, (assignments, numbers) in places.items():
                    tables[powers][tuple(np.array(points)[assignments].T)] = values[numbers]
        return tables


def _products_on(size: int, wanted: list[Powers]) -> tuple[list[Powers], dict[Powers, tuple[np.ndarray, np.ndarray]]]:
    """The products on that many distinct points; for each wanted one the slots' points and the product's number."""
    numbers: dict[Powers, int] = {}
    places = {}
    for powers in wanted:
        slots = len(powers)
        onto = [a for a in product(range(size), repeat=slots) if len(set(a)) == size]
        found = []
        for assignment in onto:
            merged = [
                sorted(u for U, a in zip(powers, assignment, strict=True) if a == j for u in U) for j in range(size)
            ]
            found.append(numbers.setdefault(tuple(map(tuple, merged)), len(numbers)))
        if onto:
            places[powers] = (np.array(onto), np.array(found))
    return list(numbers), places


def highest_order(depth: int) -> int:
    """The highest order for which the integrals and the terms are few enough."""
    return 6 if depth == 1 else 4


def limiting_kernel(
    net: MLP, first: np.ndarray, x: np.ndarray, order: int, *, same: bool, progress: bool = False
) -> np.ndarray:
    """The limit of K^(order), an even order.

    Parameters
    ----------
    first, x
        Points (n', d) for the first slot and (n, d) for all others.
    same
        Whether `first` is `x`.
    progress
        Whether to show how far it is.

    Returns
    -------
    numpy.ndarray
        Shape (n',) + (n,) * (order - 1).
    """
    points = x if same else np.concatenate([x, first])
    of_x = np.arange(len(x))
    index = [of_x if same else np.arange(len(x), len(points))] + [of_x] * (order - 1)
    needed = _needed(net.depth, order)
    tables = _tables(net, points @ points.T, len(x), needed, order, progress)

    def spread(slots: tuple[int, ...], table: np.ndarray) -> np.ndarray:
        """A table over points, an axis for each of these slots, as an array over tuples of points."""
        values = table[np.ix_(*(index[slot - 1] for slot in slots))]
        ascending = np.argsort(slots)
        shape = [1] * order
        for slot in slots:
            shape[slot - 1] = len(index[slot - 1])
        return np.transpose(values, ascending).reshape(shape)

    def mean(layer: int, slopes: Slopes) -> np.ndarray:
        slots, powers = _by_slot(slopes)
        return spread(slots, tables[layer, powers])

    def gram(alpha: int, beta: int) -> np.ndarray:
        return spread((alpha, beta), points @ points.T)

    total = _sum_of_terms(_Calculus(net, order, gram, mean), order, net.depth)
    return np.broadcast_to(total, tuple(map(len, index))).copy()
