"""What all experiments share: a register, how a result is made, rounded, saved and loaded, and a sample of it again."""

from __future__ import annotations

import io
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from numpy.typing import ArrayLike

from ntkbook import _checks

__all__ = [
    "EXPERIMENTS",
    "FOLDER",
    "Experiment",
    "difference",
    "experiment",
    "load",
    "run",
    "sample_again",
    "save",
    "steps",
]

_INSTALLED = Path(__file__).parents[1] / "_results"

# A built package carries the stored results; one installed in place reads those of the repository.
FOLDER = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[3] / "book" / "results"

EXPERIMENTS: dict[str, Experiment] = {}

_DISTRIBUTIONS = {"jax": "jax", "numpy": "numpy", "equinox": "equinox", "sklearn": "scikit-learn"}
_log = logging.getLogger("ntkbook.experiments")

Result = dict[str, Any]
Differences = dict[str, float]
T = TypeVar("T")


@dataclass(frozen=True)
class Experiment:
    """A computation that takes too long for a chapter, with what is known about its stored result.

    Attributes
    ----------
    name
        Of the experiment and of its file.
    chapter
        The file of the book that shows the result.
    setting
        What is computed, in a few words; stored with the result.
    minutes
        About how long it takes.
    compute
        Makes the result. Its keywords are the settings; their defaults made the stored result.
    digits
        Significant decimal digits that are stored, in a .json; none: arrays as they are, in an .npz.
    again
        Computes some numbers of a stored result anew: by name the largest relative `difference`.
    tolerance
        How large these may be.

    Examples
    --------
    >>> from ntkbook import experiments
    >>> experiments.EXPERIMENTS["orders"].file
    'orders.json'
    """

    name: str
    chapter: str
    setting: str
    minutes: float
    compute: Callable[..., Result]
    digits: int | None
    again: Callable[[Result], Differences] | None
    tolerance: float

    @property
    def file(self) -> str:
        """The name of the file that holds the result."""
        return self.name + (".json" if self.digits else ".npz")


