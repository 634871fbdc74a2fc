"""The truncated hierarchy against the exact flow: in m, in n, on digits, and to long times.

    python tools/sweep_truncation.py

writes book/results/theorem-2-6.json, the errors behind the chapter "Theorem 2.6: the truncated hierarchy", and
book/results/truncation.npz, which `ntkbook.widgets.TruncationExplorer` reads. The chapter computes a part again.
"""

import json
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import ntkbook
from ntkbook.diagnostics import max_abs
from ntkbook.widgets import truncation_run
from ntkbook.widgets.truncation import DATA_SETS, largest_errors

FOLDER = Path(__file__).parents[1] / "book" / "results"
LEVELS = (2, 3, 4, 5)
WIDTHS = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
FAR = [8192, 16384, 32768, 65536]
DEEP = [32, 64, 128, 256, 512]
DIGITS, DIGITS_WIDER = [1024, 2048, 4096, 8192, 16384], [32768, 65536]
WINDOW = [8, 16, 32, 64, 128, 256, 512, 1024]
POINTS = [2, 4, 8, 16]
SHOWN = [16, 32, 64, 128, 256, 512, 1024]
SEEDS, FAR_SEEDS, FEW, SHOWN_SEEDS = 64, 32, 16, 8
UPPER = np.triu_indices(3)
TIMES = np.linspace(0.0, 4.0, 9)
LONG = np.concatenate([[0.0], np.geomspace(0.5, 1024.0, 67)])
TIGHT: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}


def main() -> None:
    ntkbook.enable_float64()
    start = time.time()

    def done(what: str) -> None:
        print(f"{what}: {time.time() - start:.0f} s so far", flush=True)

    x = ntkbook.data.sphere_points(jax.random.key(1), n=3, input_dim=5)
    result: dict[str, Any] = {"widths": WIDTHS, "seeds": SEEDS, "times": TIMES.tolist()}
    result |= in_the_width(x, WIDTHS, SEEDS)
    done("widths")
    result["far"] = {"widths": FAR, "seeds": FAR_SEEDS} | in_the_width(x, FAR, FAR_SEEDS)
    done("far widths")
    result["kernels"] = largest_kernels(x, WIDTHS, FEW, (3, 4, 5, 6))
    result["far"]["kernels"] = largest_kernels(x, FAR[:3], FEW, (3, 4))
    done("kernels along training")
    result["deep"] = {"widths": DEEP, "errors": deep(x)}
    done("two hidden layers")
    result["digits"] = digits(DIGITS, LEVELS)
    result["digits wider"] = digits(DIGITS_WIDER, LEVELS[:-1])
    done("digits")
    result["window"] = {"widths": WINDOW, "times": rounded(LONG)} | window(x)
    done("window")
    result["in_n"] = {"points": POINTS, "errors": in_n()}
    done("points")
    shown = for_the_widget()
    done("widget")
    about = {
        "command": "python tools/sweep_truncation.py",
        "setting": "tanh, one hidden layer unless deep (two), three points of a sphere, labels f_0 + 1, levels 2..5, "
        "integrated to 1e-12; see the functions of the script for the others",
        "versions": {name: version(name) for name in ("jax", "numpy", "diffrax")}
        | {"python": platform.python_version()},
        "seconds": round(time.time() - start),
    }
    (FOLDER / "theorem-2-6.json").write_text(json.dumps(about | result) + "\n")
    np.savez_compressed(FOLDER / "truncation.npz", **shown, about=json.dumps(about | {"widths": SHOWN}))


def compare(
    net: ntkbook.MLP, seed: int, x: Array, shift: Any, times: Any, levels: Sequence[int], **options: Any
) -> tuple[np.ndarray, np.ndarray, ntkbook.Trajectory, list[ntkbook.Trajectory]]:
    """Truncated minus exact, of the outputs (levels, times, n) and of the kernel; and the flows. Labels f_0 + shift."""
    params = net.init(jax.random.key(seed), x.shape[1])
    y = net(params, x) + shift
    options = {"throw": False, "progress": False, **TIGHT, **options}
    exact = ntkbook.gradient_flow(net, params, x, y, times, **options)
    h = ntkbook.kernel_hierarchy(net, params, x, max_order=max(levels))
    flows = [ntkbook.truncated_flow(h, y, times, level=p, **options) for p in levels]
    f = np.stack([flow.outputs - exact.outputs for flow in flows])
    K = np.stack([flow.kernel - exact.kernel for flow in flows])
    return f, K, exact, flows


def in_the_width(x: Array, widths: Sequence[int], seeds: int) -> dict[str, Any]:
    """The largest errors over [0, 4], and for the odd levels m^(p-1)/2 (K - K~) at every time: mean and scatter."""
    largest = np.zeros((2, len(LEVELS), seeds, len(widths)))
    scaled = np.zeros((2, seeds, len(widths), len(TIMES), 6))
    for w, width in enumerate(widths):
        for seed in range(seeds):
            f, K, _, _ = compare(ntkbook.mlp(width=width), seed, x, 1.0, TIMES, LEVELS)
            largest[:, :, seed, w] = np.abs(f).max(axis=(1, 2)), np.abs(K).max(axis=(1, 2, 3))
            scaled[0, seed, w] = -width * K[1][:, *UPPER]
            scaled[1, seed, w] = -(width**2) * K[3][:, *UPPER]
    return {
        "outputs": dict(zip(map(str, LEVELS), rounded(largest[0]), strict=True)),
        "kernel": dict(zip(map(str, LEVELS), rounded(largest[1]), strict=True)),
        "odd_mean": {"3": rounded(scaled[0].mean(axis=0)), "5": rounded(scaled[1].mean(axis=0))},
        "odd_scatter": {
            "3": rounded(scaled[0][:, :, -1].std(axis=0, ddof=1)),
            "5": rounded(scaled[1][:, :, -1].std(axis=0, ddof=1)),
        },
    }


