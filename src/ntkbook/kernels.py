r"""The empirical kernels K^(2), K^(3), ... of the neural tangent hierarchy, (1.7) and (2.2).

All of them come from one recursion. Moving the parameters along the gradient of the output at a training point,

.. math:: K^{(r+1)}(x_1, \ldots, x_r, x_c) = \frac{d}{ds} K^{(r)}(x_1, \ldots, x_r)\Big|_{\theta + s \nabla f_c}
          \quad\text{at } s = 0,

where everything in K^(r), the earlier gradients included, is taken at the moved parameters. The recursion runs on one
of two representations of a gradient: a pytree like the parameters (any network), or for the `mlp` one pair of vectors a
layer, since :math:`\nabla_{W^{(\ell)}} f_c = b_c^{(\ell)} (x_c^{(\ell-1)})^\top` has rank one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from ntkbook import _checks, _progress
from ntkbook.networks import MLP, MLPParams, check_params

__all__ = ["KernelHierarchy", "empirical_kernel", "empirical_ntk", "kernel_hierarchy", "layer_kernels"]

Network = Callable[[Any, Array], Array]
_Slots = tuple[Array | None, ...]  # the points of each slot; None: those of x, so that what they share is computed once
_Map = Callable[[Callable[[Array], Array], Array], Array]  # of a function over the leading axis
Implementation = Literal["structured", "autodiff"]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["outputs", "kernels", "test_outputs", "test_kernels"],
    meta_fields=[],
)
@dataclass(frozen=True)
class KernelHierarchy:
    """The outputs and kernels of one network at one moment: what the truncated hierarchy (2.7) starts from.

    Parameters
    ----------
    outputs
        f at the n training points, shape (n,).
    kernels
        K^(r) for r = 2, 3, ...: ``kernels[r]`` has shape (n,) * r and is symmetric in its first two slots only.
    test_outputs
        f at the k test points, shape (k,), or None.
    test_kernels
        K^(r) with the test point in the first slot: ``test_kernels[r]`` has shape (k,) + (n,) * (r - 1); or None.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> by_hand = ntkbook.KernelHierarchy(outputs=jnp.zeros(2), kernels={2: jnp.eye(2)})
    >>> by_hand.max_order
    2
    """

    outputs: Array
    kernels: dict[int, Array]
    test_outputs: Array | None = None
    test_kernels: dict[int, Array] | None = field(default=None)

    @property
    def max_order(self) -> int:
        """The largest r for which K^(r) is held."""
        return max(self.kernels)


# ---------------------------------------------------------------------------------------------------------------------
# Two representations of a gradient
# ---------------------------------------------------------------------------------------------------------------------


class _Gradients(Protocol):
    """What the recursion asks of a representation. A state stands for moved parameters."""

    def start(self) -> Any:
        """The state of the parameters themselves."""

    def at(self, state: Any, x: Array) -> Any:
        """The gradients of f at each point of x, a pytree with leading axis n."""

    def move(self, state: Any, s: Array, gradient: Any) -> Any:
        """The state of theta + s * gradient, needed near s = 0 and to first order only."""

    def inner(self, left: Any, right: Any) -> Array:
        """All inner products of two families of gradients, shape (k, n)."""


@dataclass(frozen=True)
class _TreeGradients:
    """Gradients as pytrees like the parameters, for any network f(params, x)."""

    f: Network
    params: Any

    def start(self) -> Any:
        return self.params

    def at(self, state: Any, x: Array) -> Any:
        return jax.vmap(jax.grad(self.f), in_axes=(None, 0))(state, x)

    def move(self, state: Any, s: Array, gradient: Any) -> Any:
        return jax.tree.map(lambda theta, v: theta + s * v, state, gradient)

    def inner(self, left: Any, right: Any) -> Array:
        def leaf(u: Array, v: Array) -> Array:
            return u.reshape(len(u), -1) @ v.reshape(len(v), -1).T

        return jax.tree.reduce(jnp.add, jax.tree.map(leaf, left, right))


class _RankOneGradients(NamedTuple):
    """grad_{W^(l)} f = backward[l-1] forward[l-1]^T and grad_a f = forward[H], for each point (leading axis n)."""

    forward: tuple[Array, ...]  # x^(0), ..., x^(H)
    backward: tuple[Array, ...]  # b^(1), ..., b^(H)


@dataclass(frozen=True)
class _MLPGradients:
    """Rank-one gradients of an `mlp`. A state is a tuple of moves (s, gradient), never formed as weights."""

    net: MLP
    params: MLPParams

    def start(self) -> tuple:
        return ()

    def move(self, state: tuple, s: Array, gradient: _RankOneGradients) -> tuple:
        return (*state, (s, gradient))

    def at(self, state: tuple, x: Array) -> _RankOneGradients:
        scale = 1 / jnp.sqrt(jnp.asarray(self.net.width, x.dtype))
        forward, slopes = [x], []
        for ell, W in enumerate(self.params.weights):
            h = _forward(x, W)
            for s, g in state:  # (W + s b_c x_c^T) x = W x + s <x_c, x> b_c
                h = h + _first_order(s, jnp.outer(x @ g.forward[ell], g.backward[ell]))
            value, slope = self.net.activation.with_derivative(h)
            x = scale * value
            forward.append(x)
            slopes.append(scale * slope)
        b = self.params.readout
        for s, g in state:
            b = b + _first_order(s, g.forward[-1])
        b = b[None]  # the same at every point
        backward: list[Array] = []
        for ell in reversed(range(self.net.depth)):
            b = slopes[ell] * b
            backward.insert(0, b)
            if ell > 0:
                product = b @ self.params.weights[ell]
                for s, g in state:  # (W + s b_c x_c^T)^T b = W^T b + s <b_c, b> x_c
                    product = product + _first_order(s, jnp.outer(b @ g.backward[ell], g.forward[ell]))
                b = product
        return _RankOneGradients(tuple(forward), tuple(backward))

    def inner(self, left: _RankOneGradients, right: _RankOneGradients) -> Array:
        return jax.tree.reduce(jnp.add, self.inner_by_layer(left, right))

    def inner_by_layer(self, left: _RankOneGradients, right: _RankOneGradients) -> list[Array]:
        forward = [_inner(u, v) for u, v in zip(left.forward, right.forward, strict=True)]
        backward = [_inner(u, v) for u, v in zip(left.backward, right.backward, strict=True)]
        return [B * X for B, X in zip(backward, forward[:-1], strict=True)] + [forward[-1]]


@jax.custom_jvp
def _first_order(s: Array, v: Array) -> Array:
    """s * v near s = 0. Its value is a zero that does not depend on v, so a vmap over v leaves it unbatched."""
    return jnp.zeros(v.shape, v.dtype)


@partial(_first_order.defjvp, symbolic_zeros=True)
def _first_order_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    (s, v), (ds, dv) = primals, tangents
    value = slope = _first_order(s, v)
    if not isinstance(dv, SymbolicZero):
        # s dv is zero too, but its derivative in s is not: a later move passes through what v was made of.
        slope = _first_order(s, dv)
    if not isinstance(ds, SymbolicZero):  # for every other move ds * v would be a zero batched over v
        slope = slope + ds * v
    return value, slope


@jax.custom_jvp
def _forward(x: Array, W: Array) -> Array:
    """x W^T. For few points in two halves, which XLA divides better among cores; its derivative is whole."""
    if len(x) > 64 or len(W) % 2:
        return x @ W.T
    halves = jnp.einsum("ni,hji->hnj", x, W.reshape(2, -1, W.shape[1]))
    return jnp.concatenate([halves[0], halves[1]], axis=1)


@jax.custom_jvp
def _inner(u: Array, v: Array) -> Array:
    """u v^T. Its derivative keeps the perturbed factor, the big one under vmap, on the left."""
    return u @ v.T


def _product_rule(product: Callable[[Array, Array], Array], primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """u v^T by `product`, and its derivative."""
    (u, v), (du, dv) = primals, tangents
    value = product(u, v)
    slope = jnp.zeros_like(value)
    if not isinstance(du, SymbolicZero):
        slope = slope + _inner(du, v)
    if not isinstance(dv, SymbolicZero):
        slope = slope + _inner(dv, u).T
    return value, slope


_forward.defjvp(partial(_product_rule, _forward), symbolic_zeros=True)
_inner.defjvp(partial(_product_rule, _inner), symbolic_zeros=True)


# ---------------------------------------------------------------------------------------------------------------------
# The recursion
# ---------------------------------------------------------------------------------------------------------------------


def _kernel(gradients: _Gradients, state: Any, first: Array, x: Array, later: tuple[Array, ...]) -> Array:
    """K^(r) at a state. Its slots run over the points `first`, `x`, and one family of `later` for each of 3, ..., r."""
    if not later:
        return gradients.inner(gradients.at(state, first), gradients.at(state, x))

    def slope_along(gradient: Any) -> Array:
        zero = jnp.zeros((), x.dtype)
        moved = lambda s: _kernel(gradients, gradients.move(state, s, gradient), first, x, later[:-1])  # noqa: E731
        return jax.jvp(moved, (zero,), (jnp.ones_like(zero),))[1]

    return jax.vmap(slope_along, out_axes=-1)(gradients.at(state, later[-1]))


def _kernel_in_blocks(
    compute: Callable[[_Slots], Array], x: Array, slots: _Slots, directions: int, each: _Map, slot: int
) -> Array:
    """K^(r), at most so many combinations of the slots 3, ..., r at once; slots beyond `slot` are chosen already."""
    if slot == 2:
        return compute(slots)

    def inside(points: Array | None) -> Array:
        chosen = (*slots[: slot - 1], points, *slots[slot:])
        return _kernel_in_blocks(compute, x, chosen, directions, each, slot - 1)

    n = len(x)
    size = max(1, directions // n ** (slot - 3))  # the earlier slots are taken whole as long as they fit
    if size >= n:
        return inside(slots[slot - 1])
    blocks = jnp.concatenate([x, x[: -n % size]]).reshape(-1, size, x.shape[1])
    K = jnp.moveaxis(each(inside, blocks), 0, slot - 1)
    K = K.reshape(*K.shape[: slot - 1], -1, *K.shape[slot + 1 :])
    return jax.lax.slice_in_dim(K, 0, n, axis=slot - 1)


def _one_by_one(what: str, progress: bool) -> _Map:
    """`jax.lax.map` outside of compiled code, where it is twice as fast on CPU and can show how far it is."""

    def each(f: Callable[[Array], Array], blocks: Array) -> Array:
        bar = _progress.steps(range(len(blocks)), what, wanted=progress)
        return jnp.stack([jax.block_until_ready(f(blocks[k])) for k in bar])  # one at a time in memory

    return each


def _representation(net: Network, params: Any, implementation: Implementation) -> _Gradients:
    return _MLPGradients(net, params) if implementation == "structured" else _TreeGradients(net, params)  # type: ignore


@partial(jax.jit, static_argnames=("net", "implementation"))
def _compute_kernel(net: Network, params: Any, x: Array, slots: _Slots, implementation: Implementation) -> Array:
    gradients = _representation(net, params, implementation)
    first, second, *later = (x if points is None else points for points in slots)
    return _kernel(gradients, gradients.start(), first, second, tuple(later))


@partial(jax.jit, static_argnames=("net",))
def _compute_outputs(net: Network, params: Any, x: Array) -> Array:
    return jax.vmap(net, in_axes=(None, 0))(params, x)


@partial(jax.jit, static_argnames=("net",))
def _compute_layer_kernels(net: MLP, params: MLPParams, x: Array) -> Array:
    gradients = _MLPGradients(net, params)
    g = gradients.at(gradients.start(), x)
    return jnp.stack(gradients.inner_by_layer(g, g))


_MEMORY = 2.0**30  # bytes for the work where no limit is given: larger blocks are not faster


def _directions(
    net: Network,
    params: Any,
    x: Array,
    x_test: Array | None,
    order: int,
    implementation: Implementation,
    memory_limit: float | None,
    devices: int,
) -> int:
    """How many combinations of the slots 3, ..., r to compute at once: as many as fit into the memory."""
    n, k = len(x), 0 if x_test is None else len(x_test)
    if order == 2:
        return 1
    if implementation == "structured":
        numbers = 2 * net.depth * net.width  # type: ignore[attr-defined]
    else:
        numbers = sum(leaf.size for leaf in jax.tree.leaves(params))
    gradients = (n + k) * numbers * x.dtype.itemsize
    fewest = n if devices > 1 else 1  # the slot that is divided among devices is taken whole
    if memory_limit is None:
        fitting = devices * int(_MEMORY / (1.5 * gradients))  # about what XLA asks for
        return min(max(fitting, fewest), n ** (order - 2))
    limit = _checks.positive(memory_limit, "memory_limit")
    result = (k or n) * n ** (order - 1) * x.dtype.itemsize / devices
    # An upper bound of what XLA was seen to ask for, in gradients of all points: 2^(r-4) (12 + 9 directions).
    fitting = devices * int(((limit - result) / (2.0 ** (order - 4) * gradients) - 12) / 9)
    if fitting < fewest:
        needed = result + 2.0 ** (order - 4) * gradients * (12 + 9 * fewest / devices)
        raise ValueError(
            f"memory_limit must be at least {needed:.3g} bytes for K^({order}) at {n} points, got {limit:.3g}. "
            f"Raise it, or pass fewer points{' or fewer test points at a time' if k else ''}."
        )
    return min(fitting, n ** (order - 2))


def _empirical_kernel(
    net: Network,
    params: Any,
    x: Array,
    x_test: Array | None,
    order: int,
    implementation: Implementation,
    memory_limit: float | None,
    progress: bool,
) -> Array:
    """`empirical_kernel` with checked arguments."""
    _checks.result_size((len(x if x_test is None else x_test),) + (len(x),) * (order - 1), x.dtype)
    divided = _division(x)
    devices = 1 if divided is None else divided.num_devices
    directions = _directions(net, params, x, x_test, order, implementation, memory_limit, devices)
    slots: _Slots = (x_test,) + (None,) * (order - 1)
    if divided is not None:
        params, x, slots = _on_devices(divided, params, x, slots)
    traced = _checks.is_traced(params, x, x_test)
    each = jax.lax.map if traced else _one_by_one(f"K^({order})", progress)
    compute = lambda slots: _compute_kernel(net, params, x, slots, implementation)  # noqa: E731
    K = _kernel_in_blocks(compute, x, slots, directions, each, order)
    if divided is None:
        return K
    spec = PartitionSpec(*[None] * (min(order, 3) - 1), divided.spec[0])
    return jax.device_put(K, NamedSharding(divided.mesh, spec))


# -- several devices --------------------------------------------------------------------------------------------------


def _division(x: Array) -> NamedSharding | None:
    """How the points are divided among devices, if they are and it can be known."""
    sharding = None if _checks.is_traced(x) else x.sharding
    return sharding if isinstance(sharding, NamedSharding) and sharding.spec and sharding.spec[0] else None


def _on_devices(divided: NamedSharding, params: Any, x: Array, slots: _Slots) -> tuple[Any, Array, _Slots]:
    """Parameters, x and slots where the compiler can divide the work: slot 3 alone is divided, or x for K^(2)."""
    axis_types = (AxisType.Auto,) * divided.mesh.devices.ndim
    mesh = Mesh(divided.mesh.devices, divided.mesh.axis_names, axis_types=axis_types)

    def put(leaf: Array, spec: PartitionSpec) -> Array:
        return jax.device_put(leaf, NamedSharding(mesh, spec))

    def keep(leaf: Array) -> Array:
        known = isinstance(leaf.sharding, NamedSharding)
        return put(leaf, leaf.sharding.spec if known else PartitionSpec())  # type: ignore[attr-defined]

    params, first = jax.tree.map(keep, (params, slots[0]))
    if len(slots) == 2:
        return params, keep(x), (first, None)
    return params, put(x, PartitionSpec()), (first, None, keep(x), *slots[3:])


# ---------------------------------------------------------------------------------------------------------------------
# Checks of arguments
# ---------------------------------------------------------------------------------------------------------------------


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
    if isinstance(net, MLP):
        check_params(net, params, x)
    elif not callable(net):
        raise TypeError(
            f"net must be callable as net(params, x_point), got {net!r}. Pass ntkbook.mlp(...) or a function."
        )
    else:
        _check_function(net, params, x)
    _checks.same_dtype(params=params, x=x, x_test=x_test)
    return x, x_test


def _check_function(net: Network, params: Any, x: Array) -> None:
    """Refuse a network of the user's own that the recursion cannot differentiate."""
    try:
        hash(net)
    except TypeError as error:
        raise TypeError(
            f"net must be hashable, so that it is compiled once, got a {type(net).__name__}. "
            "Wrap it: lambda params, x_point: net(params, x_point)."
        ) from error
    if not jax.tree.leaves(params):
        raise ValueError(f"params must hold at least one array, got {params!r}. Pass what the network is trained in.")
    for leaf in jax.tree.leaves(params):
        _checks.refuse_silent_downcast(leaf, "params")
    _checks.same_dtype(params=params, x=x)
    point = jax.ShapeDtypeStruct(x.shape[1:], x.dtype)
    try:
        output = jax.eval_shape(net, params, point)
    except (IndexError, TypeError, ValueError) as error:
        error.add_note(
            f"This is the network's: net(params, x_point) gets one point of shape {point.shape}, not a batch."
        )
        raise
    if not (isinstance(output, jax.ShapeDtypeStruct) and len(output.shape) <= 1 and output.dtype == x.dtype):
        raise ValueError(
            f"net(params, x_point) must give one scalar of dtype {x.dtype}, or one vector, got {output}. "
            "Flatten what it gives, convert it with astype."
        )


