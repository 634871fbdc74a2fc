r"""The recursion that makes all kernels, on any representation of a gradient.

Moving the parameters along the gradient of the output at a training point,

.. math:: K^{(k+1)}(x_1, \ldots, x_k, x_c) = \frac{d}{ds} K^{(k)}(x_1, \ldots, x_k)\Big|_{\theta + s \nabla f_c}
          \quad\text{at } s = 0,

where everything in K^(k), the earlier gradients included, is taken at the moved parameters.
"""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import Array

__all__: list[str] = []


class Gradients(Protocol):
    """What the recursion asks of a representation. A state stands for moved parameters."""

    @property
    def outputs(self) -> int:
        """C, the number of outputs of the network, 1 for a scalar one."""

    @property
    def output_axes(self) -> Any:
        """Where the gradients of one point have their axis of outputs, as vmap's in_axes; None for scalar outputs."""

    def start(self) -> Any:
        """The state of the parameters themselves."""

    def at(self, state: Any, x: Array) -> Any:
        """The gradients of f at each point of x, a pytree with leading axis n."""

    def move(self, state: Any, s: Array, gradient: Any) -> Any:
        """The state of theta + s * gradient of one output, needed near s = 0 and to first order only."""

    def inner(self, left: Any, right: Any) -> Array:
        """All inner products of two families of gradients, shape (n', n), or (n', C, n, C) for C outputs."""

    def held(self, k: int, n: int, order: int, directions: float) -> float:
        """How many numbers K^(order) at k times n points holds at once, an upper bound of what XLA was seen to ask for.

        `directions` counts the combinations of slots 3, ..., k.
        """


def kernel(gradients: Gradients, state: Any, first: Array, x: Array, later: tuple[Array, ...]) -> Array:
    """K^(k) at a state. Its slots run over the points `first`, `x`, and one family of `later` for each of 3, ..., k."""
    if not later:
        return gradients.inner(gradients.at(state, first), gradients.at(state, x))

    def slope_along(gradient: Any) -> Array:
        zero = jnp.zeros((), x.dtype)
        moved = lambda s: kernel(gradients, gradients.move(state, s, gradient), first, x, later[:-1])  # noqa: E731
        return jax.jvp(moved, (zero,), (jnp.ones_like(zero),))[1]

    along, families = jax.vmap(slope_along, out_axes=-1), gradients.at(state, later[-1])
    if gradients.output_axes is None:
        return along(families)
    # A slot is a pair of point and output.
    if gradients.output_axes == 0:  # one axis for both: XLA ends the process at products of eight axes
        slopes = along(jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), families))
        return slopes.reshape(*slopes.shape[:-1], -1, gradients.outputs)
    return jax.vmap(jax.vmap(slope_along, (gradients.output_axes,), out_axes=-1), out_axes=-2)(families)
