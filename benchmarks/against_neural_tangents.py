"""K^(2) by neural-tangents over K^(2) by this package: the network and sizes of `make bench`'s first rows.

In an environment of its own, since neural-tangents asks for names that JAX has moved:

    python -m venv _build/nt && _build/nt/bin/pip install . neural-tangents
    _build/nt/bin/python -m benchmarks.against_neural_tangents
"""

from __future__ import annotations

import importlib
import sys
import types
import warnings

import jax
import jax._src.core
import jax._src.interpreters.ad
import jax._src.util
import jax.extend.core
import jax.interpreters.ad
import jax.numpy as jnp


def alias_moved_names() -> None:
    """Names of JAX 0.4 that neural-tangents 0.6.5 imports, where they are now."""
    for module, sources in (
        (jax.core, (jax.extend.core, jax._src.core)),
        (jax.interpreters.ad, (jax._src.interpreters.ad,)),
    ):
        for source in sources:
            for name in dir(source):
                if not name.startswith("__") and not hasattr(module, name):
                    setattr(module, name, getattr(source, name))
    jax.interpreters.ad.zeros_like_p = None  # type: ignore[attr-defined]  # gone, and only a key here
    util = types.ModuleType("jax.util")
    vars(util).update(vars(jax._src.util))
    sys.modules["jax.util"] = util
    sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")


def main() -> None:
    import ntkbook
    from benchmarks.measure import seconds, setting

    ntkbook.enable_float64()
    warnings.simplefilter("ignore", DeprecationWarning)
    alias_moved_names()
    nt = importlib.import_module("neural_tangents")
    net, params, x = setting(n=32, width=1024, depth=2)
    ours = seconds(lambda: ntkbook.empirical_ntk(net, params, x))
    K = ntkbook.empirical_ntk(net, params, x)
    for name in ("JACOBIAN_CONTRACTION", "NTK_VECTOR_PRODUCTS"):  # STRUCTURED_DERIVATIVES runs on JAX 0.4 alone
        compute = jax.jit(
            nt.empirical_ntk_fn(
                lambda params, x: net(params, x)[:, None],
                trace_axes=(-1,),
                vmap_axes=0,
                implementation=nt.NtkImplementation[name],
            )
        )
        theirs = compute(x, None, params)
        spent = seconds(compute, x, None, params)
        print(f"{name}: {spent / ours:.1f} times ours, difference {float(jnp.abs(theirs - K).max()):.1e}")


if __name__ == "__main__":
    main()
