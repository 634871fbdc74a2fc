"""Gradients as pytrees like the parameters, by automatic differentiation: for any network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook.networks.protocol import Network

__all__: list[str] = []


@dataclass(frozen=True)
class TreeGradients:
    """Gradients of any f(params, x); those of a vector have an axis of outputs behind that of points."""

    f: Network
    params: Any
    output_shape: tuple[int, ...]
    intermediates: int = 0  # numbers that the evaluation of one point makes, which reverse mode keeps

    @property
    def outputs(self) -> int:
        return math.prod(self.output_shape)

    @property
    def output_axes(self) -> int | None:
        return 0 if self.output_shape else None

    def start(self) -> Any:
        return self.params

    def at(self, state: Any, x: Array) -> Any:
        gradient = jax.jacrev(self.f) if self.output_shape else jax.grad(self.f)
        return jax.vmap(gradient, in_axes=(None, 0))(state, x)

    def move(self, state: Any, s: Array, gradient: Any) -> Any:
        return jax.tree.map(lambda theta, v: theta + s * v, state, gradient)

    def inner(self, left: Any, right: Any) -> Array:
        def leaf(theta: Array, u: Array, v: Array) -> Array:
            slots, others = (g.shape[: g.ndim - theta.ndim] for g in (u, v))
            u, v = u.reshape(math.prod(slots), theta.size), v.reshape(math.prod(others), theta.size)
            return (u @ v.T).reshape(*slots, *others)

        return jax.tree.reduce(jnp.add, jax.tree.map(leaf, self.params, left, right))

    def held(self, k: int, n: int, order: int, directions: float) -> float:
        sizes = sum(leaf.size for leaf in jax.tree.leaves(self.params))
        numbers = (k + n) * (self.outputs * sizes + self.intermediates)
        if order == 2:
            return 1.4 * numbers
        return (2 + 2.2 * 4.0 ** (order - 3) * directions) * numbers
