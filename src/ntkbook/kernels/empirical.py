r"""The empirical kernels K^(2), K^(3), ... of the neural tangent hierarchy, (1.7) and (2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
from jax import Array

from ntkbook import _checks
from ntkbook.kernels.arguments import check_network
from ntkbook.kernels.blocks import Slots, block_sizes, in_blocks, one_by_one
from ntkbook.kernels.devices import divide, division, on_devices
from ntkbook.kernels.routes import (
    Implementation,
    choose,
    compute_kernel,
    compute_layer_kernels,
    compute_outputs,
    representation,
)
from ntkbook.networks.fully_connected import MLP, MLPParams
from ntkbook.networks.protocol import Network

__all__ = ["KernelHierarchy", "empirical_kernel", "empirical_ntk", "kernel_hierarchy", "layer_kernels"]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["outputs", "kernels", "test_outputs", "test_kernels"],
    meta_fields=[],
)
@dataclass(frozen=True)
class KernelHierarchy:
    """The outputs and kernels of one network at one moment: what the truncated hierarchy (2.7) starts from.

    For a network with C outputs a slot is a pair (point, output): n stands for n, C and n' for n', C.

    Parameters
    ----------
    outputs
        f at the n training points, shape (n,).
    kernels
        K^(k) for k = 2, 3, ...: ``kernels[k]`` has shape (n,) * k and is symmetric in its first two slots only.
    test_outputs
        f at the n' test points, shape (n',), or None.
    test_kernels
        K^(k) with the test point in the first slot: ``test_kernels[k]`` has shape (n',) + (n,) * (k - 1); or None.

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
        """The largest k for which K^(k) is held."""
        return max(self.kernels)


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
    gradients, k = representation(net, params, x, implementation), len(x if x_test is None else x_test)
    _checks.result_size((k * gradients.outputs,) + (len(x) * gradients.outputs,) * (order - 1), x.dtype)
    divided = division(x)
    devices = 1 if divided is None else divided.num_devices
    sizes = block_sizes(gradients, x, k, order, memory_limit=memory_limit, devices=devices)
    slots: Slots = (x_test,) + (None,) * (order - 1)
    if divided is not None:
        params, x, slots = on_devices(divided, params, x, slots)
    traced = _checks.is_traced(params, x, x_test)
    each = jax.lax.map if traced else one_by_one(f"K^({order})", progress)
    compute = lambda slots: compute_kernel(net, params, x, slots, implementation)  # noqa: E731
    K = in_blocks(compute, x, slots, sizes, each, axes_a_slot=1 if gradients.output_axes is None else 2)
    return K if divided is None else divide(K, divided, order)


def layer_kernels(net: MLP, params: MLPParams, x: Array) -> Array:
    r"""The layer kernels :math:`G^{(1)}, \ldots, G^{(H+1)}` of (1.7), one for each group of parameters.

    .. math:: G^{(\ell)}(x_\alpha, x_\beta) = \langle b_\alpha^{(\ell)}, b_\beta^{(\ell)} \rangle
              \langle x_\alpha^{(\ell-1)}, x_\beta^{(\ell-1)} \rangle, \qquad
              G^{(H+1)}(x_\alpha, x_\beta) = \langle x_\alpha^{(H)}, x_\beta^{(H)} \rangle.

    A bias is the weight of an input that is 1 and belongs to its layer: with biases the second factor is
    :math:`\langle x_\alpha^{(\ell-1)}, x_\beta^{(\ell-1)} \rangle + 1`.

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
    if type(net) is not MLP:  # of a class derived from it nothing is known
        raise TypeError(
            f"layer_kernels wants an ntkbook.mlp, whose layers it knows, got {type(net).__name__}. Use empirical_ntk."
        )
    x, _ = check_network(net, params, x, None)
    return compute_layer_kernels(net, params, x)


def empirical_ntk(
    net: Network,
    params: Any,
    x: Array,
    x_test: Array | None = None,
    *,
    implementation: Implementation | None = None,
    memory_limit: float | None = None,
    progress: bool = True,
) -> Array:
    r"""The neural tangent kernel :math:`K^{(2)}`, (1.7).

    .. math:: K^{(2)}(x_\alpha, x_\beta) = \langle \nabla_\theta f_\alpha, \nabla_\theta f_\beta \rangle

    The same as ``empirical_kernel(..., order=2)``, whose documentation holds here.

    Returns
    -------
    Array
        Shape (n, n), symmetric and positive semidefinite; with x_test of shape (n', d): shape (n', n). For a network
        with C outputs (n, C, n, C), or (n', C, n, C).

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=16, depth=2)
    >>> K = ntkbook.empirical_ntk(net, net.init(jax.random.key(0), 3), jnp.eye(3))
    >>> K.shape, bool(jnp.allclose(K, K.T))
    ((3, 3), True)
    """
    options = {"implementation": implementation, "memory_limit": memory_limit, "progress": progress}
    return empirical_kernel(net, params, x, 2, x_test, **options)  # type: ignore[arg-type]


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
    r"""The kernel :math:`K^{(k)}` of the neural tangent hierarchy, (1.7) and (2.2), of any order k.

    .. math:: K^{(2)}(x_1, x_2) = \langle \nabla f_1, \nabla f_2 \rangle, \qquad
              K^{(k+1)}(x_1, \ldots, x_k, x_c) = \langle \nabla K^{(k)}(x_1, \ldots, x_k), \nabla f_c \rangle.

    See the chapter "Theorem 2.3: the hierarchy".

    Parameters
    ----------
    net
        A network, or any function ``f(params, x_point)`` of one point of shape (d,) that gives a scalar, or a vector of
        C outputs. It must be hashable and is compiled once: make it once, and do not change it afterwards.
    params
        Its parameters: `MLPParams`, or any pytree of floating arrays.
    x
        Points, shape (n, d).
    order
        k, at least 2.
    x_test
        Test points, shape (n', d). They run through the first slot, the points x through all others, as in (2.11).
    implementation
        "structured": pairs of vectors for every product of a network that offers ``apply(params, x_point, affine)``,
        as all of this package do and one of your own may (see `ntkbook.networks.Affine`). "autodiff": any network. By
        default structured where it is offered and gains: where the sum over the products of positions^2 (inputs +
        outputs) is below that of positions * inputs * outputs. Products at a single position always gain.
    memory_limit
        Bytes for work and result that are not to be exceeded on any device: the slots are taken in blocks, one after
        the other. By default 1.5 GiB for the work alone, or what the smallest blocks take where that is more; the
        result comes on top. Low limits cost up to about 2^(k-3) times the time, and more where slots 1 and 2 are
        divided too.
    progress
        Whether to show how far it is, once it has taken three seconds.

    Returns
    -------
    Array
        Shape (n,) * k, or (n',) + (n,) * (k-1) with test points. Without test points it is symmetric in its first two
        slots, and in general in no others. For a network with C outputs a slot is a pair (point, output), and every n
        becomes n, C: shape (n, C) * k, or (n', C) + (n, C) * (k-1).

    Raises
    ------
    ValueError, TypeError
        Before any computation, if shapes, dtypes, the order or the network are not as above, the memory does not
        suffice for the smallest blocks, or the structured implementation is asked of a network that does not allow it.

    Notes
    -----
    Cost, structured: about 4 (H-1) m^2 (n + ... + n^(k-1)) flops in products with the weights and
    4 H m n^k max(1, 2^(k-3)) in inner products; about 2 H m n^(k-1) floats at once. Autodiff: every one of n^(k-2)
    directions carries n gradients of the size of the parameters. With C outputs, n C takes the place of n.

    In float32 the error is about 1e-6 of the largest entry at every order up to 5 (see the page "Costs and accuracy").

    Compiling takes longer with each order: seconds for k = 5, and about three times more for each order beyond.

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
    implementation = choose(net, params, x, implementation)
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
        With outputs (n,) and kernels[k] (n,) * k; with test points also test_outputs (n',) and test_kernels[k]
        (n',) + (n,) * (k-1). For a network with C outputs every n becomes n, C and every n' becomes n', C.

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
    implementation = choose(net, params, x, implementation)

    def kernels(first: Array | None) -> dict[int, Array]:
        options = (implementation, memory_limit, progress)
        return {k: _empirical_kernel(net, params, x, first, k, *options) for k in range(2, max_order + 1)}

    return KernelHierarchy(
        outputs=compute_outputs(net, params, x),
        kernels=kernels(None),
        test_outputs=None if x_test is None else compute_outputs(net, params, x_test),
        test_kernels=None if x_test is None else kernels(x_test),
    )
