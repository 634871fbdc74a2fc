"""The chapter "Deriving the hierarchy": the values of all terms of the first kernels, for one network."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import ntkbook
from ntkbook import terms

__all__: list[str] = []

ORDERS = (2, 3, 4)
INPUT_DIM = 6


def term_values(*, depth: int, width: int, activation: str) -> np.ndarray:
    """For each order the value of every term in its order, then the kernel from `ntkbook.kernel_hierarchy`.

    One network a width, at four points on the unit sphere of R^6, one a slot; float64, in one row.
    """
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=width, depth=depth, activation=activation)
        x = ntkbook.data.sphere_points(jax.random.key(2), max(ORDERS), INPUT_DIM)
        draw = np.random.default_rng(width).standard_normal  # JAX would compile a generator for every width
        shapes = [(width, INPUT_DIM if layer == 0 else width) for layer in range(depth)]
        weights = tuple(jnp.asarray(draw(shape)) for shape in shapes)
        params = ntkbook.MLPParams(weights, jnp.asarray(draw(width)))
        kernels = ntkbook.kernel_hierarchy(net, params, x, max_order=max(ORDERS)).kernels
        parts: list[np.ndarray] = []
        for order in ORDERS:
            entry = tuple(range(order))
            each = terms.evaluate_each(terms.kernel_terms(order, depth), net, params, x[:order])
            parts += [np.asarray(each[(slice(None), *entry)]), np.asarray(kernels[order][entry])[None]]
        return np.concatenate(parts)
