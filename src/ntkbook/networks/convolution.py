"""Convolutional networks in the paper's parametrisation: the number of channels is the width."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from ntkbook import _checks
from ntkbook.activations import Activation, get_activation
from ntkbook.networks.fully_connected import check_leaves, draw
from ntkbook.networks.protocol import Affine, evaluate

__all__ = ["Conv", "ConvParams", "conv"]

Padding = Literal["circular", "zero"]
Pooling = Literal["average", "flatten"]


class ConvParams(NamedTuple):
    """The parameters theta of a `Conv`.

    Parameters
    ----------
    weights
        Filters W^(1), ..., W^(H): the first of shape (m, input_channels, s) for signals or (m, input_channels, s, s)
        for images, with s the filter size; the others with m in place of input_channels.
    readout
        a, of shape (m,) with average pooling, or (pixels, m) without pooling.

    Examples
    --------
    >>> import jax, ntkbook
    >>> net = ntkbook.conv(width=8, image_shape=(6, 6), filter_size=3)
    >>> params = net.init(jax.random.key(0))
    >>> isinstance(params, ntkbook.ConvParams), params.weights[0].shape
    (True, (8, 1, 3, 3))
    """

    weights: tuple[Array, ...]
    readout: Array


@dataclass(frozen=True)
class Conv:
    r"""A convolutional network on signals or images that come as flat points.

    Make one with `conv`, which checks its arguments and has the formula. `net(params, x)` evaluates it, `net.init(key)`
    draws its parameters. There are no biases.

    Examples
    --------
    >>> import jax, ntkbook
    >>> x, y = ntkbook.data.digits(4, key=jax.random.key(0))
    >>> net = ntkbook.conv(width=8, image_shape=(8, 8))
    >>> ntkbook.empirical_ntk(net, net.init(jax.random.key(1)), x).shape
    (4, 4)
    """

    width: int
    image_shape: tuple[int, ...]
    depth: int
    filter_size: int
    input_channels: int
    padding: Padding
    pooling: Pooling
    activation: Activation
    w_std: float
    a_std: float

    @property
    def input_dim(self) -> int:
        """d = pixels times input channels, the number of coordinates of a point."""
        return math.prod(self.image_shape) * self.input_channels

    def init(self, key: Array, input_dim: int | None = None) -> ConvParams:
        r"""Draw all filter entries from :math:`N(0, \sigma_w^2)`, all readout entries from :math:`N(0, \sigma_a^2)`.

        Parameters
        ----------
        key
            A key of `jax.random.key`.
        input_dim
            d, which the network knows: it may be left out, or given as to an `mlp`.

        Returns
        -------
        ConvParams
            In JAX's default floating dtype.

        Raises
        ------
        TypeError, ValueError
            If the key is not a key, or input_dim not that of the images.

        Examples
        --------
        >>> import jax, ntkbook
        >>> params = ntkbook.conv(width=4, image_shape=(10,), depth=2).init(jax.random.key(0))
        >>> [W.shape for W in params.weights], params.readout.shape
        ([(4, 1, 3), (4, 4, 3)], (4,))
        """
        key = _checks.prng_key(key)
        if input_dim not in (None, self.input_dim):
            raise ValueError(f"input_dim must be that of {self._images}, got {input_dim!r}. Leave it out.")
        return ConvParams(*draw(key, tuple(self._shapes), w_std=self.w_std, a_std=self.a_std))

    def __call__(self, params: ConvParams, x: Array) -> Array:
        """f(x, theta): x of shape (n, d) gives (n,); one point (d,) gives a scalar.

        A point holds its pixels row by row, the channels of a pixel together: it is reshaped to
        image_shape + (input_channels,).

        Raises
        ------
        ValueError, TypeError
            If shapes or dtypes of `params` and `x` do not fit the network or each other.

        Examples
        --------
        >>> import jax, jax.numpy as jnp, ntkbook
        >>> net = ntkbook.conv(width=4, image_shape=(3, 5), input_channels=2)
        >>> net(net.init(jax.random.key(0)), jnp.ones((7, 30))).shape
        (7,)
        """
        x = _checks.floating_array(x, "x", ndim=(1, 2))
        if x.shape[-1] != self.input_dim:
            raise ValueError(f"x must have the coordinates of {self._images}, got shape {x.shape}. Flatten each image.")
        check_leaves(params, ConvParams, self._shapes, x, of="a conv", where=f"width {self.width} and {self._images}")
        return evaluate(self, params, x)

    def apply(self, params: ConvParams, x: Array, affine: Affine) -> Array:
        """f(x, theta) for parameters and points that fit, with every product made by `affine`: one for each pixel.

        Examples
        --------
        >>> import jax, jax.numpy as jnp, ntkbook
        >>> net = ntkbook.conv(width=4, image_shape=(3, 5))
        >>> params, x = net.init(jax.random.key(0)), jnp.ones(15)
        >>> bool(net.apply(params, x, ntkbook.networks.plain) == net(params, x))
        True
        """
        neighbours = _neighbours(self.image_shape, self.filter_size, self.padding)
        pixels, taps = neighbours.shape
        x = x.reshape(*x.shape[:-1], pixels, self.input_channels)
        for ell, W in enumerate(params.weights):
            scale = 1.0 if ell == 0 else 1 / math.sqrt(taps)
            h = scale * affine(f"W{ell + 1}", W.reshape(self.width, -1), _patches(x, neighbours))
            x = self.activation(h) / math.sqrt(self.width)
        if self.pooling == "average":
            return affine("readout", params.readout, x.mean(axis=-2))
        x = x.reshape(*x.shape[:-2], pixels * self.width)
        return affine("readout", params.readout.reshape(-1), x) / math.sqrt(pixels)

    @property
    def _shapes(self) -> list[tuple[int, ...]]:
        m, filter_shape = self.width, (self.filter_size,) * len(self.image_shape)
        filters = [(m, channels, *filter_shape) for channels in [self.input_channels] + [m] * (self.depth - 1)]
        return [*filters, (m,) if self.pooling == "average" else (math.prod(self.image_shape), m)]

    @property
    def _images(self) -> str:
        return f"image_shape {self.image_shape} with {self.input_channels} input channels: {self.input_dim} coordinates"


def conv(
    *,
    width: int,
    image_shape: Sequence[int],
    depth: int = 1,
    filter_size: int = 3,
    input_channels: int = 1,
    padding: Padding = "circular",
    pooling: Pooling = "average",
    activation: str | Activation = "tanh",
    w_std: float = 1.0,
    a_std: float = 1.0,
) -> Conv:
    r"""A convolutional network whose number of channels is its width, in the paper's parametrisation.

    With :math:`x^{(\ell)}_p` the m channels at pixel p, and q running over the k = filter_size or filter_size^2 places
    of the filter around it,

    .. math:: x^{(1)}_p &= \frac{1}{\sqrt m}\, \sigma\Big(\sum_q W^{(1)}_q x_{p+q}\Big), \\
              x^{(\ell)}_p &= \frac{1}{\sqrt m}\, \sigma\Big(\frac{1}{\sqrt k}
              \sum_q W^{(\ell)}_q x^{(\ell-1)}_{p+q}\Big).

    The output is :math:`f = a^\top \frac1P \sum_p x^{(H)}_p` with average pooling over the P pixels, and
    :math:`f = \frac{1}{\sqrt P} \sum_p a_p^\top x^{(H)}_p` without. The first layer has no factor but
    :math:`1/\sqrt m`, as in (1.1): the size of a point is the data's. On one pixel it is the `mlp`.

    Parameters
    ----------
    width
        m, the number of channels of each hidden layer.
    image_shape
        (length,) of a signal or (height, width) of an image. Points come flat, pixel by pixel, with d = pixels times
        channels coordinates.
    depth
        H, the number of hidden layers.
    filter_size
        The side of a filter, at most the shortest side of the image. One of even size reaches one pixel further
        forward than back.
    input_channels
        Numbers a pixel of the image holds.
    padding
        What lies beyond the border: "circular", the opposite side; or "zero".
    pooling
        "average" over all pixels, or "flatten": a readout entry for every pixel.
    activation
        As for `mlp`.
    w_std, a_std
        Standard deviations sigma_w of every filter entry and sigma_a of every readout entry at the start.

    Returns
    -------
    Conv
        Called as ``net(params, x)``, with the parameters of `ConvParams`.

    Raises
    ------
    ValueError, TypeError
        If an argument is not of the stated kind.

    Notes
    -----
    Cost of an output: 2 P k m (input_channels + (H-1) m) flops; k m P floats for the patches of a layer.

    Examples
    --------
    >>> import ntkbook
    >>> net = ntkbook.conv(width=64, image_shape=(8, 8), depth=2)
    >>> net.input_dim, net.padding, net.pooling
    (64, 'circular', 'average')
    """
    shape = _image_shape(image_shape)
    filter_size = _checks.integer(filter_size, "filter_size", at_least=1)
    if filter_size > min(shape):
        raise ValueError(
            f"filter_size must be at most the shortest side of image_shape {shape}, got {filter_size}. "
            f"Pass {min(shape)} or less."
        )
    return Conv(
        width=_checks.integer(width, "width", at_least=1),
        image_shape=shape,
        depth=_checks.integer(depth, "depth", at_least=1),
        filter_size=filter_size,
        input_channels=_checks.integer(input_channels, "input_channels", at_least=1),
        padding=_checks.one_of(padding, "padding", ("circular", "zero")),
        pooling=_checks.one_of(pooling, "pooling", ("average", "flatten")),
        activation=get_activation(activation),
        w_std=_checks.positive(w_std, "w_std"),
        a_std=_checks.positive(a_std, "a_std"),
    )


def _image_shape(value: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) not in (1, 2):
        raise TypeError(
            f"image_shape must be (length,) or (height, width), got {value!r}. Pass a tuple of one or two integers."
        )
    return tuple(_checks.integer(side, "a side of image_shape", at_least=1) for side in value)


def _neighbours(image_shape: tuple[int, ...], filter_size: int, padding: Padding) -> np.ndarray:
    """For each pixel the indices of those under the filter, (pixels, taps). Beyond a zero border: index pixels."""
    back = (filter_size - 1) // 2
    offsets = np.array(list(itertools.product(range(-back, filter_size - back), repeat=len(image_shape))))
    places = np.indices(image_shape).reshape(len(image_shape), -1).T[:, None] + offsets
    table = np.ravel_multi_index(tuple(np.moveaxis(places, -1, 0)), image_shape, mode="wrap")
    if padding == "zero":
        outside = ((places < 0) | (places >= np.array(image_shape))).any(axis=-1)
        table[outside] = math.prod(image_shape)
    return table


def _patches(x: Array, neighbours: np.ndarray) -> Array:
    """What the filter sees at each pixel: (..., pixels, channels) gives (..., pixels, channels * taps)."""
    seen = jnp.take(x, neighbours, axis=-2, mode="fill", fill_value=0).swapaxes(-1, -2)
    return seen.reshape(*seen.shape[:-2], -1)
