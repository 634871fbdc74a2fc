r"""Gradients as pairs of vectors for each product, for networks that say where their parameters act.

Behind :math:`h_p = W u_p` at positions p, :math:`\nabla_W f = \sum_p b_p u_p^\top` with
:math:`b_p = \partial f / \partial h_p`: the derivative with respect to a zero injected there. No backward pass is
written by hand, and nothing of the size of W is formed.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook.kernels.products import Move, inner, moved_product
from ntkbook.networks.protocol import Layer

__all__: list[str] = []


class LayerGradients(NamedTuple):
    """The gradients of a network's outputs, one entry a product; at several points with a leading axis."""

    forward: tuple[Array, ...]  # the inputs u, (positions, inputs)
    backward: tuple[Array, ...]  # b, (positions, outputs), or (C, positions, outputs) for C outputs of the network


@dataclass(frozen=True)
class StructuredGradients:
    """Gradients of a network with `apply`. A state is a tuple of moves (s, gradient), never formed as weights."""

    net: Any
    params: Any
    layers: tuple[Layer, ...]
    output_shape: tuple[int, ...]

    @property
    def outputs(self) -> int:
        return math.prod(self.output_shape)

    @property
    def output_axes(self) -> LayerGradients | None:
        return LayerGradients(forward=None, backward=0) if self.output_shape else None  # type: ignore[arg-type]

    def start(self) -> tuple:
        return ()

    def move(self, state: tuple, s: Array, gradient: LayerGradients) -> tuple:
        return (*state, (s, gradient))

    def at(self, state: tuple, x: Array) -> LayerGradients:
        return jax.vmap(lambda point: self._at_point(state, point))(x)

    def _at_point(self, state: tuple, point: Array) -> LayerGradients:
        def output(injected: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
            inputs: list[Array] = []

            def affine(layer: Hashable, W: Array, u: Array) -> Array:
                k, rows = len(inputs), u.reshape(-1, u.shape[-1])
                inputs.append(rows)
                moves = tuple(Move(s, g.forward[k], g.backward[k]) for s, g in state)
                h = moved_product(jnp.atleast_2d(W), moves, rows, injected[k])
                return h.reshape(u.shape[:-1] + W.shape[:-1])

            return self.net.apply(self.params, point, affine), tuple(inputs)

        zeros = tuple(jnp.zeros((layer.positions, layer.outputs), point.dtype) for layer in self.layers)
        f, pull_back, inputs = jax.vjp(output, zeros, has_aux=True)
        if not self.output_shape:
            return LayerGradients(inputs, *pull_back(jnp.ones_like(f)))
        return LayerGradients(inputs, *jax.vmap(pull_back)(jnp.eye(len(f), dtype=f.dtype)))

    def inner(self, left: LayerGradients, right: LayerGradients) -> Array:
        pairs = zip(zip(*left, strict=True), zip(*right, strict=True), strict=True)
        total, *others = [self._inner(*u_b, *v_c) for u_b, v_c in pairs]
        return sum(others, start=total)

    def _inner(self, u: Array, b: Array, v: Array, c: Array) -> Array:
        """sum_pq <b_p, c_q> <u_p, v_q> for every pair of slots."""
        k, n, positions = len(u), len(v), u.shape[1]
        C = self.outputs
        X = inner(u.reshape(k * positions, u.shape[-1]), v.reshape(n * positions, v.shape[-1]))
        B = inner(b.reshape(k * C * positions, b.shape[-1]), c.reshape(n * C * positions, c.shape[-1]))
        X, B = X.reshape(k, 1, positions, n, 1, positions), B.reshape(k, C, positions, n, C, positions)
        return (B * X).sum((2, 5)).reshape(k, *self.output_shape, n, *self.output_shape)

    def held(self, k: int, n: int, order: int, directions: float) -> float:
        C = self.outputs
        gradients = sum(layer.positions * (layer.inputs + C * layer.outputs) for layer in self.layers)
        products = sum(layer.positions**2 * (1 + 2 * C**2) for layer in self.layers)
        return held_by_pairs(gradients * (k + n) + products * k * n, order, directions)


def held_by_pairs(numbers: float, order: int, directions: float) -> float:
    """What XLA was seen to hold, for so many numbers in gradients and their products."""
    if order == 2:
        return 1.2 * numbers
    return (2 + 1.3 * 1.6 ** (order - 3) * directions) * numbers