def _choose(net: Network, implementation: Implementation | None) -> Implementation:
    if implementation is None:
        return "structured" if isinstance(net, MLP) else "autodiff"
    if implementation not in ("structured", "autodiff"):
        raise ValueError(f"implementation must be 'structured' or 'autodiff', got {implementation!r}. Leave it out.")
    if implementation == "structured" and not isinstance(net, MLP):
        raise ValueError(f"implementation='structured' wants an ntkbook.mlp, got {type(net).__name__}. Use 'autodiff'.")
    return implementation


# ---------------------------------------------------------------------------------------------------------------------
# Public functions
# ---------------------------------------------------------------------------------------------------------------------


def layer_kernels(net: MLP, params: MLPParams, x: Array) -> Array:
    r"""The layer kernels :math:`G^{(1)}, \ldots, G^{(H+1)}` of (1.7), one for each group of parameters.

    .. math:: G^{(\ell)}(x_\alpha, x_\beta) = \langle b_\alpha^{(\ell)}, b_\beta^{(\ell)} \rangle
              \langle x_\alpha^{(\ell-1)}, x_\beta^{(\ell-1)} \rangle, \qquad
              G^{(H+1)}(x_\alpha, x_\beta) = \langle x_\alpha^{(H)}, x_\beta^{(H)} \rangle.

    See the chapter "Networks, gradient flow and the neural tangent kernel".

    Parameters
    ----------
    net, params
        A network of `mlp` and its parameters.
    x
        Points, shape (n, d).

    Returns
    -------
    Array
        Shape (H+1, n, n). Each layer's matrix is symmetric and positive semidefinite; their sum is the NTK.

    Raises
    ------
    ValueError, TypeError
        If the network is not an `mlp`, or shapes or dtypes do not fit.

    Notes
    -----
    Cost: 4 (H-1) m^2 n + 4 n m d flops in matrix products and 4 H m n^2 in inner products; 2 H m n floats.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=16, depth=2)
    >>> x = jnp.eye(3)
    >>> ntkbook.layer_kernels(net, net.init(jax.random.key(0), 3), x).shape
    (3, 3, 3)
    """
    if not isinstance(net, MLP):
        raise TypeError(
            f"layer_kernels wants an ntkbook.mlp, whose layers it knows, got {type(net).__name__}. Use empirical_ntk."
        )
    x, _ = check_network(net, params, x, None)
    return _compute_layer_kernels(net, params, x)


