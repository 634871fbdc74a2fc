"""What is known of an activation, and the registry from which names, tests, page scripts and docs are made."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from ntkbook._moments import Moments

__all__ = ["REGISTRY", "Activation", "javascript", "register", "registered", "table"]


@dataclass(frozen=True)
class Activation:
    r"""An activation :math:`\sigma`, applied to each entry of its argument.

    Two are equal if they have the same name, function and properties. A copy is the activation itself. Those that have
    a name in `get_activation` pickle by it; one of your own pickles if its function does.

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
    moments
        Its means at two Gaussians in closed form, which `limit_kernel` takes in place of quadrature; None: no such.
    formula
        :math:`\sigma(z)` in TeX, for the docs.
    javascript
        Statements that make ``value`` and ``rate``, :math:`\sigma(z)` and :math:`\sigma'(z)`, from ``z``, for networks
        that are trained in the page; they may call ``erf``. None: the page does not offer it.

    Raises
    ------
    TypeError
        If function is not callable.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> cosine = ntkbook.Activation("cos", jnp.cos)
    >>> ntkbook.mlp(width=8, depth=1, activation=cosine).activation.name
    'cos'
    """

    name: str
    function: Callable[[Array], Array]
    smooth: bool = True
    odd: bool = False
    homogeneous: bool = False
    moments: Moments | None = field(default=None, repr=False)
    formula: str = field(default="", repr=False, compare=False)
    javascript: str | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(
                f"function of an Activation must be callable, got {self.function!r}. Pass for example jnp.cos."
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

    def __copy__(self) -> Activation:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Activation:
        return self

    def __reduce__(self) -> tuple[Callable[..., Activation], tuple[Any, ...]]:
        if REGISTRY.get(self.name) is self:  # the very same object again, which caches of compiled functions know
            return registered, (self.name,)
        try:
            pickle.dumps(self.function)
        except Exception as error:
            raise pickle.PicklingError(
                f"the function of the activation {self.name!r} cannot be pickled, got {self.function!r}. Define it "
                "with def at the top of a module that the other process imports; wrap a JAX function in one."
            ) from error
        return type(self), tuple(getattr(self, f.name) for f in fields(self))


@partial(jax.jit, static_argnums=(0, 2))
def _derivatives(function: Callable[[Array], Array], z: Array, order: int) -> tuple[Array, ...]:
    values = [function(z)]
    for _ in range(order):
        function = _derivative(function)
        values.append(function(z))
    return tuple(values)


def _derivative(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda z: jax.jvp(function, (z,), (jnp.ones_like(z),))[1]


# -- the registry -----------------------------------------------------------------------------------------------------

REGISTRY: dict[str, Activation] = {}


def register(activation: Activation) -> Activation:
    """Make an activation known by its name."""
    if activation.name in REGISTRY:
        raise ValueError(f"an activation's name must be new, got {activation.name!r} again. Choose another one.")
    REGISTRY[activation.name] = activation
    return activation


def registered(name: str) -> Activation:
    return REGISTRY[name]


def table() -> str:
    """All registered activations as a table for a docstring."""
    rows = [("name", r"sigma(z)", "properties")]
    for activation in REGISTRY.values():
        properties = [word for word in ("smooth", "odd", "homogeneous") if getattr(activation, word)]
        rows.append((f'``"{activation.name}"``', f":math:`{activation.formula}`", ", ".join(properties)))
    lines = [f"   {'*' if k == 0 else ' '} - {cell}" for row in rows for k, cell in enumerate(row)]
    return "\n".join([".. list-table::", "   :header-rows: 1", "", *lines])


def javascript() -> str:
    """The text of an ES module ``activations.js`` that exports ``ACTIVATIONS``, for networks trained in the page.

    Each turns h, in place, into sigma(h) * scale, and writes sigma'(h) * scale into slope. The module imports ``erf``
    from ``./erf.js``.
    """
    return _MODULE.replace("ENTRIES", "".join(map(_javascript_entry, REGISTRY.values())))


_MODULE = """// Made by ntkbook.activations.javascript() from the registry of activations.

import { erf } from "./erf.js";

/**
 * Each turns h, in place, into sigma(h) * scale, and writes sigma'(h) * scale into slope.
 *
 * @type {Record<string, (h: Float64Array, slope: Float64Array, scale: number) => void>}
 */
export const ACTIVATIONS = {
ENTRIES};
"""


def _javascript_entry(activation: Activation) -> str:
    if activation.javascript is None:
        return ""
    statements = "\n".join(f"      {line.strip()}" for line in activation.javascript.strip().splitlines())
    return f"""  {activation.name}(h, slope, scale) {{
    for (let i = 0; i < h.length; i++) {{
      const z = h[i];
{statements}
      h[i] = value * scale;
      slope[i] = rate * scale;
    }}
  }},
"""
