"""Predictions at new points against the exact network, over widths: a regression on the half circle, and the digits.

    python tools/sweep_predicting.py

writes book/results/predicting.json, the numbers behind the chapter "Predicting new points". The chapter computes a part
again.
"""

import json
import platform
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import ntkbook
from ntkbook.widgets import learned, regression

FOLDER = Path(__file__).parents[1] / "book" / "results"
WIDTHS = [64, 128, 256, 512, 1024, 2048, 4096]
DIGIT_WIDTHS = [64, 128, 256, 512, 1024]
WIDE = [4096, 8192, 16384, 32768, 65536]  # where level 4 has its power on the digits
SEEDS, WIDE_SEEDS = 32, 16
TIMES = [0.0, 4.0, 16.0, 32.0]
TRAINED, NEW = 12, 24  # digits
LARGE = 1e5  # a width at which the truncated hierarchy shows its limit


def main() -> None:
    ntkbook.enable_float64()
    start = time.time()
    result: dict[str, Any] = {
        "widths": WIDTHS,
        "digit_widths": DIGIT_WIDTHS,
        "wide": WIDE,
        "seeds": SEEDS,
        "times": TIMES,
    }
    parts: dict[str, Any] = {"regression": [of_regression(width) for width in WIDTHS], "limits": of_limits()}
    print(f"regression: {time.time() - start:.0f} s", flush=True)
    parts["digits"] = [of_digits(width) for width in DIGIT_WIDTHS]
    print(f"digits: {time.time() - start:.0f} s", flush=True)
    parts["wide_digits"] = [of_digits(width, WIDE_SEEDS, twin=False) for width in WIDE]
    for name, keys in {
        "regression": parts["regression"][0],
        "digits": parts["digits"][0],
        "wide_digits": ["errors"],
    }.items():
        result[name] = {key: rounded(np.stack([np.asarray(part[key]) for part in parts[name]])) for key in keys}
    result["limits"] = {key: rounded(np.asarray(value)) for key, value in parts["limits"].items()}
    about = {
        "command": "python tools/sweep_predicting.py",
        "setting": "tanh, one hidden layer, labels f_0 + z, seeds 0..31 with mirror twins (wide_digits: 0..15 alone). "
        "Regression: ntkbook.widgets.regression, sigma_w = 2; digits: 12 threes and eights, 24 new ones, sigma_w = 1",
        "versions": {name: version(name) for name in ("jax", "numpy", "diffrax", "scikit-learn")}
        | {"python": platform.python_version()},
        "seconds": round(time.time() - start),
    }
    (FOLDER / "predicting.json").write_text(json.dumps(about | result) + "\n")


def twins(net: ntkbook.MLP, input_dim: int, seed: Array) -> ntkbook.MLPParams:
    params = net.init(jax.random.key(seed), input_dim)
    return jax.tree.map(lambda a, b: jnp.stack([a, b]), params, params._replace(readout=-params.readout))


def of_regression(width: int) -> dict[str, Array]:
    """At one width: errors of the limit and of levels 2 to 4, and g(2z) - 2 g(z), by seeds and times."""
    net = ntkbook.mlp(width=width, w_std=2.0)
    _, x, z, _, x_test = regression()
    limit = limiting(net, x, z, x_test, {}, 2)

    @jax.jit
    def of_seed(seed: Array) -> tuple:
        both = twins(net, 2, seed)
        run = partial(learned, net, x=x, times=jnp.array(TIMES), x_test=x_test)
        pairs = jax.lax.map(lambda p: jnp.stack([run(p, targets=z), run(p, targets=2 * z)]), both)
        once, twice = pairs[0]
        errors = jnp.concatenate([(limit - once[0])[None], once[1:] - once[0]])
        bend = twice - 2 * once
        bends = jnp.concatenate([bend[:1], bend[2:] - bend[0]])
        common = (pairs[:, 1] - 2 * pairs[:, 0]).mean(axis=0)[0]
        return jnp.abs(errors).max(axis=2), jnp.abs(bends).max(axis=2), common, bend[0] - common

    errors, bends, common, private = jax.lax.map(of_seed, jnp.arange(SEEDS))
    print(f"regression, width {width}", flush=True)
    return {
        "errors": errors,  # (seeds, limit and levels 2 to 4, times)
        "bends": bends,  # (seeds, exact and the errors of levels 3 and 4, times)
        "common_bend": width * common.mean(axis=0)[2],  # m times the mean over pairs of twins, at t = 16, (37,)
        "common_error": width * common.std(axis=0, ddof=1)[2] / np.sqrt(SEEDS),
        "private_bend": width * private.std(axis=0, ddof=1)[2],
    }