def empirical_ntk(
    net: Network,
    params: Any,
    x: Array,
    x_test: Array | None = None,
    *,
    implementation: Implementation | None = None,
) -> Array:
    r"""The neural tangent kernel :math:`K^{(2)}`, (1.7).

    .. math:: K^{(2)}(x_\alpha, x_\beta) = \langle \nabla_\theta f_\alpha, \nabla_\theta f_\beta \rangle

    The same as ``empirical_kernel(..., order=2)``, whose documentation holds here.

    Returns
    -------
    Array
        Shape (n, n), symmetric and positive semidefinite; with x_test of shape (k, d): shape (k, n).

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=16, depth=2)
    >>> K = ntkbook.empirical_ntk(net, net.init(jax.random.key(0), 3), jnp.eye(3))
    >>> K.shape, bool(jnp.allclose(K, K.T))
    ((3, 3), True)
    """
    return empirical_kernel(net, params, x, order=2, x_test=x_test, implementation=implementation)


def empirical_kernel(
    net: Network,
    params: Any,
    x: Array,
    order: int = 3,
    x_test: Array | None = None,
    *,
    implementation: Implementation | None = None,
    memory_limit: float | None = None,
    progress: bool = True,
) -> Array:
    r"""The kernel :math:`K^{(r)}` of the neural tangent hierarchy, (1.7) and (2.2), of any order r.

    .. math:: K^{(2)}(x_1, x_2) = \langle \nabla f_1, \nabla f_2 \rangle, \qquad
              K^{(r+1)}(x_1, \ldots, x_r, x_c) = \langle \nabla K^{(r)}(x_1, \ldots, x_r), \nabla f_c \rangle.

    See the chapter "Theorem 2.3: the hierarchy".

    Parameters
    ----------
    net
        A network of `mlp`, or any function ``f(params, x_point) -> scalar`` of one point of shape (d,). It must be
        hashable and is compiled once: make it once, and do not change it afterwards.
    params
        Its parameters: `MLPParams`, or any pytree of floating arrays.
    x
        Points, shape (n, d).
    order
        r, at least 2.
    x_test
        Test points, shape (k, d). They run through the first slot, the points x through all others, as in (2.11).
    implementation
        "structured" (rank-one gradients, for an `mlp`) or "autodiff" (any network). By default the first possible.
    memory_limit
        Bytes of working memory, the result apart, that are not to be exceeded on any device: the slots from 3 on are
        taken in blocks, one after the other. By default 1 GiB, or what a single direction takes where that is more.
        Low limits cost up to about 2^(r-3) times the time.
    progress
        Whether to show how far it is, once it has taken three seconds.

    Returns
    -------
    Array
        Shape (n,) * r, or (k,) + (n,) * (r-1) with test points. Without test points it is symmetric in its first two
        slots, and in general in no others.

    Raises
    ------
    ValueError, TypeError
        Before any computation, if shapes, dtypes, the order or the network are not as above, or the memory does not
        suffice for a single direction.

    Notes
    -----
    Cost, structured: about 4 (H-1) m^2 (n + ... + n^(r-1)) flops in products with the weights and
    4 H m n^r max(1, 2^(r-3)) in inner products; about 2 H m n^(r-1) floats at once. Autodiff: every one of n^(r-2)
    directions carries n gradients of the size of the parameters.

    In float32 the error is about 1e-6 of the largest entry at every order up to 5 (see the page "Costs and accuracy").

    Compiling takes longer with each order: seconds for r = 5, and about three times more for each order beyond.

    Where `x` is divided over devices along its first axis (`jax.sharding`), slot 3 of the kernel, or slot 2 of
    K^(2), is divided in the same way, and with it the work and the memory. Inside of jit the compiler decides, and
    the mesh must have axes of type Auto.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=16, depth=2)
    >>> params = net.init(jax.random.key(0), 3)
    >>> ntkbook.empirical_kernel(net, params, jnp.eye(3), order=4).shape
    (3, 3, 3, 3)
    >>> affine = lambda w, x_point: w @ x_point
    >>> float(jnp.abs(ntkbook.empirical_kernel(affine, jnp.ones(3), jnp.eye(3), order=3)).max())
    0.0
    """
    order = _checks.integer(order, "order", at_least=2)
    x, x_test = check_network(net, params, x, x_test)
    implementation = _choose(net, implementation)
    return _empirical_kernel(net, params, x, x_test, order, implementation, memory_limit, progress)


