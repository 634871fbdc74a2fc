"""A small widget of every kind, with made-up data, and a link to one of its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from ntkbook.widgets import (
    ClickToDifferentiate,
    HierarchyAtWork,
    KernelInMotion,
    LinearConvergence,
    OrdersOfMagnitude,
    PredictNewPoint,
    TrainLive,
    TruncationExplorer,
)
from ntkbook.widgets._base import BookWidget
from ntkbook.widgets.convergence import TIMES as CONVERGENCE_TIMES
from ntkbook.widgets.hierarchy import LENGTH, TIMES
from ntkbook.widgets.motion import TIMES as MOTION_TIMES
from ntkbook.widgets.truncation import DATA_SETS, LEVELS
from ntkbook.widgets.truncation import TIMES as TRUNCATION_TIMES

WIDTHS = [32, 64, 128, 256]


def sizes() -> np.ndarray:
    """Made-up sizes that follow the predicted powers, with some scatter."""
    rng = np.random.default_rng(0)
    table = np.exp(0.3 * rng.normal(size=(2, 2, 4, 5, len(WIDTHS))))
    powers = 1 - np.ceil(np.array([2, 3, 4, 5]) / 2)
    return table * np.array(WIDTHS, float) ** powers[:, None, None]


def runs(widths: tuple[int, ...] = (16, 64)) -> dict[int, np.ndarray]:
    """Made-up runs: smooth in time, different for every entry and width."""
    waves = np.sin(np.outer(TIMES, 1 + np.arange(LENGTH) / 10))
    return {width: (waves + 1.5) * np.exp(-np.array(TIMES) / 5)[:, None] / width for width in widths}


def motions(seed: int = 0) -> dict[int, np.ndarray]:
    """Made-up motions: zero at the start, growing, different for every network, twin and entry."""
    rng = np.random.default_rng(seed)
    return {width: rng.normal(size=(5, 2, 1, 6)) * np.array(MOTION_TIMES)[:, None] for width in (16, 64)}


CONVERGENCE_AXES = {
    "activations": ["tanh", "erf"],
    "depths": [1, 2],
    "labels": ["hardest", "signs"],
    "points": [4, 8, 16],
    "widths": [8, 32],
}


def convergences() -> np.ndarray:
    """Made-up decays and eigenvalues, different for every setting and network."""
    rng = np.random.default_rng(2)
    shape = (*(len(axis) for axis in CONVERGENCE_AXES.values()), 3)
    times = np.array(CONVERGENCE_TIMES)
    decays = np.exp(-rng.uniform(0.3, 3.0, shape)[..., None] * times)
    return np.stack([decays, 0.3 + rng.uniform(size=shape)[..., None] + times / 10], axis=-2)


def truncations(seed: int = 0) -> tuple[dict[str, dict[int, np.ndarray]], dict[str, np.ndarray]]:
    """Made-up runs and errors: different for every number, the errors growing in time and falling with the width."""
    rng = np.random.default_rng(seed)
    growing = np.array(TRUNCATION_TIMES)[:, None]
    runs = {
        name: {width: rng.normal(size=(1 + len(LEVELS), 1, n + n * (n + 1) // 2)) * growing / width for width in WIDTHS}
        for name, n in DATA_SETS.items()
    }
    shape = (3, len(WIDTHS), len(LEVELS), len(TRUNCATION_TIMES), 2)
    powers = np.array(WIDTHS, float)[:, None] ** (-(np.array(LEVELS) // 2))
    return runs, {name: rng.uniform(1, 2, size=shape) * powers[:, :, None, None] for name in DATA_SETS}


@cache
def derivation_widget() -> ClickToDifferentiate:
    return ClickToDifferentiate(widths=[8, 16])


@dataclass(frozen=True)
class Sample:
    """How a widget is made; a setting that an address can name, and what one of its controls then shows."""

    make: Callable[[], BookWidget]
    setting: str
    control: str
    shows: str


SAMPLES = {
    "click-to-differentiate": Sample(derivation_widget, "depth=2&term=2&width=16&path=1.0.2", "width", "16"),
    "hierarchy-at-work": Sample(lambda: HierarchyAtWork(runs()), "order=3&entry=1,2,3&width=64&time=3", "width", "64"),
    "kernel-in-motion": Sample(
        lambda: KernelInMotion(motions(), motions()[16].mean(axis=(0, 1))),
        "seed=4&count=2&twins=yes&entry=1,3&time=2.5",
        "count",
        "2",
    ),
    "linear-convergence": Sample(
        lambda: LinearConvergence(convergences(), 0.1 + np.arange(12).reshape(2, 2, 3) / 100, **CONVERGENCE_AXES),
        "points=16&width=32&depth=2&activation=erf&labels=signs",
        "width",
        "32",
    ),
    "orders-of-magnitude": Sample(
        lambda: OrdersOfMagnitude(WIDTHS, sizes(), activations=["tanh", "erf"]),
        "orders=2,5&depth=1&activation=erf",
        "activation",
        "erf",
    ),
    "predict-new-point": Sample(PredictNewPoint, "angle=120&label=5&width=32&targets=1,2,0,-1,0.5,3", "value", "0.5"),
    "train-live": Sample(TrainLive, "depth=2&width=64&activation=erf&seed=5", "width", "64"),
    "truncation-explorer": Sample(
        lambda: TruncationExplorer(*truncations()),
        "data=digits&level=4&width=32&time=2.5&entry=3,7",
        "entry",
        "(x\u2083, x\u2087)",
    ),
}


def make(name: str) -> BookWidget:
    return SAMPLES[name].make()
