"""Checks of networks, parameters and points, made before any computation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook import _checks
from ntkbook.networks.fully_connected import MLP, check_params
from ntkbook.networks.protocol import Network, evaluated

__all__: list[str] = []

_PARTITION = (
    "Split off what is not trained: params, static = equinox.partition({it}, equinox.is_inexact_array), or nnx.split; "
    "and pass a function that puts both together: lambda params, x_point: equinox.combine(params, static)(x_point)."
)


def check_network(net: Network, params: Any, x: Array, x_test: Array | None) -> tuple[Array, Array | None]:
    """`x` and `x_test` as checked arrays that the network accepts with these parameters."""
    x = _checks.points(x, "x")
    if x_test is not None:
        x_test = _checks.points(x_test, "x_test")
        if x_test.shape[1] != x.shape[1]:
            raise ValueError(
                f"x_test must have the {x.shape[1]} coordinates of x, got shape {x_test.shape}. "
                "Embed test points as the training points were."
            )
    if type(net) is MLP:
        check_params(net, params, x)
    else:
        _check_function(net, params, x)
    _checks.same_dtype(params=params, x=x, x_test=x_test)
    return x, x_test


def _check_function(net: Network, params: Any, x: Array) -> None:
    """Refuse a network of the user's own that the recursion cannot differentiate."""
    _check_net(net)
    if not jax.tree.leaves(params):
        raise ValueError(f"params must hold at least one array, got {params!r}. Pass what the network is trained in.")
    for path, leaf in jax.tree.leaves_with_path(params):
        _check_leaf(leaf, jax.tree_util.keystr(path))
    _checks.same_dtype(params=params, x=x)
    try:
        output = evaluated(net, params, x)
    except (IndexError, TypeError, ValueError) as error:
        error.add_note(
            f"This is the network's: net(params, x_point) gets one point of shape {x.shape[1:]}, not a batch."
        )
        raise
    fits = isinstance(output, jax.ShapeDtypeStruct) and len(output.shape) <= 1 and output.dtype == x.dtype
    if not fits or 0 in output.shape:
        raise ValueError(
            f"net(params, x_point) must give one scalar, or one vector of outputs, of dtype {x.dtype}, got {output}. "
            "Squeeze a scalar to shape (), ravel several outputs to shape (C,), convert them with astype."
        )


def _check_net(net: Network) -> None:
    if not callable(net):
        raise TypeError(
            f"net must be callable as net(params, x_point), got {net!r}. Pass ntkbook.mlp(...) or a function."
        )
    if any(hasattr(leaf, "dtype") for leaf in jax.tree.leaves(net)):
        raise TypeError(
            f"net must be a function of parameters and a point, got a {type(net).__name__} that holds its own arrays. "
            + _PARTITION.format(it="net")
        )
    try:
        hash(net)
    except TypeError as error:
        raise TypeError(
            f"net must be hashable, so that it is compiled once, got a {type(net).__name__}. "
            "Wrap it: lambda params, x_point: net(params, x_point)."
        ) from error


def _check_leaf(leaf: Any, path: str) -> None:
    _checks.refuse_silent_downcast(leaf, "params")
    dtype = getattr(leaf, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        received = f"{type(leaf).__name__} {leaf!r}" if dtype is None else f"an array of {dtype}"
        raise TypeError(
            f"params must hold floating arrays alone, got at params{path} {received}. " + _PARTITION.format(it="model")
        )
