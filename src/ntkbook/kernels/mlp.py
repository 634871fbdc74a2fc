r"""Rank-one gradients of the `mlp`, written by hand: several times faster than those of any network with layers.

:math:`\nabla_{W^{(\ell)}} f_c = b_c^{(\ell)} (x_c^{(\ell-1)})^\top` has rank one: one pair of vectors a layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook.kernels.layers import held_by_pairs
from ntkbook.kernels.products import first_order, halved_product, inner
from ntkbook.networks.fully_connected import MLP, MLPParams

__all__: list[str] = []


class RankOneGradients(NamedTuple):
    """grad_{W^(l)} f = backward[l-1] forward[l-1]^T and grad_a f = forward[H], for each point (leading axis n).

    A bias is the weight of an input that is 1: grad_{b^(l)} f = backward[l-1].
    """

    forward: tuple[Array, ...]  # x^(0), ..., x^(H)
    backward: tuple[Array, ...]  # b^(1), ..., b^(H)


@dataclass(frozen=True)
class MLPGradients:
    """Rank-one gradients of an `mlp`. A state is a tuple of moves (s, gradient), never formed as weights."""

    net: MLP
    params: MLPParams
    outputs: int = 1
    output_axes: None = None

    def start(self) -> tuple:
        return ()

    def move(self, state: tuple, s: Array, gradient: RankOneGradients) -> tuple:
        return (*state, (s, gradient))

    def at(self, state: tuple, x: Array) -> RankOneGradients:
        scale = 1 / jnp.sqrt(jnp.asarray(self.net.width, x.dtype))
        forward, slopes = [x], []
        for ell, W in enumerate(self.params.weights):
            h = halved_product(x, W)
            if self.params.biases:
                h = h + self.params.biases[ell][None]
            for s, g in state:  # (W + s b_c x_c^T) x = W x + s <x_c, x> b_c
                h = h + first_order(s, jnp.outer(self._with_bias(x @ g.forward[ell]), g.backward[ell]))
            value, slope = self.net.activation.with_derivative(h)
            x = scale * value
            forward.append(x)
            slopes.append(scale * slope)
        b = self.params.readout
        for s, g in state:
            b = b + first_order(s, g.forward[-1])
        b = b[None]  # the same at every point
        backward: list[Array] = []
        for ell in reversed(range(self.net.depth)):
            b = slopes[ell] * b
            backward.insert(0, b)
            if ell > 0:
                product = b @ self.params.weights[ell]
                for s, g in state:  # (W + s b_c x_c^T)^T b = W^T b + s <b_c, b> x_c
                    product = product + first_order(s, jnp.outer(b @ g.backward[ell], g.forward[ell]))
                b = product
        return RankOneGradients(tuple(forward), tuple(backward))

    def inner(self, left: RankOneGradients, right: RankOneGradients) -> Array:
        return jax.tree.reduce(jnp.add, self.inner_by_layer(left, right))

    def inner_by_layer(self, left: RankOneGradients, right: RankOneGradients) -> list[Array]:
        forward = [inner(u, v) for u, v in zip(left.forward, right.forward, strict=True)]
        backward = [inner(u, v) for u, v in zip(left.backward, right.backward, strict=True)]
        return [B * self._with_bias(X) for B, X in zip(backward, forward[:-1], strict=True)] + [forward[-1]]

    def held(self, k: int, n: int, order: int, directions: float) -> float:
        layers = self.net.depth
        return held_by_pairs(2 * layers * self.net.width * (k + n) + 3 * (layers + 1) * k * n, order, directions)

    def _with_bias(self, products: Array) -> Array:
        """<x, x'>, one more where a bias is the weight of an input that is 1."""
        return products + 1 if self.params.biases else products
