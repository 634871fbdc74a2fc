r"""Means :math:`E[\sigma(u) \sigma(v)]` and :math:`E[\sigma'(u) \sigma'(v)]` at two Gaussians, right at every size.

A step, a sign and a ReLU have closed forms in the angle between the Gaussians. Most activations are such a function
blurred by independent noise: :math:`\mathrm{erf}(z) = E\,\mathrm{sign}(z + \varepsilon/\sqrt2)`, and with a logistic L
the sigmoid is :math:`E\,1(z > L)`, tanh :math:`E\,\mathrm{sign}(z - L/2)`, softplus :math:`E\max(z - L, 0)`. A logistic
variable is Gaussian with a random deviation (Andrews and Mallows, 1974), so that their means are sums of the closed
forms, with larger variances. Nothing becomes steep in such a sum, however large the Gaussians are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array


class Pair(NamedTuple):
    """Centred Gaussians u, v: variances a, b, covariance c, and the squared sine of their angle, 1 - c^2/(a b).

    The sine is carried along because subtraction would lose it: at nearly parallel points everything hangs on it.
    """

    a: Array
    b: Array
    c: Array
    sine2: Array

    @property
    def determinant(self) -> Array:
        """a b - c^2."""
        return self.a * self.b * self.sine2

    @property
    def rise(self) -> Array:
        """a - b."""
        return self.a - self.b

    def distance(self) -> Array:
        """The variance of u - v, a + b - 2c."""
        near, total = self.c > 0, self.a + self.b + 2 * self.c
        total = jnp.where(near, total, 1)
        small = 4 * self.a * (self.b / total) * self.sine2 + self.rise * (self.rise / total)
        return jnp.where(near, small, self.a + self.b - 2 * self.c)

    def drop(self) -> Array:
        """a - c."""
        distance, rise = self.distance(), self.rise
        similar = distance + jnp.abs(rise) < self.a + jnp.abs(self.c)
        return jnp.where(similar, (distance + rise) / 2, self.a - self.c)

    def swapped(self) -> Pair:
        return Pair(self.b, self.a, self.c, self.sine2)

    def against_minus_v(self) -> Pair:
        return self._replace(c=-self.c)

    def acute(self) -> Pair:
        """The pair with v turned round where it points away from u."""
        return self._replace(c=jnp.abs(self.c))


class Moments(ABC):
    """What the limits need of an activation: functions of a `Pair`, entry by entry."""

    @abstractmethod
    def value(self, pair: Pair) -> Array:
        """E[sigma(u) sigma(v)]."""

    @abstractmethod
    def slope(self, pair: Pair) -> Array:
        """E[sigma'(u) sigma'(v)]."""

    @abstractmethod
    def sine2(self, pair: Pair) -> Array:
        """The squared sine of the angle between sigma(u) and sigma(v) as vectors."""

    def variance(self, a: Array) -> Array:
        """E[sigma(u)^2]."""
        return self.value(Pair(a, a, a, jnp.zeros_like(a)))


def sine2_of_drops(moments: Moments, pair: Pair, drop: Callable[[Pair], Array]) -> Array:
    """The squared sine by way of drop(pair) = E[s(u)^2] - E[s(u) s(v)], with s for sigma."""
    a, b, c = moments.variance(pair.a), moments.variance(pair.b), moments.value(pair)
    a, b = jnp.where(a > 0, a, 1), jnp.where(b > 0, b, 1)
    one, other = drop(pair), drop(pair.swapped())
    parts = c / a * (one / b), c / a * (other / b), one / a * (other / b)
    similar = sum(map(jnp.abs, parts)) < 1  # else no difference is small, and the parts cancel
    close = c / a * ((one + other) / b) + parts[2]
    return jnp.maximum(jnp.where(similar, close, 1 - c / a * (c / b)), 0)


def root(v: Array) -> Array:
    """The square root, with derivative 0 at 0 in place of infinity."""
    positive = v > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, v, 1)), 0)


# -- activations without noise ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Identity(Moments):
    """sigma(z) = z."""

    def value(self, pair: Pair) -> Array:
        return pair.c

    def slope(self, pair: Pair) -> Array:
        return jnp.ones_like(pair.c)

    def sine2(self, pair: Pair) -> Array:
        return pair.sine2


@dataclass(frozen=True)
class Relu(Moments):
    """sigma(z) = max(z, 0): functions of the angle, which counts as constant in derivatives where it is 0 or pi."""

    def value(self, pair: Pair) -> Array:
        away = jnp.pi - self._angle(pair)
        return root(pair.a) * root(pair.b) * _bow(away) / (2 * jnp.pi)

    def slope(self, pair: Pair) -> Array:
        return (jnp.pi - self._angle(pair)) / (2 * jnp.pi)

    def sine2(self, pair: Pair) -> Array:
        cosine, angle = self._cosine(pair), self._angle(pair)
        near = cosine > 0
        below_one = jnp.where(near, pair.sine2 / (1 + jnp.where(near, cosine, 0)), 1 - cosine)
        gap = below_one - _bow(angle) / jnp.pi
        return gap * (2 - gap)

    def _cosine(self, pair: Pair) -> Array:
        lengths = root(pair.a) * root(pair.b)
        return pair.c / jnp.where(lengths > 0, lengths, 1)

    def _angle(self, pair: Pair) -> Array:
        cosine, sine = self._cosine(pair), root(pair.sine2)
        return jnp.arctan2(sine, jnp.where((cosine == 0) & (sine == 0), 1, cosine))


def _bow(angle: Array) -> Array:
    return jnp.sin(angle) - angle * jnp.cos(angle)


@dataclass(frozen=True)
class Sine(Moments):
    """sigma(z) = sin z."""

    def value(self, pair: Pair) -> Array:
        near, far = pair.distance() / 2, pair.against_minus_v().distance() / 2
        return _exp_drop(near, far, 2 * pair.c) / 2

    def slope(self, pair: Pair) -> Array:
        near, far = pair.distance() / 2, pair.against_minus_v().distance() / 2
        return (jnp.exp(-near) + jnp.exp(-far)) / 2

    def sine2(self, pair: Pair) -> Array:
        pair = pair.acute()
        return sine2_of_drops(self, pair, self._drop)

    def _drop(self, pair: Pair) -> Array:
        near, far = pair.distance() / 2, pair.against_minus_v().distance() / 2
        return -jnp.expm1(-near) / 2 - _exp_drop(2 * pair.a, far, -near - pair.rise) / 2


def _exp_drop(x: Array, y: Array, rise: Array) -> Array:
    """e^-x - e^-y where the rise y - x is known better than by subtraction."""
    up = rise >= 0
    falling = -jnp.exp(-x) * jnp.expm1(-jnp.where(up, rise, 0))
    rising = jnp.exp(-y) * jnp.expm1(jnp.where(up, 0, rise))
    return jnp.where(up, falling, rising)


# -- activations with noise -------------------------------------------------------------------------------------------


class _Noisy:
    r"""u and v with independent noise of deviations s, t: the closed forms' ingredients.

    With :math:`R^2 = (a + s^2)(b + t^2) - c^2` and :math:`\varphi = \pi - \theta`, the angle to :math:`-v`.
    """

    def __init__(self, pair: Pair, s: Any, t: Any) -> None:
        self.pair, self.s2, self.t2 = pair, s**2, t**2
        a, b, c, _ = pair
        self.root = jnp.sqrt(pair.determinant + a * self.t2 + b * self.s2 + self.s2 * self.t2)
        self.away = jnp.arctan2(self.root, -c)

    def equal(self) -> _Noisy:
        """With u in place of v, and the noise as it was."""
        a = self.pair.a
        return _Noisy(Pair(a, a, a, jnp.zeros_like(a)), jnp.sqrt(self.s2), jnp.sqrt(self.t2))

    def drops(self) -> tuple[Array, Array, Array]:
        """By how much c, R and phi fall from u, u to u, v: differences of numbers that may be close."""
        pair, equal = self.pair, self.equal()
        a, b, c, _ = pair
        drop = pair.drop()
        root_drop = (self.s2 * (a - b) - pair.determinant) / (equal.root + self.root)
        near, total = c > 0, a * self.root + c * equal.root
        total = jnp.where(near, total, 1)
        close = (a + self.s2) * (pair.determinant * (a / total) + self.t2 * drop * ((a + c) / total))
        cross = jnp.where(near, close, a * self.root - c * equal.root)
        return drop, root_drop, jnp.arctan2(cross, equal.root * self.root + a * c)


@dataclass(frozen=True)
class Blurred(Moments):
    """A sign, a step or a ReLU whose argument has independent noise, Gaussian or logistic, times a scale."""

    shape: Literal["sign", "step", "relu"]
    noise: Literal["gaussian", "logistic"]
    scale: float

    def value(self, pair: Pair) -> Array:
        def mean(noisy: _Noisy) -> Array:
            c = noisy.pair.c
            match self.shape:
                case "sign":
                    return 2 / jnp.pi * jnp.arctan2(c, noisy.root)
                case "step":
                    return noisy.away / (2 * jnp.pi)
            return (noisy.root + c * noisy.away) / (2 * jnp.pi)

        return self._sum(pair, mean)

    def slope(self, pair: Pair) -> Array:
        def mean(noisy: _Noisy) -> Array:
            match self.shape:
                case "sign":
                    return 2 / jnp.pi / noisy.root
                case "step":
                    return 1 / (2 * jnp.pi * noisy.root)
            return noisy.away / (2 * jnp.pi)

        return self._sum(pair, mean)

    def sine2(self, pair: Pair) -> Array:
        if self.shape == "sign":  # odd
            pair = pair.acute()
        return sine2_of_drops(self, pair, self._drop)

    def _drop(self, pair: Pair) -> Array:
        def mean(noisy: _Noisy) -> Array:
            drop, root_drop, away_drop = noisy.drops()
            match self.shape:
                case "sign":
                    return 2 / jnp.pi * away_drop
                case "step":
                    return away_drop / (2 * jnp.pi)
            return (root_drop + drop * noisy.equal().away + noisy.pair.c * away_drop) / (2 * jnp.pi)

        return self._sum(pair, mean)

    def _sum(self, pair: Pair, mean: Callable[[_Noisy], Array]) -> Array:
        deviations, weights = _logistic_noise() if self.noise == "logistic" else (np.ones(1), np.ones(1))
        s = self.scale * deviations
        noisy = _Noisy(Pair(*(part[..., None, None] for part in pair)), s[:, None], s[None, :])
        return jnp.sum(weights[:, None] * weights[None, :] * mean(noisy), axis=(-2, -1))


@lru_cache(maxsize=1)
def _logistic_noise() -> tuple[np.ndarray, np.ndarray]:
    """Deviations and weights that make Gaussians a logistic variable: twice Kolmogorov's distribution.

    Its density, a theta function, falls faster than exponentially on both sides of a logarithmic scale, where the
    trapezoidal rule is then right to rounding.
    """
    k = np.exp(np.arange(-1.75, 1.45, 0.13))
    j = np.arange(1, 9)[:, None]
    odd = (2 * j - 1) * np.pi
    small = np.sqrt(2 * np.pi) * np.sum((odd**2 / (4 * k**4) - 1 / k**2) * np.exp(-(odd**2) / (8 * k**2)), axis=0)
    large = 8 * k * np.sum((-1.0) ** (j + 1) * j**2 * np.exp(-2 * j**2 * k**2), axis=0)
    weights = k * np.where(k < 1, small, large)
    return 2 * k, weights / weights.sum()


@dataclass(frozen=True)
class Gelu(Moments):
    r"""sigma(z) = z Phi(z), the Gaussian's distribution function: means over :math:`z\,1(z + \varepsilon > 0)`."""

    def value(self, pair: Pair) -> Array:
        noisy = _Noisy(pair, 1.0, 1.0)
        return (pair.c * noisy.away + noisy.root * self._share(noisy)) / (2 * jnp.pi)

    def slope(self, pair: Pair) -> Array:
        noisy = _Noisy(pair, 1.0, 1.0)
        a, b, c, _ = pair
        rational = c * (3 + a + b + (c / noisy.root) ** 2) / ((1 + a) * (1 + b) * noisy.root)
        return (noisy.away + rational) / (2 * jnp.pi)

    def sine2(self, pair: Pair) -> Array:
        return sine2_of_drops(self, pair, self._drop)

    def _drop(self, pair: Pair) -> Array:
        noisy = _Noisy(pair, 1.0, 1.0)
        drop, root_drop, away_drop = noisy.drops()
        share, equal_share = self._share(noisy), self._share(noisy.equal())
        rational = root_drop * equal_share + noisy.root * (equal_share - share)
        return (drop * noisy.equal().away + pair.c * away_drop + rational) / (2 * jnp.pi)

    def _share(self, noisy: _Noisy) -> Array:
        a, b, c, _ = noisy.pair
        return (a * b + (c / noisy.root) ** 2) / ((1 + a) * (1 + b))
