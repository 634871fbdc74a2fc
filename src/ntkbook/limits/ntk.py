r"""The limiting neural tangent kernel of (1.8), layer by layer, for any activation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ntkbook import _checks
from ntkbook.activations import Activation, erf, identity, relu
from ntkbook.networks import MLP

__all__ = ["limiting_ntk"]

# E[sigma(u) sigma(v)] and E[sigma'(u) sigma'(v)] for centred Gaussians with variances a, b and covariance c.
Moments = Callable[[Array, Array, Array], tuple[Array, Array]]


def limiting_ntk(net: MLP, first: Array, x: Array) -> Array:
    variance, covariance = net.w_std**2, first @ x.T
    a, b = jnp.sum(first**2, axis=1)[:, None], jnp.sum(x**2, axis=1)[None, :]
    K = jnp.zeros_like(covariance)
    for _ in range(net.depth):
        # K sums the layers so far: one more layer multiplies their back-propagated part by E[sigma' sigma'].
        below = variance * K + covariance
        a, b, covariance = variance * a, variance * b, variance * covariance
        moments = _moments(net.activation, max_std=_largest_std(a, b))
        covariance, slopes = moments(a, b, covariance)
        a, b = moments(a, a, a)[0], moments(b, b, b)[0]
        K = slopes * below
    return net.a_std**2 * K + covariance


def _largest_std(a: Array, b: Array) -> float | None:
    if _checks.is_traced(a, b):
        return None
    return float(np.sqrt(max(np.max(np.asarray(a)), np.max(np.asarray(b)))))


def _moments(activation: Activation, max_std: float | None) -> Moments:
    if activation in _CLOSED_FORMS:
        return _CLOSED_FORMS[activation]
    nodes = _NODES[-1] if max_std is None else _enough_nodes(activation, max_std)
    return partial(_quadrature_moments, activation, nodes)


# -- closed forms -----------------------------------------------------------------------------------------------------


def _identity_moments(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    return c, jnp.ones_like(c)


def _erf_moments(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    product = (1 + 2 * a) * (1 + 2 * b)
    return 2 / jnp.pi * jnp.arcsin(2 * c / jnp.sqrt(product)), 4 / jnp.pi / jnp.sqrt(product - 4 * c**2)


def _relu_moments(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    sine = jnp.sqrt(jnp.maximum(a * b - c**2, 0))  # times the norms, as c is the cosine times the norms
    angle = jnp.arctan2(sine, c)
    return (sine + (jnp.pi - angle) * c) / (2 * jnp.pi), (jnp.pi - angle) / (2 * jnp.pi)


_CLOSED_FORMS: dict[Activation, Moments] = {
    identity: _identity_moments,
    erf: _erf_moments,
    relu: _relu_moments,
}

# -- quadrature -------------------------------------------------------------------------------------------------------

_NODES = (64, 128, 256, 512, 1024)
_REACH = 9.0  # standard deviations: the Gaussian density is below 1e-17 beyond


def _rule(nodes: int, dtype: jnp.dtype) -> tuple[Array, Array]:
    """The trapezoidal rule for expectations over a standard Gaussian."""
    z = jnp.linspace(-_REACH, _REACH, nodes, dtype=dtype)
    weights = jnp.exp(-(z**2) / 2)
    return z, weights / weights.sum()


def _enough_nodes(activation: Activation, std: float) -> int:
    """The number of nodes at which the means of sigma(u), sigma'(u) and their squares settle, u of that deviation."""
    dtype = jnp.result_type(float)

    def one_dimension(nodes: int) -> np.ndarray:
        z, weights = _rule(nodes, dtype)
        value, slope = activation.with_derivative(std * z)
        return np.asarray([weights @ part for part in (value, value**2, slope, slope**2)])

    # Doubling the nodes squares the error where the activation is analytic, so the finer rule is much better than this.
    accuracy = 1e-9 if dtype == jnp.float64 else 1e-5
    coarse = one_dimension(_NODES[0] // 2)
    for nodes in _NODES:
        fine = one_dimension(nodes)
        if np.all(np.abs(fine - coarse) <= accuracy * (1 + np.abs(fine))):
            return nodes
        coarse = fine
    raise ArithmeticError(
        f"the quadrature did not settle to {accuracy:g} for the activation {activation.name} at standard deviation "
        f"{std:.3g} with {_NODES[-1]} nodes: it is too steep there, or not smooth. "
        "Shorten the inputs, or lower w_std or the sharpness."
    )


@partial(jax.jit, static_argnums=(0, 1))
def _quadrature_moments(activation: Activation, nodes: int, a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    z, weights = _rule(nodes, c.dtype)

    def pair(abc: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        a, b, c = abc
        u = jnp.sqrt(a) * z
        slope = jnp.where(a > 0, c / jnp.sqrt(a), 0)
        v = slope * z[:, None] + jnp.sqrt(jnp.maximum(b - slope**2, 0)) * z[None, :]
        products = (
            f * (g @ weights) for f, g in zip(activation.with_derivative(u), activation.with_derivative(v), strict=True)
        )
        value, derivative = (weights @ p for p in products)
        return value, derivative

    shape = jnp.broadcast_shapes(a.shape, b.shape, c.shape)
    flat = tuple(jnp.broadcast_to(t, shape).ravel() for t in (a, b, c))
    value, derivative = jax.lax.map(pair, flat)
    return value.reshape(shape), derivative.reshape(shape)