def kernel_hierarchy(
    net: Network,
    params: Any,
    x: Array,
    max_order: int = 4,
    x_test: Array | None = None,
    *,
    implementation: Implementation | None = None,
    memory_limit: float | None = None,
    progress: bool = True,
) -> KernelHierarchy:
    r"""The outputs and all kernels :math:`K^{(2)}, \ldots, K^{(p)}` at given parameters: the start of (2.7) and (2.11).

    Parameters are those of `empirical_kernel`, with the largest order p in place of one order.

    Parameters
    ----------
    max_order
        p, at least 2: the highest level at which the hierarchy can then be truncated.

    Returns
    -------
    KernelHierarchy
        With outputs (n,) and kernels[r] (n,) * r; with test points also test_outputs (k,) and test_kernels[r]
        (k,) + (n,) * (r-1).

    Raises
    ------
    ValueError, TypeError
        As `empirical_kernel`.

    Notes
    -----
    Cost: that of the highest order, times about n / (n-1).

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=16, depth=1)
    >>> h = ntkbook.kernel_hierarchy(net, net.init(jax.random.key(0), 3), jnp.eye(3), max_order=4)
    >>> h.outputs.shape, sorted(h.kernels), h.kernels[3].shape
    ((3,), [2, 3, 4], (3, 3, 3))
    """
    max_order = _checks.integer(max_order, "max_order", at_least=2)
    x, x_test = check_network(net, params, x, x_test)
    implementation = _choose(net, implementation)

    def kernels(first: Array | None) -> dict[int, Array]:
        options = (implementation, memory_limit, progress)
        return {r: _empirical_kernel(net, params, x, first, r, *options) for r in range(2, max_order + 1)}

    return KernelHierarchy(
        outputs=_compute_outputs(net, params, x),
        kernels=kernels(None),
        test_outputs=None if x_test is None else _compute_outputs(net, params, x_test),
        test_kernels=None if x_test is None else kernels(x_test),
    )