def limiting(net: ntkbook.MLP, x: Array, z: Array, x_test: Array, fourth: dict[str, Array], level: int) -> Array:
    """What the hierarchy of the limits learns, (times, points); a fourth order divided by LARGE where there is one."""
    n, k = len(x), len(x_test)
    kernels, test_kernels = {2: ntkbook.limit_kernel(net, x)}, {2: ntkbook.limit_kernel(net, x, 2, x_test)}
    if fourth:
        kernels |= {3: jnp.zeros((n,) * 3), 4: fourth["x"] / LARGE}
        test_kernels |= {3: jnp.zeros((k, n, n)), 4: fourth["x_test"] / LARGE}
    h = ntkbook.KernelHierarchy(jnp.zeros(n), kernels, jnp.zeros(k), test_kernels)
    flow = ntkbook.truncated_flow(h, z, jnp.array(TIMES), level, rtol=1e-12, atol=1e-12)
    return jnp.asarray(flow.test_outputs)


def of_limits() -> dict[str, Array]:
    """The limit of m times the mean of g(2z) - 2 g(z) at t = 16, and of exact minus frozen, from orders 2 and 4."""
    net = ntkbook.mlp(width=1, w_std=2.0)
    _, x, z, _, x_test = regression()
    fourth = {
        "x": ntkbook.limit_kernel(net, x, 4, progress=False),
        "x_test": ntkbook.limit_kernel(net, x, 4, x_test, progress=False),
    }
    once, twice = (limiting(net, x, c * z, x_test, fourth, 4)[2] for c in (1.0, 2.0))
    frozen = limiting(net, x, z, x_test, {}, 2)[2]
    print("limits", flush=True)
    return {"bend": LARGE * (twice - 2 * once), "shift": LARGE * (once - frozen), "frozen": frozen}


def of_digits(width: int, seeds: int = SEEDS, *, twin: bool = True) -> dict[str, Array]:
    """At one width: errors at new digits, mean squared errors and alignments, by seeds and the two of a pair."""
    net = ntkbook.mlp(width=width)
    points, targets = ntkbook.data.digits(TRAINED + NEW, key=jax.random.key(0))
    x, x_test, z, z_test = points[:TRAINED], points[TRAINED:], targets[:TRAINED], targets[TRAINED:]
    times = jnp.array(TIMES)
    options: dict[str, Any] = {"rtol": 1e-11, "atol": 1e-11, "throw": False}
    K = ntkbook.limit_kernel(net, x), ntkbook.limit_kernel(net, x, 2, x_test)
    start = ntkbook.KernelHierarchy(jnp.zeros(TRAINED), {2: K[0]}, jnp.zeros(NEW), {2: K[1]})
    limit = jnp.asarray(ntkbook.truncated_flow(start, z, times, 2, **options).test_outputs)

    def alignment(K: Array) -> Array:
        return jnp.einsum("a,tab,b->t", z, K, z) / jnp.linalg.norm(K, axis=(1, 2)) / TRAINED

    def of_network(params: ntkbook.MLPParams) -> tuple:
        y = net(params, x) + z
        h = ntkbook.kernel_hierarchy(net, params, x, 4, x_test=x_test)
        flows = [ntkbook.gradient_flow(net, params, x, y, times, x_test, **options)]
        flows += [ntkbook.truncated_flow(h, y, times, level, **options) for level in (2, 3, 4)]
        g = jnp.stack([jnp.asarray(flow.test_outputs) for flow in flows]) - jnp.asarray(h.test_outputs)
        errors = jnp.concatenate([(limit - g[0])[None], g[1:] - g[0]])
        aligned = jnp.stack([alignment(flow.kernel) for flow in flows])
        return jnp.abs(errors).max(axis=2), ((g - z_test) ** 2).mean(axis=2), aligned

    of_seed = jax.jit(
        lambda seed: jax.lax.map(of_network, jax.tree.map(lambda leaf: leaf[: 1 + twin], twins(net, 64, seed)))
    )
    errors, squares, aligned = jax.lax.map(of_seed, jnp.arange(seeds))
    print(f"digits, width {width}", flush=True)
    return {
        "errors": errors[:, 0],  # (seeds, limit and levels 2 to 4, times)
        "squares": squares[..., 2:],  # (seeds, twins, exact and levels 2 to 4, the last two times)
        "alignment": aligned[..., 2:] - aligned[..., :1],
    }


def rounded(values: np.ndarray) -> list:
    return [float(f"{v:.6g}") if np.ndim(v) == 0 else rounded(v) for v in values]


if __name__ == "__main__":
    main()
