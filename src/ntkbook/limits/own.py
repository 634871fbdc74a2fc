"""Moments of activations of a user's own by quadrature, whose nodes must resolve how steep they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ntkbook import _checks
from ntkbook._moments import Moments, Pair
from ntkbook.activations import Activation

__all__ = ["Quadrature", "settled_quadrature"]

_NODES = (65, 129, 257, 513, 1025)  # odd, for a node at 0, and each with every second node of the next
_REACH = 9.0  # standard deviations: the Gaussian density is below 1e-17 beyond
_ACCURACY = 1e-9  # of every second node; for what is analytic all nodes square the error
_BATCH = 32  # nodes of the outer sum at once


@dataclass(frozen=True)
class Quadrature(Moments):
    """The trapezoidal rule, whose error falls exponentially with the nodes where the activation is analytic."""

    activation: Activation
    nodes: int = _NODES[-1]

    def value(self, pair: Pair) -> Array:
        return _mean(self.activation, self.nodes, 0, 0, *pair)

    def slope(self, pair: Pair) -> Array:
        return _mean(self.activation, self.nodes, 1, 1, *pair)

    def variance(self, a: Array) -> Array:
        return _mean_at_one(self.activation, self.nodes, 0, 0, a)

    def sine2(self, pair: Pair) -> Array:
        a, b, c = self.variance(pair.a), self.variance(pair.b), self.value(pair)
        a, b = jnp.where(a > 0, a, 1), jnp.where(b > 0, b, 1)
        return jnp.maximum(1 - c / a * (c / b), 0)

    def is_fine_enough(self, std: Array) -> Array:
        """Whether the rule resolves the activation at a Gaussian of this deviation."""
        z, weights = _rule(self.nodes)
        std = jax.lax.stop_gradient(std)
        value, slope = self.activation.with_derivative(std * z)
        slope = std * slope
        parts = weights[None, :] * jnp.stack([value, value**2, slope, slope**2])
        fine, coarse = jnp.sum(parts, axis=1), 2 * jnp.sum(parts[:, ::2], axis=1)
        # Between all nodes a steep slope goes unseen, but not the step that it makes: E[sigma'] = E[z sigma] / std.
        fine, coarse = jnp.append(fine, fine[2]), jnp.append(coarse, jnp.sum(weights * z * value))
        square = fine[1] + fine[3]
        size = jnp.sqrt(square)
        scale = jnp.stack([size, square, size, square, size])
        return jnp.all(jnp.abs(fine - coarse) <= _ACCURACY * scale)


def settled_quadrature(activation: Activation, std: Array) -> Quadrature:
    """The coarsest rule that is fine enough; the finest where the deviation is traced.

    Raises
    ------
    ArithmeticError
        If none is.
    """
    rules = [Quadrature(activation, nodes) for nodes in _NODES]
    if _checks.is_traced(std):
        return rules[-1]
    for rule in rules:
        if rule.is_fine_enough(std):
            return rule
    raise ArithmeticError(
        f"the quadrature did not settle to {_ACCURACY:g} for the activation {activation.name} at standard deviation "
        f"{float(std):.3g} with {_NODES[-1]} nodes: it is too steep there, or not smooth. "
        "Shorten the inputs, or lower w_std; the activations that have a name are right at every size."
    )


def _rule(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    z = np.linspace(-_REACH, _REACH, nodes)
    weights = np.exp(-(z**2) / 2)
    return z, weights / weights.sum()


# Derivatives by Price's theorem: of E[f(u) g(v)] in c it is E[f' g'], in a E[f'' g]/2, in b E[f g'']/2. The formulas
# themselves have square roots, whose derivatives are infinite on the diagonal.


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2, 3))
def _mean(activation: Activation, nodes: int, i: int, j: int, a: Array, b: Array, c: Array, sine2: Array) -> Array:
    """E of the i-th derivative at u times the j-th at v."""
    z, weights = _rule(nodes)
    std = jnp.where(a > 0, jnp.sqrt(a), 1)
    along, across = jnp.where(a > 0, c / std, 0), jnp.sqrt(b * jnp.where(a > 0, sine2, 1))

    def inner(z1: Array) -> Array:
        v = activation.derivatives(along * z1 + across * z, j)[j]
        return activation.derivatives(jnp.sqrt(a) * z1, i)[i] * jnp.sum(weights * v)

    return jnp.sum(weights * jax.lax.map(inner, jnp.asarray(z), batch_size=_BATCH))


@_mean.defjvp
def _mean_jvp(
    activation: Activation, nodes: int, i: int, j: int, primals: tuple[Array, ...], tangents: tuple[Array, ...]
) -> tuple[Array, Array]:
    mean = partial(_mean, activation, nodes)
    da, db, dc, _ = tangents
    slope = mean(i + 1, j + 1, *primals) * dc + mean(i + 2, j, *primals) * da / 2 + mean(i, j + 2, *primals) * db / 2
    return mean(i, j, *primals), slope


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2, 3))
def _mean_at_one(activation: Activation, nodes: int, i: int, j: int, a: Array) -> Array:
    """E of the i-th times the j-th derivative at one Gaussian."""
    z, weights = _rule(nodes)
    derivatives = activation.derivatives(jnp.sqrt(a) * z, max(i, j))
    return jnp.sum(weights * derivatives[i] * derivatives[j])


@_mean_at_one.defjvp
def _mean_at_one_jvp(
    activation: Activation, nodes: int, i: int, j: int, primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    mean = partial(_mean_at_one, activation, nodes)
    (a,), (da,) = primals, tangents
    return mean(i, j, a), (mean(i + 1, j + 1, a) + mean(i + 2, j, a) / 2 + mean(i, j + 2, a) / 2) * da
