"""The fully connected network of the paper, equations (1.1) and (1.2), in its parametrisation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook import _checks
from ntkbook.activations import Activation, get_activation
from ntkbook.networks.protocol import Affine, evaluate

__all__ = ["MLP", "MLPParams", "mlp"]


class MLPParams(NamedTuple):
    """The parameters theta of an `MLP`.

    Parameters
    ----------
    weights
        W^(1), ..., W^(H): the first of shape (m, d), the others (m, m).
    readout
        a, of shape (m,).
    biases
        b^(1), ..., b^(H), each of shape (m,); empty for a network without.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> params = ntkbook.MLPParams(weights=(jnp.eye(2),), readout=jnp.ones(2))
    >>> ntkbook.mlp(width=2, activation="identity")(params, jnp.array([3.0, -3.0])).item()
    0.0
    """

    weights: tuple[Array, ...]
    readout: Array
    biases: tuple[Array, ...] = ()


@dataclass(frozen=True)
class MLP:
    r"""A network :math:`f(x, \theta) = a^\top x^{(H)}` with
    :math:`x^{(\ell)} = \sigma(W^{(\ell)} x^{(\ell-1)} + b^{(\ell)}) / \sqrt m` and :math:`x^{(0)} = x`, (1.1)-(1.2)
    with biases, which are there only for `b_std` above 0.

    Make one with `mlp`, which checks its arguments. `net(params, x)` evaluates it, `net.init(key, input_dim)` draws
    its parameters, `net.apply(params, x, affine)` says where they act (see `ntkbook.networks.Affine`).

    Examples
    --------
    >>> import ntkbook
    >>> net = ntkbook.mlp(width=64)
    >>> isinstance(net, ntkbook.MLP), net == ntkbook.mlp(width=64, depth=1)
    (True, True)
    """

    width: int
    depth: int
    activation: Activation
    w_std: float
    a_std: float
    b_std: float = 0.0

    def init(self, key: Array, input_dim: int) -> MLPParams:
        r"""Draw :math:`W^{(\ell)}_{ij} \sim N(0, \sigma_w^2)` and :math:`a_i \sim N(0, \sigma_a^2)`, all independent.

        With biases also :math:`b^{(\ell)}_i \sim N(0, \sigma_b^2)`; the others are those drawn without.

        Parameters
        ----------
        key
            A key of `jax.random.key`.
        input_dim
            d, the number of coordinates of a point.

        Returns
        -------
        MLPParams
            In JAX's default floating dtype: float64 after `ntkbook.enable_float64()`, else float32.

        Raises
        ------
        TypeError, ValueError
            If the key is not a key, or input_dim not a positive integer.

        Examples
        --------
        >>> import jax, ntkbook
        >>> params = ntkbook.mlp(width=4, depth=2).init(jax.random.key(0), input_dim=3)
        >>> [W.shape for W in params.weights], params.readout.shape
        ([(4, 3), (4, 4)], (4,))
        """
        key = _checks.prng_key(key)
        d = _checks.integer(input_dim, "input_dim", at_least=1)
        shapes = layer_shapes(d, self.width, self.depth)
        weights, readout = draw(key, tuple(shapes), w_std=self.w_std, a_std=self.a_std)
        if self.b_std == 0:
            return MLPParams(weights, readout)
        # The keys of the weights are the first of `key`'s; those of the biases come from one beyond.
        b_keys = jax.random.split(jax.random.fold_in(key, self.depth + 1), self.depth)
        return MLPParams(weights, readout, tuple(self.b_std * jax.random.normal(k, (self.width,)) for k in b_keys))

    def __call__(self, params: MLPParams, x: Array) -> Array:
        """f(x, theta): x of shape (n, d) gives (n,); one point (d,) gives a scalar.

        Raises
        ------
        ValueError, TypeError
            If shapes or dtypes of `params` and `x` do not fit the network or each other.

        Examples
        --------
        >>> import jax, jax.numpy as jnp, ntkbook
        >>> net = ntkbook.mlp(width=4, depth=2)
        >>> net(net.init(jax.random.key(0), input_dim=3), jnp.ones((5, 3))).shape
        (5,)
        """
        x = _checks.floating_array(x, "x", ndim=(1, 2))
        check_params(self, params, x)
        return evaluate(self, params, x)

    def apply(self, params: MLPParams, x: Array, affine: Affine) -> Array:
        """f(x, theta) for parameters and points that fit, with every product made by `affine`.

        Examples
        --------
        >>> import jax, jax.numpy as jnp, ntkbook
        >>> net = ntkbook.mlp(width=4, depth=2)
        >>> params, x = net.init(jax.random.key(0), input_dim=3), jnp.ones(3)
        >>> bool(net.apply(params, x, ntkbook.networks.plain) == net(params, x))
        True
        """
        for ell, W in enumerate(params.weights):
            h = affine(f"W{ell + 1}", W, x)
            if params.biases:
                h = h + affine(f"b{ell + 1}", params.biases[ell][:, None], jnp.ones((*x.shape[:-1], 1), x.dtype))
            x = self.activation(h) / jnp.sqrt(jnp.asarray(self.width, x.dtype))
        return affine("readout", params.readout, x)


def mlp(
    *,
    width: int,
    depth: int = 1,
    activation: str | Activation = "tanh",
    w_std: float = 1.0,
    a_std: float = 1.0,
    b_std: float = 0.0,
) -> MLP:
    """A fully connected network in the paper's parametrisation, (1.1)-(1.2); chapter "Networks".

    Parameters
    ----------
    width
        m, the number of neurons of each hidden layer.
    depth
        H, the number of hidden layers.
    activation
        A name that `get_activation` lists, as "tanh" or "relu", or an `Activation` of your own.
    w_std, a_std
        Standard deviations sigma_w of every weight and sigma_a of every readout entry at the start.
    b_std
        That of the biases of every hidden layer; 0: there are none.

    Raises
    ------
    ValueError, TypeError
        If an argument is not of the stated kind.

    Examples
    --------
    >>> import ntkbook
    >>> net = ntkbook.mlp(width=512, depth=2, activation="tanh")
    >>> net.width, net.depth, net.activation.name
    (512, 2, 'tanh')
    """
    return MLP(
        width=_checks.integer(width, "width", at_least=1),
        depth=_checks.integer(depth, "depth", at_least=1),
        activation=get_activation(activation),
        w_std=_checks.positive(w_std, "w_std"),
        a_std=_checks.positive(a_std, "a_std"),
        b_std=_checks.not_negative(b_std, "b_std"),
    )


def layer_shapes(input_dim: int, width: int, depth: int) -> list[tuple[int, ...]]:
    """The shapes of W^(1), ..., W^(H) and of the readout."""
    return [(width, input_dim)] + [(width, width)] * (depth - 1) + [(width,)]


@partial(jax.jit, static_argnames="shapes", inline=True)
def draw(
    key: Array, shapes: tuple[tuple[int, ...], ...], *, w_std: float, a_std: float
) -> tuple[tuple[Array, ...], Array]:
    """Independent Gaussian weights, and a readout, whose shape is the last of `shapes`."""
    keys = jax.random.split(key, len(shapes))
    *weights, readout = (jax.random.normal(k, shape) for k, shape in zip(keys, shapes, strict=True))
    return tuple(w_std * W for W in weights), a_std * readout


def check_params(net: MLP, params: MLPParams, x: Array) -> None:
    """Refuse parameters whose structure, shapes or dtype do not fit the network and the points."""
    d = x.shape[-1]
    where = f"width {net.width}, depth {net.depth}, b_std {net.b_std:g} and points with {d} coordinates"
    shapes = layer_shapes(d, net.width, net.depth) + [(net.width,)] * (net.depth if net.b_std else 0)
    check_leaves(params, MLPParams, shapes, x, of="an mlp", where=where)


def check_leaves(params: Any, kind: type, shapes: list[tuple[int, ...]], x: Array, *, of: str, where: str) -> None:
    """Refuse parameters that are not of this kind, or whose leaves have other shapes or another dtype than x."""
    if not isinstance(params, kind):
        raise TypeError(
            f"params of {of} must be ntkbook.{kind.__name__}(weights=(W1, ..., WH), readout=a), got "
            f"{type(params).__name__}. Draw them with net.init(key, input_dim) or build them by hand."
        )
    for leaf in jax.tree.leaves(params):
        _checks.refuse_silent_downcast(leaf, "params")
    received = [jnp.shape(leaf) for leaf in jax.tree.leaves(params)]
    if received != shapes:
        raise ValueError(
            f"params must have shapes {shapes} for {where}, got {received}. "
            f"Draw them with net.init(key, input_dim={x.shape[-1]}), or pass the points that they were drawn for."
        )
    _checks.same_dtype(params=params, x=x)
