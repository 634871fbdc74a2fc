r"""The products that the structured routes are made of, with derivatives that keep their cost down.

A move of the parameters is theta + s * gradient near s = 0: its value is that of theta, its derivative in s is not.
Two things decide the speed under a vmap over directions. What does not depend on the direction must stay unbatched, and
the big operand of a matrix of inner products must stay on the left.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero

__all__: list[str] = []


@jax.custom_jvp
def first_order(s: Array, v: Array) -> Array:
    """s * v near s = 0. Its value is a zero that does not depend on v, so a vmap over v leaves it unbatched."""
    return jnp.zeros(v.shape, v.dtype)


@partial(first_order.defjvp, symbolic_zeros=True)
def _first_order_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    (s, v), (ds, dv) = primals, tangents
    value = slope = first_order(s, v)
    if not isinstance(dv, SymbolicZero):
        # s dv is zero too, but its derivative in s is not: a later move passes through what v was made of.
        slope = first_order(s, dv)
    if not isinstance(ds, SymbolicZero):  # for every other move ds * v would be a zero batched over v
        slope = slope + ds * v
    return value, slope


@jax.custom_jvp
def halved_product(x: Array, W: Array) -> Array:
    """x W^T. For few points in two halves, which XLA divides better among cores; its derivative is whole."""
    if len(x) > 64 or len(W) % 2:
        return x @ W.T
    halves = jnp.einsum("ni,hji->hnj", x, W.reshape(2, -1, W.shape[1]))
    return jnp.concatenate([halves[0], halves[1]], axis=1)


@jax.custom_jvp
def inner(u: Array, v: Array) -> Array:
    """u v^T. Its derivative keeps the perturbed factor, the big one under vmap, on the left."""
    return u @ v.T


def _product_rule(multiply: Callable[[Array, Array], Array], primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """u v^T by `multiply`, and its derivative."""
    (u, v), (du, dv) = primals, tangents
    value = multiply(u, v)
    slope = jnp.zeros_like(value)
    if not isinstance(du, SymbolicZero):
        slope = slope + inner(du, v)
    if not isinstance(dv, SymbolicZero):
        slope = slope + inner(dv, u).T
    return value, slope


halved_product.defjvp(partial(_product_rule, halved_product), symbolic_zeros=True)
inner.defjvp(partial(_product_rule, inner), symbolic_zeros=True)


class Move(NamedTuple):
    """A move of a matrix W: W + s * sum_p backward_p forward_p^T, over positions p."""

    s: Array
    forward: Array  # (positions, inputs)
    backward: Array  # (positions, outputs)


def _moved(W: Array, moves: tuple[Move, ...], u: Array) -> Array:
    """(W + s sum_p b_p x_p^T) u = W u + s sum_p <x_p, u> b_p, for each row of u, to first order in every s."""
    h = u @ W.T
    for s, x, b in moves:
        h = h + first_order(s, (u @ x.T) @ b)
    return h


@jax.custom_vjp
def moved_product(W: Array, moves: tuple[Move, ...], u: Array, injected: Array) -> Array:
    """The product of a moved W with each row of u, and a zero behind it, with respect to which one differentiates.

    Reverse mode alone would turn `first_order` into its value, zero: the transposed product is stated with its moves.
    """
    return _moved(W, moves, u) + injected


def _forwards(W: Array, moves: tuple[Move, ...], u: Array, injected: Array) -> tuple[Array, tuple]:
    return _moved(W, moves, u) + injected, (W, moves)


def _backwards(residuals: tuple, b: Array) -> tuple:
    W, moves = residuals
    transposed = tuple(Move(s, forward=b_c, backward=x_c) for s, x_c, b_c in moves)
    return None, None, _moved(W.T, transposed, b), b  # W and its moves are held fixed


moved_product.defvjp(_forwards, _backwards)
