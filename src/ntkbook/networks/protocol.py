r"""How a network says where its parameters act, so that its kernels need no gradient of the size of the parameters.

Every network is callable as ``net(params, x_point)``. One that also offers ``apply(params, x_point, affine)`` lets its
parameters act through ``affine(layer, W, u)`` alone, which means :math:`W u`. Whoever passes `affine` then sees the
inputs u of each product and what comes behind it, and a gradient is :math:`\nabla_W f = b u^\top` without a backward
pass by hand. A bias is the weight of an input that is 1.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

__all__ = ["Affine", "plain"]

Network = Callable[[Any, Array], Array]


class Affine(Protocol):
    r"""What `apply` is given for its products: ``affine(layer, W, u)`` is :math:`W u`.

    A network of your own offers ``apply(params, x_point, affine)`` and ``__call__``, is hashable, and gets the
    structured route to all kernels. In `apply` a parameter may be reshaped, transposed or concatenated with others,
    and is then passed to `affine`, once. Each product has a name of its own, `layer`. Where a parameter acts in any
    other way, kernels are differentiated automatically.

    Examples
    --------
    >>> import dataclasses, jax.numpy as jnp, ntkbook
    >>> from ntkbook.networks import plain
    >>> @dataclasses.dataclass(frozen=True)
    ... class Two:
    ...     def apply(self, params, x, affine):
    ...         hidden = affine("inner", params["W"], x) + affine("bias", params["b"][:, None], jnp.ones(1))
    ...         return affine("outer", params["a"], jnp.sin(hidden))
    ...
    ...     def __call__(self, params, x):
    ...         return self.apply(params, x, plain)
    >>> params = {"W": jnp.eye(2), "b": jnp.zeros(2), "a": jnp.ones(2)}
    >>> ntkbook.empirical_kernel(Two(), params, jnp.eye(2), order=3, implementation="structured").shape
    (2, 2, 2)
    """

    def __call__(self, layer: Hashable, W: Array, u: Array) -> Array:
        """W u for W of shape (outputs, inputs), or (inputs,) for a single output, and u of shape (..., inputs)."""


def plain(layer: Hashable, W: Array, u: Array) -> Array:
    """The product itself: u @ W.T, for `__call__` of a network that offers `apply`.

    Parameters
    ----------
    layer
        The product's name, which plays no part.
    W
        Shape (outputs, inputs), or (inputs,).
    u
        Shape (..., inputs).

    Returns
    -------
    Array
        Shape (..., outputs), or (...,).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from ntkbook.networks import plain
    >>> plain("readout", jnp.array([1.0, 2.0]), jnp.ones((3, 2))).tolist()
    [3.0, 3.0, 3.0]
    """
    return u @ W.T


@functools.partial(jax.jit, static_argnames="net", inline=True)
def evaluate(net: Any, params: Any, x: Array) -> Array:
    """f(x, theta) of a network that offers `apply`, compiled as one program."""
    return net.apply(params, x, plain)


# ---------------------------------------------------------------------------------------------------------------------
# Whether what a network offers may be taken at its word
# ---------------------------------------------------------------------------------------------------------------------


class Layer(NamedTuple):
    """One product of a network at one point: a matrix (outputs, inputs) applied at so many positions."""

    outputs: int
    inputs: int
    positions: int


class Unstructured(Exception):
    """Why a network's parameters do not act through `affine` alone."""


def layers(net: Network, params: Any, x: Array) -> tuple[Layer, ...]:
    """The products of a network at one point; raises `Unstructured` where its `apply` may not be taken at its word."""
    found = _layers(net, *_abstract(params, x))
    if isinstance(found, str):
        raise Unstructured(found)
    return found


def output_shape(net: Network, params: Any, x: Array) -> tuple[int, ...]:
    """() for a network with one output, (C,) for one that gives a vector."""
    return evaluated(net, params, x).shape


def evaluated(net: Network, params: Any, x: Array) -> Any:
    """What the network gives for one point of x, as shapes and dtypes."""
    return _evaluated(net, *_abstract(params, x))


def _abstract(params: Any, x: Array) -> tuple[Any, tuple, jax.ShapeDtypeStruct]:
    """The structure of the parameters, and the shapes of their leaves and of one point: all hashable."""
    leaves, structure = jax.tree.flatten(params)
    shapes = tuple(jax.ShapeDtypeStruct(jnp.shape(leaf), leaf.dtype) for leaf in leaves)
    return structure, shapes, jax.ShapeDtypeStruct(x.shape[1:], x.dtype)


def intermediates(net: Network, params: Any, x: Array) -> int:
    """How many numbers evaluating the network at one point makes."""
    return _intermediates(net, *_abstract(params, x))


@functools.lru_cache(maxsize=256)
def _intermediates(net: Any, structure: Any, shapes: tuple, point: jax.ShapeDtypeStruct) -> int:
    traced = jax.make_jaxpr(net)(jax.tree.unflatten(structure, shapes), point)
    return sum(v.aval.size for eqn in traced.eqns for v in eqn.outvars)


