"""Which representation of gradients a network's kernels are computed with."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import jax
from jax import Array

from ntkbook.kernels.blocks import Slots
from ntkbook.kernels.layers import StructuredGradients
from ntkbook.kernels.mlp import MLPGradients
from ntkbook.kernels.recursion import Gradients, kernel
from ntkbook.kernels.tree import TreeGradients
from ntkbook.networks.fully_connected import MLP, MLPParams
from ntkbook.networks.protocol import Layer, Network, Unstructured, intermediates, layers, output_shape

__all__: list[str] = []

Implementation = Literal["structured", "autodiff"]


def choose(net: Network, params: Any, x: Array, implementation: Implementation | None) -> Implementation:
    """The implementation that was asked for, if it is possible, else the first possible one that gains."""
    if implementation not in (None, "structured", "autodiff"):
        raise ValueError(f"implementation must be 'structured' or 'autodiff', got {implementation!r}. Leave it out.")
    if implementation == "autodiff" or _has_own_rule(net):
        return implementation or "structured"
    try:
        found = layers(net, params, x)
    except Unstructured as reason:
        if implementation == "structured":
            raise ValueError(
                "implementation='structured' wants a network whose parameters act through affine alone, as "
                f"ntkbook.networks.Affine has it, got {type(net).__name__}: {reason}. Use 'autodiff'."
            ) from None
        return "autodiff"
    return implementation or ("structured" if _gains(found) else "autodiff")


def representation(net: Network, params: Any, x: Array, implementation: Implementation) -> Gradients:
    """The gradients of a network in the representation of an implementation."""
    if implementation == "autodiff":
        return TreeGradients(net, params, output_shape(net, params, x), intermediates(net, params, x))
    if _has_own_rule(net):
        return MLPGradients(net, params)  # type: ignore[arg-type]
    return StructuredGradients(net, params, layers(net, params, x), output_shape(net, params, x))


def _has_own_rule(net: Network) -> bool:
    """Exactly the plain `mlp`: of a class derived from it nothing is known but what it offers."""
    return type(net) is MLP


def _gains(found: tuple[Layer, ...]) -> bool:
    """Whether pairs of positions cost less than gradients of the size of the parameters."""
    pairs = sum(layer.positions**2 * (layer.inputs + layer.outputs) for layer in found)
    return pairs < sum(layer.positions * layer.inputs * layer.outputs for layer in found)


@partial(jax.jit, static_argnames=("net", "implementation"))
def compute_kernel(net: Network, params: Any, x: Array, slots: Slots, implementation: Implementation) -> Array:
    gradients = representation(net, params, x, implementation)
    first, second, *later = (x if points is None else points for points in slots)
    return kernel(gradients, gradients.start(), first, second, tuple(later))


@partial(jax.jit, static_argnames=("net",))
def compute_outputs(net: Network, params: Any, x: Array) -> Array:
    return jax.vmap(net, in_axes=(None, 0))(params, x)


@partial(jax.jit, static_argnames=("net",))
def compute_layer_kernels(net: MLP, params: MLPParams, x: Array) -> Array:
    gradients = MLPGradients(net, params)
    g = gradients.at(gradients.start(), x)
    return jax.numpy.stack(gradients.inner_by_layer(g, g))
