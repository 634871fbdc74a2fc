r"""Networks with skip connections, in the paper's parametrisation.

They keep what the hierarchy rests on: every entry is drawn with a standard deviation that does not depend on the width
m, every hidden layer has the factor :math:`1/\sqrt m`, and the readout is linear. So outputs are of order one at any
width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from jax import Array

from ntkbook import _checks
from ntkbook.activations import Activation, get_activation
from ntkbook.networks.fully_connected import MLPParams, check_leaves, draw, layer_shapes
from ntkbook.networks.protocol import Affine, evaluate

__all__ = ["ResNet", "resnet"]


@dataclass(frozen=True)
class ResNet:
    r"""A network with skip connections: :math:`f = a^\top x^{(H)}`,
    :math:`x^{(1)} = \sigma(W^{(1)} x) / \sqrt m`, and from the second layer on
    :math:`x^{(\ell)} = x^{(\ell-1)} + s\,\sigma(W^{(\ell)} x^{(\ell-1)}) / \sqrt m`.

    Make one with `resnet`, which checks its arguments. `net(params, x)` evaluates it, `net.init(key, input_dim)` draws
    its parameters. There are no biases.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, ntkbook
    >>> net = ntkbook.resnet(width=16, depth=3)
    >>> params = net.init(jax.random.key(0), input_dim=3)
    >>> ntkbook.empirical_kernel(net, params, jnp.eye(3), order=3).shape
    (3, 3, 3)
    """

    width: int
    depth: int
    activation: Activation
    branch_scale: float
    w_std: float
    a_std: float

    def init(self, key: Array, input_dim: int) -> MLPParams:
        r"""Draw :math:`W^{(\ell)}_{ij} \sim N(0, \sigma_w^2)` and :math:`a_i \sim N(0, \sigma_a^2)`, as an `mlp` does.

        Parameters
        ----------
        key
            A key of `jax.random.key`.
        input_dim
            d, the number of coordinates of a point.

        Returns
        -------
        MLPParams
            Those that an `mlp` of this width and depth draws from the same key.

        Raises
        ------
        TypeError, ValueError
            If the key is not a key, or input_dim not a positive integer.

        Examples
        --------
        >>> import jax, ntkbook
        >>> params = ntkbook.resnet(width=4, depth=2).init(jax.random.key(0), input_dim=3)
        >>> [W.shape for W in params.weights], params.readout.shape
        ([(4, 3), (4, 4)], (4,))
        """
        key, d = _checks.prng_key(key), _checks.integer(input_dim, "input_dim", at_least=1)
        shapes = layer_shapes(d, self.width, self.depth)
        weights, readout = draw(key, tuple(shapes), w_std=self.w_std, a_std=self.a_std)
        return MLPParams(weights, readout)

    def __call__(self, params: MLPParams, x: Array) -> Array:
        """f(x, theta): x of shape (n, d) gives (n,); one point (d,) gives a scalar.

        Raises
        ------
        ValueError, TypeError
            If shapes or dtypes of `params` and `x` do not fit the network or each other.

        Examples
        --------
        >>> import jax, jax.numpy as jnp, ntkbook
        >>> net = ntkbook.resnet(width=4, depth=2)
        >>> net(net.init(jax.random.key(0), input_dim=3), jnp.ones((5, 3))).shape
        (5,)
        """
        x = _checks.floating_array(x, "x", ndim=(1, 2))
        d = x.shape[-1]
        where = f"width {self.width}, depth {self.depth} and points with {d} coordinates"
        check_leaves(params, MLPParams, layer_shapes(d, self.width, self.depth), x, of="a resnet", where=where)
        return evaluate(self, params, x)

    def apply(self, params: MLPParams, x: Array, affine: Affine) -> Array:
        """f(x, theta) for parameters and points that fit, with every product made by `affine`.

        Examples
        --------
        >>> import jax, jax.numpy as jnp, ntkbook
        >>> net = ntkbook.resnet(width=4, depth=2)
        >>> params, x = net.init(jax.random.key(0), input_dim=3), jnp.ones(3)
        >>> bool(net.apply(params, x, ntkbook.networks.plain) == net(params, x))
        True
        """
        scale = 1 / math.sqrt(self.width)
        first, *others = params.weights
        x = scale * self.activation(affine("W1", first, x))
        for ell, W in enumerate(others, start=2):
            x = x + self.branch_scale * scale * self.activation(affine(f"W{ell}", W, x))
        return affine("readout", params.readout, x)


def resnet(
    *,
    width: int,
    depth: int = 2,
    activation: str | Activation = "tanh",
    branch_scale: float = 1.0,
    w_std: float = 1.0,
    a_std: float = 1.0,
) -> ResNet:
    r"""A fully connected network with skip connections around every hidden layer but the first.

    .. math:: x^{(1)} = \frac{1}{\sqrt m}\, \sigma(W^{(1)} x), \qquad
              x^{(\ell)} = x^{(\ell-1)} + \frac{s}{\sqrt m}\, \sigma(W^{(\ell)} x^{(\ell-1)}), \qquad
              f = a^\top x^{(H)}.

    At s = 0 it is the `mlp` of depth 1 with the weights :math:`W^{(1)}`.

    Parameters
    ----------
    width
        m, the number of neurons of each hidden layer.
    depth
        H, the number of hidden layers; the first has no skip connection.
    activation
        As for `mlp`.
    branch_scale
        s, at least 0. With :math:`s = 1/\sqrt H` the size of the last layer does not grow with the depth.
    w_std, a_std
        Standard deviations sigma_w of every weight and sigma_a of every readout entry at the start.

    Returns
    -------
    ResNet
        Called as ``net(params, x)``, with the parameters of `MLPParams`.

    Raises
    ------
    ValueError, TypeError
        If an argument is not of the stated kind.

    Examples
    --------
    >>> import ntkbook
    >>> net = ntkbook.resnet(width=512, depth=4, branch_scale=0.5)
    >>> net.width, net.depth, net.branch_scale
    (512, 4, 0.5)
    """
    return ResNet(
        width=_checks.integer(width, "width", at_least=1),
        depth=_checks.integer(depth, "depth", at_least=1),
        activation=get_activation(activation),
        branch_scale=_checks.not_negative(branch_scale, "branch_scale"),
        w_std=_checks.positive(w_std, "w_std"),
        a_std=_checks.positive(a_std, "a_std"),
    )