@functools.lru_cache(maxsize=256)
def _evaluated(net: Any, structure: Any, shapes: tuple, point: jax.ShapeDtypeStruct) -> Any:
    return jax.eval_shape(net, jax.tree.unflatten(structure, shapes), point)


@functools.lru_cache(maxsize=256)
def _layers(net: Any, structure: Any, shapes: tuple, point: jax.ShapeDtypeStruct) -> tuple[Layer, ...] | str:
    """The products, or why there are none to speak of."""
    if not callable(getattr(net, "apply", None)):
        return "it offers no apply(params, x_point, affine)"
    params = jax.tree.unflatten(structure, shapes)
    try:
        found = _recorded(net, params, point)
        _check_call(net, params, point)
    except Exception as error:  # whatever a function of that name does: the network is then differentiated as it is
        return str(error) if isinstance(error, Unstructured) else f"its apply raised {type(error).__name__}: {error}"
    return found


def _recorded(net: Any, params: Any, point: jax.ShapeDtypeStruct) -> tuple[Layer, ...]:
    """The products of one abstract run, in which no parameter is used but to make a W, and for one W only."""
    found: dict[Hashable, Layer] = {}

    def run(params: Any, x: Array) -> tuple:
        matrices, others = [], []

        def record(layer: Hashable, W: Array, u: Array) -> Array:
            if layer in found:
                raise Unstructured(f"it calls affine twice for layer {layer!r}")
            if W.ndim not in (1, 2) or W.shape[-1:] != u.shape[-1:]:
                raise Unstructured(f"affine of layer {layer!r} gets W of shape {W.shape} for u of shape {u.shape}")
            found[layer] = Layer(math.prod(W.shape[:-1]), W.shape[-1], math.prod(u.shape[:-1]))
            matrices.append(W)
            others.append(u)
            return jnp.zeros(u.shape[:-1] + W.shape[:-1], jnp.result_type(u, W))  # no parameter's doing

        others.append(net.apply(params, x, record))
        return matrices, others

    traced = jax.make_jaxpr(run)(params, point)
    if any(isinstance(constant, jax.core.Tracer) for constant in traced.consts):
        raise Unstructured("it calls affine inside of jit, vmap, scan or checkpoint, or holds traced values itself")
    parameters = traced.jaxpr.invars[: len(jax.tree.leaves(params))]
    _check_uses(traced.jaxpr, parameters, traced.jaxpr.outvars[: len(found)])
    return tuple(found.values())


# What only moves entries about. A name that another JAX has for one of them costs the structured route, no more.
_REARRANGING = {"reshape", "transpose", "squeeze", "broadcast_in_dim", "concatenate"}


def _check_uses(jaxpr: Any, parameters: list, matrices: list) -> None:
    """Refuse matrices that are not rearranged parameters, and parameters used more than once or elsewhere."""
    is_variable = lambda v: not hasattr(v, "val")  # noqa: E731  # the rest are literal constants
    uses = Counter(v for eqn in jaxpr.eqns for v in eqn.invars if is_variable(v))
    uses.update(v for v in jaxpr.outvars if is_variable(v))
    made_by = {v: eqn for eqn in jaxpr.eqns for v in eqn.outvars}
    seen = set()

    def follow(v: Any) -> None:
        if v in parameters and uses[v] == 1:
            seen.add(v)
            return
        if is_variable(v) and uses[v] > 1:
            raise Unstructured("it uses a parameter more than once")
        eqn: Any = made_by.get(v) if is_variable(v) else None
        moves_about = eqn is not None and eqn.primitive.name in _REARRANGING
        if not moves_about or v.aval.size != sum(u.aval.size for u in eqn.invars):
            raise Unstructured("it passes a W to affine that is not made of parameters alone, rearranged")
        for u in eqn.invars:
            follow(u)

    for v in matrices:
        follow(v)
    if any(uses[v] for v in parameters if v not in seen):
        raise Unstructured("a parameter acts otherwise than through affine")


def _check_call(net: Any, params: Any, point: jax.ShapeDtypeStruct) -> None:
    """Refuse an `apply` that is not what a call gives, at random parameters and a random point."""
    random = np.random.default_rng(0)
    params, x = jax.tree.map(lambda a: random.normal(size=a.shape).astype(a.dtype), (params, point))
    with jax.ensure_compile_time_eval():
        called, applied = jax.jit(lambda params, x: (net(params, x), net.apply(params, x, plain)))(params, x)
        same = jnp.shape(called) == jnp.shape(applied) and np.allclose(
            called, applied, rtol=1e3 * np.finfo(x.dtype).eps, atol=0, equal_nan=True
        )
    if not same:
        raise Unstructured("its apply with the plain product is not what calling it gives")
