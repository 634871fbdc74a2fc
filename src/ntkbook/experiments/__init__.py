"""The experiments behind the chapters: their settings, their computations, and their stored results.

`python -m ntkbook.experiments` lists the stored results and makes them anew. A chapter reads them with `load`, computes
a part again with `sample_again`, and calls the functions below for what it shows at smaller sizes.
"""

from __future__ import annotations

from ntkbook.experiments import _base
from ntkbook.experiments import costs as _costs  # noqa: F401 - its experiment is registered
from ntkbook.experiments._base import Experiment, load, run, sample_again, save
from ntkbook.experiments.corollary_2_4 import kernel_motion, limiting_motion
from ntkbook.experiments.corollary_2_5 import linear_convergence, residual_at_start
from ntkbook.experiments.predicting import learned, regression
from ntkbook.experiments.theorem_2_3 import along_training, sizes_at_start
from ntkbook.experiments.theorem_2_6 import truncation_run

__all__ = [
    "EXPERIMENTS",
    "FOLDER",
    "Experiment",
    "along_training",
    "kernel_motion",
    "learned",
    "limiting_motion",
    "linear_convergence",
    "load",
    "regression",
    "residual_at_start",
    "run",
    "sample_again",
    "save",
    "sizes_at_start",
    "truncation_run",
]

#: All experiments by name.
EXPERIMENTS = _base.EXPERIMENTS

#: Where the stored results lie: in the package, or in the repository where it is installed in place.
FOLDER = _base.FOLDER