def largest_kernels(x: Array, widths: Sequence[int], seeds: int, orders: Sequence[int]) -> dict[str, Any]:
    """max |K_t^(r)| over t = 0, 1, .., 4 and all entries, for each order r: (seeds, widths)."""
    largest = np.zeros((len(orders), seeds, len(widths)))
    for w, width in enumerate(widths):
        net = ntkbook.mlp(width=width)

        @jax.jit
        def sizes(params: ntkbook.MLPParams, net: ntkbook.MLP = net) -> Array:
            kernels = ntkbook.kernel_hierarchy(net, params, x, max_order=max(orders)).kernels
            return jnp.stack([max_abs(kernels[r]) for r in orders])

        for seed in range(seeds):
            params = net.init(jax.random.key(seed), 5)
            flow = ntkbook.gradient_flow(
                net, params, x, net(params, x) + 1.0, jnp.arange(5.0), keep_params=True, progress=False
            )
            times = [sizes(jax.tree.map(lambda leaf, k=k: leaf[k], flow.params)) for k in range(5)]
            largest[:, seed, w] = np.max(times, axis=0)
    return dict(zip(map(str, orders), rounded(largest), strict=True))


def deep(x: Array) -> dict[str, Any]:
    """Two hidden layers: the largest error of the outputs over [0, 4], (seeds, widths) for each level."""
    largest = np.zeros((len(LEVELS), FEW, len(DEEP)))
    for w, width in enumerate(DEEP):
        for seed in range(FEW):
            f, _, _, _ = compare(ntkbook.mlp(width=width, depth=2), seed, x, 1.0, TIMES, LEVELS)
            largest[:, seed, w] = np.abs(f).max(axis=(1, 2))
    return dict(zip(map(str, LEVELS), rounded(largest), strict=True))


def digits(widths: Sequence[int], levels: Sequence[int]) -> dict[str, Any]:
    """Twelve digits with labels f_0 + 1, f_0 - 1: the largest error of the outputs at each of nine times up to 16."""
    x, y = ntkbook.data.digits(12, key=jax.random.key(0))
    times = np.linspace(0.0, 16.0, 9)
    errors = np.zeros((len(levels), FEW, len(widths), len(times)))
    for w, width in enumerate(widths):
        net = ntkbook.mlp(width=width)
        for seed in range(FEW):
            f, _, _, _ = compare(net, seed, x, y, times, levels)
            errors[:, seed, w] = np.abs(f).max(axis=2)
    named = dict(zip(map(str, levels), rounded(errors), strict=True))
    return {"widths": list(widths), "times": times.tolist(), "errors": named}


def window(x: Array) -> dict[str, Any]:
    """Two nearly dependent points: when an output is off by a tenth, or an entry of the kernel by a
    tenth of the largest at the start; and when a level ends."""
    near = x.at[1].set(x[0] + 0.05 * (x[1] - x[0]))
    near = near / jnp.linalg.norm(near, axis=1, keepdims=True)
    shift = jnp.array([1.0, -1.0, 1.0])
    leaves = np.zeros((len(LEVELS), FEW, len(WINDOW)))
    ends = np.zeros_like(leaves)
    for w, width in enumerate(WINDOW):
        for seed in range(FEW):
            net, loose = ntkbook.mlp(width=width), {"rtol": 1e-9, "atol": 1e-9}
            f, K, exact, flows = compare(net, seed, near, shift, LONG, LEVELS, **loose)
            kernel = np.abs(K).max(axis=(2, 3)) / np.abs(exact.kernel[0]).max()
            off = np.maximum(np.abs(f).max(axis=2), kernel)
            gone = ~(off < 0.1)  # NaN counts
            leaves[:, seed, w] = [LONG[row.argmax()] if row.any() else 0.0 for row in gone]
            ends[:, seed, w] = [0.0 if flow.result.ok else float(flow.result.time) for flow in flows]
    named = [dict(zip(map(str, LEVELS), rounded(values), strict=True)) for values in (leaves, ends)]
    return {"about": "0: not until the last time", "leaves": named[0], "ends": named[1]}


def in_n() -> dict[str, Any]:
    """The Euclidean norm of f - f~ at t = 2 for n points of a sphere of R^16, m = 512: (seeds, n)."""
    levels = (2, 3, 4)
    norms = np.zeros((len(levels), FEW, len(POINTS)))
    everything = ntkbook.data.sphere_points(jax.random.key(2), n=max(POINTS), input_dim=16)
    for k, n in enumerate(POINTS):
        for seed in range(FEW):
            f, _, _, _ = compare(ntkbook.mlp(width=512), seed, everything[:n], 1.0, np.array([1.0, 2.0]), levels)
            norms[:, seed, k] = np.sqrt((f[:, -1] ** 2).sum(axis=-1))
    return dict(zip(map(str, levels), rounded(norms), strict=True))


def for_the_widget() -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for name, n in DATA_SETS.items():
        errors, kept = [], []
        for width in SHOWN:
            runs = [truncation_run(data=name, width=width, seed=seed) for seed in range(SHOWN_SEEDS)]
            kept.append(runs[0])
            errors.append([largest_errors(run, n) for run in runs])
        arrays[f"runs {name}"] = np.stack(kept).astype(np.float32)
        arrays[f"errors {name}"] = np.swapaxes(errors, 0, 1).astype(np.float32)
    return arrays


def rounded(values: Any) -> Any:
    return [float(f"{v:.6g}") if np.ndim(v) == 0 else rounded(v) for v in values]


if __name__ == "__main__":
    main()
