"""Activation functions sigma and what the theory asks of them (Assumption 2.1).

A new one is one entry below: `register` makes it known by its name, to `mlp` and all else.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook import _checks
from ntkbook._moments import Blurred, Gelu, Identity, Relu, Sine
from ntkbook.activations._registry import REGISTRY, Activation, register, table
from ntkbook.activations._registry import javascript as javascript

#: The hyperbolic tangent: smooth and odd.
tanh = register(
    Activation(
        "tanh",
        jnp.tanh,
        odd=True,
        moments=Blurred("sign", "logistic", 0.5),
        formula=r"\tanh z",
        javascript="""
        const value = Math.tanh(z);
        const rate = 1 - value * value;
        """,
    )
)

#: The error function :math:`\frac{2}{\sqrt\pi} \int_0^z e^{-u^2}\,du`: smooth and odd.
erf = register(
    Activation(
        "erf",
        jax.scipy.special.erf,
        odd=True,
        moments=Blurred("sign", "gaussian", 0.5**0.5),
        formula=r"\mathrm{erf}\,z",
        javascript="""
        const value = erf(z);
        const rate = (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z);
        """,
    )
)

#: The logistic function :math:`1/(1 + e^{-z})`: smooth.
sigmoid = register(
    Activation(
        "sigmoid",
        jax.nn.sigmoid,
        moments=Blurred("step", "logistic", 1.0),
        formula=r"1/(1 + e^{-z})",
        javascript="""
        const value = 1 / (1 + Math.exp(-z));
        const rate = value * (1 - value);
        """,
    )
)


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
    sharpness = _checks.positive(sharpness, "sharpness")
    return Activation(
        f"softplus({sharpness:g})",
        _SoftplusFunction(sharpness),
        moments=Blurred("relu", "logistic", 1 / sharpness),
    )


#: :math:`\ln(1 + e^z)`: smooth. `Softplus` makes sharper ones.
softplus = register(
    Activation(
        "softplus",
        _SoftplusFunction(1.0),
        moments=Blurred("relu", "logistic", 1.0),
        formula=r"\ln(1 + e^z)",
        javascript="""
        const e = Math.exp(-Math.abs(z));
        const value = Math.max(z, 0) + Math.log1p(e);
        const rate = (z > 0 ? 1 : e) / (1 + e);
        """,
    )
)

#: :math:`\max(z, 0)`: homogeneous, and not smooth, so that Assumption 2.1 does not hold.
relu = register(
    Activation(
        "relu",
        jax.nn.relu,
        smooth=False,
        homogeneous=True,
        moments=Relu(),
        formula=r"\max(z, 0)",
        javascript="""
        const value = Math.max(z, 0);
        const rate = z > 0 ? 1 : 0;
        """,
    )
)


def _identity(z: Array) -> Array:
    return z


#: :math:`z`, for deep linear networks.
identity = register(Activation("identity", _identity, odd=True, homogeneous=True, moments=Identity(), formula="z"))


def _gelu(z: Array) -> Array:
    return jax.nn.gelu(z, approximate=False)


#: :math:`z\,\Phi(z)` with the distribution function of the standard Gaussian, not its approximation by tanh: smooth.
gelu = register(
    Activation(
        "gelu",
        _gelu,
        moments=Gelu(),
        formula=r"z\,\Phi(z)",
        javascript="""
        const below = (1 + erf(z / Math.SQRT2)) / 2;
        const value = z * below;
        const rate = below + (z * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
        """,
    )
)

#: The sine: smooth and odd.
sin = register(
    Activation(
        "sin",
        jnp.sin,
        odd=True,
        moments=Sine(),
        formula=r"\sin z",
        javascript="""
        const value = Math.sin(z);
        const rate = Math.cos(z);
        """,
    )
)

__all__ = ["Activation", "Softplus", "get_activation", *REGISTRY]


def get_activation(activation: str | Activation) -> Activation:
    """The activation of that name, or the one given.

    TABLE

    Raises
    ------
    ValueError
        If no activation has that name.
    TypeError
        If it is neither a name nor an `Activation`.

    Examples
    --------
    >>> import ntkbook
    >>> ntkbook.get_activation("erf").odd
    True
    """
    if isinstance(activation, Activation):
        return activation
    if not isinstance(activation, str):
        raise TypeError(
            f"activation must be a name or an ntkbook.Activation, got {activation!r}. "
            "Wrap a function of your own: ntkbook.Activation('cos', jnp.cos)."
        )
    if activation not in REGISTRY:
        raise ValueError(
            f"activation must be one of {', '.join(REGISTRY)}, got {activation!r}. "
            "For another one pass ntkbook.Activation(name, function)."
        )
    return REGISTRY[activation]


if get_activation.__doc__:  # python -OO has none
    get_activation.__doc__ = get_activation.__doc__.replace("TABLE", table().replace("\n", "\n    "))
