r"""The limiting neural tangent kernel of (1.8), layer by layer.

Everything is computed in float64, whatever JAX's setting. Sums are written out: a matrix product's derivative would be
taken in JAX's setting.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook import _checks
from ntkbook._moments import Moments, Pair
from ntkbook.limits.own import Quadrature, settled_quadrature
from ntkbook.networks import MLP

__all__ = ["limiting_ntk"]


def limiting_ntk(net: MLP, first: Array, x: Array) -> Array:
    """K (n', n) between points (n', d) and (n, d)."""
    biased = _checks.is_traced(net.b_std) or net.b_std > 0
    with jax.enable_x64(True):
        w_variance, b_variance, a_variance = (
            jnp.asarray(std, jnp.float64) ** 2 for std in (net.w_std, net.b_std, net.a_std)
        )
        points = first.astype(jnp.float64), x.astype(jnp.float64)
        moments, settled = net.activation.moments, jnp.asarray(True)
        if moments is None:
            std = jnp.maximum(*(_largest_std(net, w_variance, b_variance, p) for p in points))
            moments = settled_quadrature(net.activation, std)
            settled = moments.is_fine_enough(std)
        layer = partial(_layer, moments, biased, w_variance, b_variance)
        below = _inputs(*points), jnp.zeros((len(first), len(x)))
        for _ in range(net.depth - 1):
            below = layer(below)
        covariance, K = layer(below, last=True)
        return jnp.where(settled, a_variance * K + covariance, jnp.nan).astype(x.dtype)


@partial(jax.jit, static_argnums=(0, 1), static_argnames="last")  # one layer, so that it serves networks of any depth
def _layer(
    moments: Moments,
    biased: bool,
    w_variance: Array,
    b_variance: Array,
    below: tuple[Pair, Array],
    *,
    last: bool = False,
) -> tuple[Any, Array]:
    """The outputs of a layer and what K is behind it; of the last layer only their covariance, as no more is needed."""

    @jax.vmap
    def entry(outputs: Pair, K: Array) -> tuple[Any, Array]:
        inputs = _affine(outputs, w_variance, b_variance, biased)
        # K sums the layers so far: one more layer multiplies their back-propagated part by E[sigma' sigma'].
        K = moments.slope(inputs) * (w_variance * K + outputs.c + (1.0 if biased else 0.0))
        if last:
            return moments.value(inputs), K
        a, b = moments.variance(inputs.a), moments.variance(inputs.b)
        return Pair(a, b, moments.value(inputs), moments.sine2(inputs)), K

    return jax.lax.map(lambda row: entry(*row), below)


@jax.jit
@partial(jax.vmap, in_axes=(0, None))
@partial(jax.vmap, in_axes=(None, 0))
def _inputs(x1: Array, x2: Array) -> Pair:
    """The points as a `Pair`. The sine comes from what of the longer point is perpendicular to the shorter one."""
    a, b, c = jnp.sum(x1**2), jnp.sum(x2**2), jnp.sum(x1 * x2)
    short, long = jnp.where(a <= b, x1, x2), jnp.where(a <= b, x2, x1)
    apart = long - jnp.where(c < 0, -1, 1) * short
    rest = apart - short * _quotient(jnp.sum(short * apart), jnp.sum(short**2))
    return Pair(a, b, c, _quotient(jnp.sum(rest**2), jnp.sum(long**2)))


def _quotient(v: Array, w: Array) -> Array:
    """v / w, and 0 for w = 0."""
    return jnp.where(w > 0, v / jnp.where(w > 0, w, 1), 0)


def _affine(outputs: Pair, w_variance: Array, b_variance: Array, biased: bool) -> Pair:
    """The preactivations W x + b of the next layer."""
    a, b, c = (w_variance * part for part in outputs[:3])
    if not biased:
        return Pair(a, b, c, outputs.sine2)
    distance = w_variance * outputs.distance()
    a_all, b_all = a + b_variance, b + b_variance
    sine2 = a / a_all * (b / b_all) * outputs.sine2 + distance / a_all * (b_variance / b_all)
    return Pair(a_all, b_all, c + b_variance, sine2)


def _largest_std(net: MLP, w_variance: Array, b_variance: Array, x: Array) -> Array:
    """The largest deviation of a preactivation, over points and layers."""
    a, largest = jnp.sum(x**2, axis=1), jnp.zeros(())
    for _ in range(net.depth):
        a = w_variance * a + b_variance
        largest = jnp.maximum(largest, jnp.max(a))
        a = jax.vmap(Quadrature(net.activation).variance)(a)
    return jnp.sqrt(largest)
