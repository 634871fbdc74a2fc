"""Activation functions sigma and what the theory asks of them (Assumption 2.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook import _checks

__all__ = [
    "Activation",
    "Softplus",
    "erf",
    "get_activation",
    "identity",
    "relu",
    "sigmoid",
    "softplus",
    "tanh",
]


@dataclass(frozen=True)
class Activation:
    r"""An activation :math:`\sigma`, applied to each entry of its argument.

    Parameters
    ----------
    name
        What to call it in figures and messages.
    function
        An array function that JAX can differentiate; it acts entry by entry.
    smooth
        Whether all derivatives exist and are bounded from the first on, as Assumption 2.1 asks.
    odd
        Whether :math:`\sigma(-z) = -\sigma(z)`.
    homogeneous
        Whether :math:`\sigma(cz) = c\,\sigma(z)` for every :math:`c > 0`.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> sine = ntkbook.Activation("sin", jnp.sin, odd=True)
    >>> ntkbook.mlp(width=8, depth=1, activation=sine).activation.name
    'sin'
    """

    name: str
    function: Callable[[Array], Array]
    smooth: bool = True
    odd: bool = False
    homogeneous: bool = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(
                f"function of an Activation must be callable, got {self.function!r}. Pass for example jnp.sin."
            )

    def __call__(self, z: Array) -> Array:
        """sigma(z), entry by entry."""
        return self.function(z)

    def with_derivative(self, z: Array) -> tuple[Array, Array]:
        """sigma(z) and sigma'(z), entry by entry, in one pass."""
        return jax.jvp(self.function, (z,), (jnp.ones_like(z),))

    def derivatives(self, z: Array, order: int) -> tuple[Array, ...]:
        """sigma(z), sigma'(z), ... up to the derivative of that order, entry by entry."""
        return _derivatives(self.function, z, order)


@partial(jax.jit, static_argnums=(0, 2))
def _derivatives(function: Callable[[Array], Array], z: Array, order: int) -> tuple[Array, ...]:
    values = [function(z)]
    for _ in range(order):
        function = _derivative(function)
        values.append(function(z))
    return tuple(values)


def _derivative(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda z: jax.jvp(function, (z,), (jnp.ones_like(z),))[1]


@dataclass(frozen=True)
class _SoftplusFunction:
    """z -> ln(1 + exp(sharpness z)) / sharpness, comparable and hashable by its sharpness."""

    sharpness: float

    def __call__(self, z: Array) -> Array:
        return jax.nn.softplus(self.sharpness * z) / self.sharpness


def Softplus(sharpness: float = 1.0) -> Activation:  # noqa: N802 - named like the constant activations' family
    r"""The softplus :math:`\sigma_a(z) = \ln(1 + e^{az})/a`, which tends to the ReLU as the sharpness a grows.

    Parameters
    ----------
    sharpness
        a > 0. The second derivative grows as a, so Assumption 2.1's constants do too.

    Raises
    ------
    ValueError, TypeError
        If the sharpness is not a positive number.

    Examples
    --------
    >>> import ntkbook
    >>> round(float(ntkbook.Softplus(sharpness=4.0)(0.0)), 6)
    0.173287
    """
    return Activation(f"softplus({sharpness:g})", _SoftplusFunction(_checks.positive(sharpness, "sharpness")))


#: The hyperbolic tangent: smooth and odd.
tanh = Activation("tanh", jnp.tanh, odd=True)
#: The error function :math:`\frac{2}{\sqrt\pi} \int_0^z e^{-u^2}\,du`: smooth and odd.
erf = Activation("erf", jax.scipy.special.erf, odd=True)
#: The logistic function :math:`1/(1 + e^{-z})`: smooth.
sigmoid = Activation("sigmoid", jax.nn.sigmoid)
#: :math:`\ln(1 + e^z)`: smooth. `Softplus` makes sharper ones.
softplus = Activation("softplus", _SoftplusFunction(1.0))
#: :math:`\max(z, 0)`: homogeneous, and not smooth, so that Assumption 2.1 does not hold.
relu = Activation("relu", jax.nn.relu, smooth=False, homogeneous=True)
#: :math:`z`, for deep linear networks.
identity = Activation("identity", lambda z: z, odd=True, homogeneous=True)

_BY_NAME = {activation.name: activation for activation in (tanh, erf, sigmoid, softplus, relu, identity)}


def get_activation(activation: str | Activation) -> Activation:
    """The activation of that name, or the one given.

    Raises
    ------
    ValueError
        If no activation has that name.
    TypeError
        If it is neither a name nor an `Activation`.

    Examples
    --------
    >>> from ntkbook.activations import get_activation
    >>> get_activation("erf").odd
    True
    """
    if isinstance(activation, Activation):
        return activation
    if not isinstance(activation, str):
        raise TypeError(
            f"activation must be a name or an ntkbook.Activation, got {activation!r}. "
            "Wrap a function of your own: ntkbook.Activation('sin', jnp.sin)."
        )
    if activation not in _BY_NAME:
        raise ValueError(
            f"activation must be one of {', '.join(_BY_NAME)}, got {activation!r}. "
            "For another one pass ntkbook.Activation(name, function)."
        )
    return _BY_NAME[activation]