def experiment(
    name: str,
    *,
    chapter: str,
    setting: str,
    minutes: float,
    digits: int | None = None,
    again: Callable[[Result], Differences] | None = None,
    tolerance: float = 0.0,
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Register a function that makes a result; the words are those of `Experiment`."""

    def register(compute: Callable[..., Result]) -> Callable[..., Result]:
        EXPERIMENTS[name] = Experiment(name, chapter, setting, minutes, compute, digits, again, tolerance)
        return compute

    return register


def run(name: str, **settings: Any) -> Result:
    """Make a result anew, in float64: what was computed, and before it the command, the versions and the time it took.

    Parameters
    ----------
    name
        One of `EXPERIMENTS`.
    settings
        Keywords of its `compute`, where they are to differ from the stored result.

    Returns
    -------
    dict
        As `load` gives it, with the digits that are stored.

    Raises
    ------
    ValueError
        If there is no such experiment.

    Examples
    --------
    >>> from ntkbook import experiments
    >>> result = experiments.run("orders", activations=["tanh"], depths=[1], widths=[8, 16], orders=[2], seeds=3)
    >>> [result["sizes"][name].shape for name in ("tanh 1 8", "tanh 1 16")]
    [(1, 3), (1, 3)]
    """
    chosen = _find(name)
    start = time.time()
    with jax.enable_x64(True):
        result = chosen.compute(**settings)
    about = {
        "command": f"python -m ntkbook.experiments {name}",
        "setting": chosen.setting,
        "versions": _versions(),
        "seconds": round(time.time() - start),
    }
    return _arrays(about | (_rounded(result, chosen.digits) if chosen.digits else result))


def save(name: str, result: Mapping[str, Any], folder: str | Path | None = None) -> Path:
    """Write a result of `run` into its file, whole or not at all.

    Parameters
    ----------
    name
        One of `EXPERIMENTS`.
    result
        What `run` gives.
    folder
        Where to; `FOLDER` if None.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If there is no such experiment.

    Examples
    --------
    >>> import tempfile
    >>> from ntkbook import experiments
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = experiments.save("orders", experiments.load("orders"), folder)
    ...     path.read_bytes() == (experiments.FOLDER / "orders.json").read_bytes()
    True
    """
    chosen = _find(name)
    path = Path(FOLDER if folder is None else folder) / chosen.file
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_bytes(_as_json(result) if chosen.digits else _as_npz(result))
    os.replace(unfinished, path)
    return path


def load(name: str, folder: str | Path | None = None) -> Result:
    """One stored result with what made it: the command, the versions, the time it took.

    Parameters
    ----------
    name
        One of `EXPERIMENTS`.
    folder
        Where it lies; `FOLDER` if None.

    Returns
    -------
    dict
        Lists of numbers, nested or not, are NumPy arrays.

    Raises
    ------
    ValueError
        If there is no such experiment.
    FileNotFoundError
        If its result is not in the folder.

    Examples
    --------
    >>> from ntkbook import experiments
    >>> experiments.load("theorem-2-3")["command"]
    'python -m ntkbook.experiments theorem-2-3'
    """
    chosen = _find(name)
    path = Path(FOLDER if folder is None else folder) / chosen.file
    if not path.is_file():
        raise FileNotFoundError(
            f"the result of {name!r} must lie at {path}, and there is none. Install the version of the package that "
            f"belongs to the chapter, or make it: python -m ntkbook.experiments {name}."
        )
    if chosen.digits:
        return _arrays(json.loads(path.read_text(encoding="utf-8")))
    with np.load(path) as arrays:
        about = json.loads(str(arrays["about"]))
        return _arrays(about) | {key: arrays[key] for key in arrays.files if key != "about"}


def sample_again(name: str) -> dict[str, float]:
    """Compute a sample of a stored result anew: by how much it differs, the largest relative difference by name.

    Parameters
    ----------
    name
        One of `EXPERIMENTS` that has a sample.

    Returns
    -------
    dict
        Name of the sampled numbers -> largest relative difference, to be held against the experiment's tolerance.

    Raises
    ------
    ValueError
        If there is no such experiment, or it has no sample.

    Examples
    --------
    >>> from ntkbook import experiments
    >>> differences = experiments.sample_again("orders")
    >>> max(differences.values()) < experiments.EXPERIMENTS["orders"].tolerance
    True
    """
    chosen = _find(name)
    if chosen.again is None:
        raise ValueError(f"the experiment must have a sample, but {name!r} has none. Run it whole.")
    with jax.enable_x64(True):
        return chosen.again(load(name))


def difference(kept: ArrayLike, again: ArrayLike, scale: ArrayLike | None = None) -> float:
    """By how much numbers differ at most: over what was kept, or over the scale where they may be zero."""
    over = np.abs(kept) if scale is None else scale
    return float((np.abs(np.subtract(again, kept)) / over).max())


def steps(values: Sequence[T], what: str) -> Iterator[T]:
    """The values one by one; a line in the log after each, with the time since the first."""
    start = time.time()
    for value in values:
        yield value
        _log.info("%s %s: %.0f s", what, value, time.time() - start)


def _find(name: str) -> Experiment:
    return EXPERIMENTS[_checks.one_of(name, "name", tuple(EXPERIMENTS))]


def _versions() -> dict[str, str]:
    """Of Python and of those packages that the run has loaded."""
    loaded = {name: version(name) for module, name in _DISTRIBUTIONS.items() if module in sys.modules}
    return loaded | {"python": platform.python_version()}


def _rounded(value: Any, digits: int) -> Any:
    """The same as JSON knows it: lists for arrays, keys as text, floating numbers to so many significant digits."""
    if isinstance(value, Mapping):
        return {str(key): _rounded(part, digits) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part, digits) for part in value]
    array = np.asarray(value)
    if array.ndim:
        return [_rounded(part, digits) for part in array]
    return float(f"{array:.{digits}g}") if np.issubdtype(array.dtype, np.floating) else array.item()


def _arrays(value: Any) -> Any:
    """The same with arrays in place of lists of numbers."""
    if isinstance(value, Mapping):
        return {key: _arrays(part) for key, part in value.items()}
    if not isinstance(value, list):
        return value
    array = np.asarray(value)
    return array if np.issubdtype(array.dtype, np.number) else [_arrays(part) for part in value]


def _as_json(result: Mapping[str, Any]) -> bytes:
    """A line for each entry."""
    lines = (f"{json.dumps(key)}: {json.dumps(value, default=np.ndarray.tolist)}" for key, value in result.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _as_npz(result: Mapping[str, Any]) -> bytes:
    """The arrays of more than one axis, and all else in one text."""
    arrays = {key: value for key, value in result.items() if np.ndim(value) > 1}
    about = {key: value for key, value in result.items() if key not in arrays}
    file = io.BytesIO()
    text = json.dumps(about, default=np.ndarray.tolist)
    np.savez_compressed(file, allow_pickle=False, **arrays, about=np.array(text))
    return file.getvalue()
