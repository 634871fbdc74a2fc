"""How far and how fast the kernel moves along training, at widths from 8 to 4096, tanh and ReLU.

    python tools/sweep_kernel_motion.py

writes book/results/corollary-2-4.json, the sizes behind the chapter "Corollary 2.4: the kernel moves at rate 1/m", and
book/results/kernel-in-motion.npz, which `ntkbook.widgets.KernelInMotion` reads. The chapter computes a part again.
"""

import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import ntkbook
from ntkbook.diagnostics import max_abs
from ntkbook.widgets import kernel_motion, limiting_motion

FOLDER = Path(__file__).parents[1] / "book" / "results"
WIDTHS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
SHOWN = [16, 64, 512, 4096]
SEEDS, SEEDS_SHOWN = 64, 32


def main() -> None:
    ntkbook.enable_float64()
    start = time.time()
    runs = {}
    for width in WIDTHS:
        runs[width] = kernel_motion(width=width, seeds=range(SEEDS))
        print(f"width {width}: {time.time() - start:.0f} s so far", flush=True)
    kinked = {n: np.stack([moved_with_kinks(width, n) for width in WIDTHS], axis=1) for n in (1, 3)}
    about = {
        "command": "python tools/sweep_kernel_motion.py",
        "setting": "tanh, one hidden layer, seeds 0..63, see ntkbook.widgets.kernel_motion; relu: the first point or "
        "all three, the same labels, gradient descent to t = 2",
        "versions": {name: version(name) for name in ("jax", "numpy", "diffrax")}
        | {"python": platform.python_version()},
        "seconds": round(time.time() - start),
    }
    scaled = np.stack(list(runs.values()), axis=1)  # (seeds, widths, twins, moved or rate, times, entries)
    unscaled = np.abs(scaled[:, :, 0]) / np.array(WIDTHS)[:, None, None, None]
    even = scaled[:, :, :, 0].mean(axis=2)
    odd = scaled[:, :, 0, 0] - even
    result = about | {
        "widths": WIDTHS,
        "seeds": SEEDS,
        "moved": rounded(unscaled[:, :, 0].max(axis=(2, 3))),
        "speed": rounded(unscaled[:, :, 1].max(axis=(2, 3))),
        "speed_in_time": rounded(unscaled[:, :, 1].max(axis=3).mean(axis=0)),
        "mean": rounded(scaled[:, :, 0, 0].mean(axis=0)),
        "mean_of_twins": rounded(even.mean(axis=0)),
        "scatter": {"same": rounded(even.std(axis=0, ddof=1)[:, -1]), "odd": rounded(odd.std(axis=0, ddof=1)[:, -1])},
        "moved_relu": {str(n): rounded(values) for n, values in kinked.items()},
    }
    (FOLDER / "corollary-2-4.json").write_text(json.dumps(result, indent=1) + "\n")
    shown = np.stack([runs[width][:SEEDS_SHOWN, :, 0] for width in SHOWN])
    np.savez_compressed(
        FOLDER / "kernel-in-motion.npz",
        runs=shown.astype(np.float32),
        limit=limiting_motion(),
        about=json.dumps(about | {"widths": SHOWN}),
    )


def moved_with_kinks(width: int, points: int) -> np.ndarray:
    """max |K_t - K_0| at t = 2 for a ReLU network, for every seed."""
    net = ntkbook.mlp(width=width, activation="relu")
    x = ntkbook.data.sphere_points(jax.random.key(1), n=3, input_dim=5)[:points]

    def of_seed(seed: Array) -> Array:
        params = net.init(jax.random.key(seed), 5)
        y = net(params, x) + 1.0
        steps = ntkbook.gradient_descent(net, params, x, y, learning_rate=0.01, steps=200, every=200, progress=False)
        return max_abs(steps.kernel[-1] - steps.kernel[0])

    return np.asarray(jax.jit(lambda seeds: jax.lax.map(of_seed, seeds))(jnp.arange(SEEDS)))


def rounded(values: np.ndarray) -> list:
    return [float(f"{v:.9g}") if np.ndim(v) == 0 else rounded(v) for v in values]


if __name__ == "__main__":
    main()
