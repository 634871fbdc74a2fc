"""Both sides of (2.1) and (2.2) along training, at four widths: what the widget "the hierarchy at work" shows.

    python tools/sweep_at_work.py

writes book/results/at-work.npz, which `ntkbook.widgets.HierarchyAtWork` reads.
"""

import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ntkbook.widgets import along_training

OUT = Path(__file__).parents[1] / "book" / "results" / "at-work.npz"
WIDTHS = [16, 64, 256, 1024]
DEPTH, ACTIVATION = 2, "tanh"


def main() -> None:
    start = time.time()
    runs = []
    for width in WIDTHS:
        runs.append(along_training(width=width, depth=DEPTH, activation=ACTIVATION))
        print(f"width {width}: {time.time() - start:.0f} s so far", flush=True)
    about = {
        "command": "python tools/sweep_at_work.py",
        "setting": "three fixed points on the unit sphere of R^5, see ntkbook.widgets.along_training",
        "versions": {name: version(name) for name in ("jax", "numpy", "diffrax")}
        | {"python": platform.python_version()},
        "seconds": round(time.time() - start),
        "widths": WIDTHS,
        "depth": DEPTH,
        "activation": ACTIVATION,
    }
    np.savez_compressed(OUT, runs=np.array(runs, np.float32), about=json.dumps(about))


if __name__ == "__main__":
    main()
