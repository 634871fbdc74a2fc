"""Pictures of ideas, narrow enough to be read on a phone: what has a shape is drawn, what has a size is computed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ntkbook import _checks, terms
from ntkbook._extras import book_extra

with book_extra("ntkbook.drawings"):
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ntkbook.plots import COLOURS, GUIDE, INK

__all__ = ["cut_word", "perpendicular", "repairs", "tower", "twins", "two_passes"]

FORWARD, BACKWARD = COLOURS[2], COLOURS["limit"]
WIDTH = 3.3  # inches; a phone shrinks it by a tenth at most


def _sheet(height: float) -> tuple[Figure, Axes]:
    """Empty axes that fill the figure and are measured in inches."""
    figure, ax = plt.subplots(figsize=(WIDTH, height))
    ax.set_position((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(0, height))
    ax.axis("off")
    return figure, ax


def _write(ax: Axes, x: float, y: float, text: str, **style: Any) -> None:
    looks: dict[str, Any] = {"ha": "center", "va": "center", "size": 10.5} | style
    ax.text(x, y, text, **looks)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = INK, **style: Any) -> None:
    looks: dict[str, Any] = {"arrowstyle": "->", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0} | style
    ax.annotate("", end, start, arrowprops=looks)


def _numbers(values: Any, name: str) -> np.ndarray:
    """`values` as finite floats."""
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold real numbers in rows of equal length: {error}. Pass an array.") from error
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity. Remove or replace these entries.")
    return array


def two_passes(depth: int = 2) -> Figure:
    r"""The network (1.1), its vectors on the way up and on the way down, and the gradients as their products.

    One pass up gives all :math:`x^{(\ell)}`, one pass down all :math:`b^{(\ell)}`, and of them are made

    .. math:: \nabla_{W^{(\ell)}} f = b^{(\ell)} (x^{(\ell-1)})^\top, \qquad \nabla_a f = x^{(H)}

    See the chapter "Networks, gradient flow and the neural tangent kernel".

    Parameters
    ----------
    depth
        H, the number of hidden layers. The figure is 1.2 inches higher for each.

    Returns
    -------
    Figure
        Arrows up in the colour of level 2, dashed ones down in that of the limit.

    Raises
    ------
    ValueError, TypeError
        If `depth` is no integer from 1 on.

    Examples
    --------
    >>> from ntkbook import drawings
    >>> figure = drawings.two_passes(depth=2)
    >>> sum("nabla" in text.get_text() for text in figure.axes[0].texts)
    3
    """
    depth, step = _checks.integer(depth, "depth", at_least=1), 1.2
    figure, ax = _sheet(step * (depth + 1) + 0.75)
    up, down, middle = 1.42, 3.0, 2.25
    rows = [0.2 + step * ell for ell in range(depth + 2)]
    neurons = [np.linspace(0.4, 1.0, 3), *[np.linspace(0.3, 1.1, 5)] * depth, np.array([0.7])]
    for ell, (places, row) in enumerate(zip(neurons, rows, strict=True)):
        if ell:
            below = neurons[ell - 1]
            for start in below:
                ax.plot([np.full_like(places, start), places], [rows[ell - 1], row], color=GUIDE, lw=0.4, zorder=1)
            _write(ax, 0.1, row - step / 2, f"$W^{{({ell})}}$" if ell <= depth else "$a$")
            _arrow(ax, (up, rows[ell - 1] + 0.17), (up, row - 0.17), FORWARD)
        ax.plot(places, np.full_like(places, row), "o", color=INK, markersize=7, zorder=2)
        _write(ax, up, row, f"$x^{{({ell})}}$" if ell <= depth else "$f$")
    for ell in range(1, depth + 2):
        last = ell > depth
        _write(ax, down, rows[ell], "$1$" if last else f"$b^{{({ell})}}$")
        if not last:
            _arrow(ax, (down, rows[ell + 1] - 0.17), (down, rows[ell] + 0.17), BACKWARD, linestyle="--")
        half = rows[ell] - step / 2
        product = f"$x^{{({depth})}}$" if last else f"$b^{{({ell})}} (x^{{({ell - 1})}})^\\top$"
        _write(ax, middle, half, f"$\\nabla_{{{'a' if last else f'W^{{({ell})}}'}}} f =$\n{product}")
        ax.plot([up + 0.2, middle - 0.25], [rows[ell - 1] + 0.05, half - 0.22], ":", color=FORWARD, lw=1.4)
        ax.plot([down - 0.2, middle + 0.25], [rows[ell] - 0.05, half + 0.22], ":", color=BACKWARD, lw=1.4)
    _write(ax, up, rows[-1] + 0.27, "forward")
    _write(ax, WIDTH - 0.02, rows[-1] + 0.27, "backward", ha="right")
    return figure


def _spell(word: terms.Vector) -> list[str]:
    return [r"\sqrt{m}\," * (e.kind == "layer") + e.latex().replace("frac", "dfrac") for e in word.factors]


def _word(ax: Axes, x: float, y: float, letters: Sequence[str], marked: int | None = None) -> float:
    """Letters in boxes from x on, one of them hatched; where the next thing may stand."""
    for j, letter in enumerate(letters):
        wide = 0.3 if letter == "a" else 0.68
        if j == marked:
            shade = plt.Rectangle(
                (x, y - 0.24), wide, 0.48, facecolor="none", edgecolor=BACKWARD, hatch="///", alpha=0.35
            )
            ax.add_patch(shade)
        ax.add_patch(plt.Rectangle((x, y - 0.24), wide, 0.48, fill=False, edgecolor=INK, linewidth=1))
        _write(ax, x + wide / 2, y, f"${letter}$")
        x += wide
    return x


def cut_word(term: terms.Term, place: tuple[int, int, int]) -> Figure:
    r"""What the rule (3.1) for a transposed weight does to its word: the left part ends anew, the right is cut off.

    .. math:: \tfrac{(W^{(\ell)})^\top}{\sqrt m}\, v \to
       \sqrt m\, x_\beta^{(\ell-1)}\, \tfrac1m \bigl\langle \sqrt m\, b_\beta^{(\ell)}, v \bigr\rangle

    See the chapter "Deriving the hierarchy".

    Parameters
    ----------
    term
        A term of K^(k), as in `ntkbook.terms.replace`. Words of four letters are as wide as a phone shows them; longer
        ones run on to the right.
    place
        Where the transposed weight stands, not inside of a diagonal: a key of ``term.factors``, three numbers for
        the pair, the side and the letter.

    Returns
    -------
    Figure
        The word with its weight hatched and the cut dashed; below, what its parts become. The power of m is not drawn.

    Raises
    ------
    ValueError, TypeError
        If `term` is none, or no transposed weight stands at that place.

    Examples
    --------
    >>> from ntkbook import drawings, terms
    >>> term = terms.kernel_terms(2, depth=2)[0]
    >>> figure = drawings.cut_word(term, (0, 0, 1))
    >>> "cut here" in [text.get_text() for text in figure.axes[0].texts]
    True
    """
    if not isinstance(term, terms.Term):
        raise TypeError(f"term must be a Term, got {type(term).__name__}. Take one of kernel_terms(order, depth).")
    weights = [at for at, factor in term.factors.items() if factor.kind == "transpose" and len(at) == 3]
    if place not in weights:
        remedy = f"Take one of {', '.join(map(str, weights))}" if weights else "This term has none: take another"
        raise ValueError(f"place must be that of a transposed weight in a word of the term, got {place!r}. {remedy}.")
    pair, side, j = place
    (new,) = terms.replace(term, place)
    weight, slot = term.products[pair][side].factors[j], new.products[pair + 1][0].factors[0].slot
    figure, ax = _sheet(3.1)
    top, middle, low = 2.4, 1.45, 0.5
    begin, cut = 0.7, 0.7 + 0.68 * (j + 1)
    _word(ax, begin, top, _spell(term.products[pair][side]), marked=j)
    ax.plot([cut, cut], [top - 0.42, top + 0.42], "--", color=BACKWARD, linewidth=2)
    _write(ax, cut, top + 0.54, "cut here")
    _word(ax, begin, middle, _spell(new.products[pair][side]))
    _write(ax, 0.05, middle, "word", ha="left")
    _write(ax, 0.05, (middle + low) / 2, "times", ha="left")
    _arrow(ax, (begin + 0.34, top - 0.28), (begin + 0.34, middle + 0.28), FORWARD)
    _arrow(ax, (cut - 0.34, top - 0.28), (cut - 0.34, middle + 0.28), BACKWARD, linestyle="--")
    x = 0.05
    notes = f"new: $\\sqrt{{m}}\\, b_{{{slot}}}^{{({weight.layer})}}$", "cut off"
    openings = r"$\frac{1}{m}\;\langle$", "$,$"
    for k, (opening, note, word) in enumerate(zip(openings, notes, new.products[pair + 1], strict=True)):
        _write(ax, x + 0.2 - 0.12 * k, low, opening, size=13)
        begin = x + 0.44 - 0.26 * k
        x = _word(ax, begin, low, _spell(word))
        _write(ax, (begin + x) / 2, low - 0.38, note)
    _write(ax, x + 0.1, low, r"$\rangle$", size=13)
    _arrow(ax, (cut + 0.6, top - 0.28), ((begin + x) / 2, low + 0.28), FORWARD)
    return figure


def perpendicular(cosines: Mapping[int, Any]) -> Figure:
    r"""Arrows for grad K at their true angles to grad f, a panel for each width: why K^(3) is small.

    .. math:: K^{(3)}(x_1, x_2, x_3) = \langle \nabla K(x_1, x_2), \nabla f(x_3) \rangle

    is of order 1/m in (2.3), while the product of the two lengths is of order :math:`m^{-1/2}`. See the chapter
    "Networks, gradient flow and the neural tangent kernel".

    Parameters
    ----------
    cosines
        For each width, named by its number: the cosines of the angles, of any shape, one arrow each.

    Returns
    -------
    Figure
        Below each panel's arrows, the root mean square of their distances from a right angle, by its sine.

    Raises
    ------
    ValueError
        If there is no width, or for a width no cosine, or a number outside of [-1, 1].

    Examples
    --------
    >>> from ntkbook import drawings
    >>> figure = drawings.perpendicular({64: [0.2, -0.1], 4096: [0.02, -0.01]})
    >>> [ax.get_title() for ax in figure.axes]
    ['width 64', 'width 4096']
    """
    panels = {width: _numbers(values, f"cosines[{width}]").ravel() for width, values in cosines.items()}
    if not panels or not all(values.size and (np.abs(values) <= 1).all() for values in panels.values()):
        received = {width: values.tolist() for width, values in panels.items()}
        raise ValueError(
            f"cosines must hold numbers from -1 to 1 for at least one width, got {received}. Divide the inner products "
            "by both lengths."
        )
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 1.75), squeeze=False)
    for ax, (width, values) in zip(axes[0], panels.items(), strict=True):
        for cosine in values:
            _arrow(ax, (0, 0), (cosine, math.sqrt(1 - cosine**2)), BACKWARD, linewidth=0.7, mutation_scale=6)
        _arrow(ax, (0, 0), (1, 0), FORWARD, linewidth=2.2)
        ax.plot([0, 0], [0, 1.1], ":", color=INK, linewidth=1)
        off = math.degrees(math.asin(math.sqrt(np.mean(values**2))))
        _write(ax, 0.62, 0.14, r"$\nabla f$")
        _write(ax, 0.3, -0.2, f"90° ± {off:.1f}°")
        ax.set(xlim=(-0.45, 1.05), ylim=(-0.32, 1.12), aspect="equal")
        ax.set_title(f"width {width}", size=10.5)
        ax.axis("off")
    _write(axes[0, 0], 0.6, 0.75, r"$\nabla K$")
    return figure


def tower(level: int, top: int) -> Figure:
    r"""The hierarchy (2.1), (2.2) from the outputs up to the kernel of order top, cut at a level as (2.7) cuts it.

    Beside each kernel stands the power of m in its largest entry at the start, by (2.3) and (2.4):

    .. math:: \max |K_0^{(k)}| \sim m^{1 - \lceil k/2 \rceil}

    See the chapter "Theorem 2.6: the truncated hierarchy".

    Parameters
    ----------
    level
        p, from 2 on: the kernel of this order stays as it was.
    top
        The highest order that is drawn, above `level`, so that what is left out is seen.

    Returns
    -------
    Figure
        The outputs are the lowest box; what is left out is dotted, above a dashed line.

    Raises
    ------
    ValueError, TypeError
        If an argument is not an integer in its range.

    Examples
    --------
    >>> from ntkbook import drawings
    >>> figure = drawings.tower(level=4, top=6)
    >>> [text.get_text() for text in figure.axes[0].texts if "m^" in text.get_text()]
    ['$m^{-1}$', '$m^{-1}$', '$m^{-2}$', '$m^{-2}$']
    """
    level = _checks.integer(level, "level", at_least=2)
    top, step = _checks.integer(top, "top", at_least=level + 1), 0.62
    figure, ax = _sheet(step * (top + 0.3))
    left, right = 0.75, 1.6
    for order in range(1, top + 1):
        y = step * (order - 0.6)
        kept = order <= level
        name = "$f$" if order == 1 else f"$K^{{({order})}}$"
        frame = {"boxstyle": "round", "facecolor": "none", "edgecolor": INK if kept else GUIDE}
        _write(ax, left, y, name, bbox=frame | {"linestyle": "-" if kept else ":"})
        power = 0 if order == 1 else 1 - math.ceil(order / 2)
        _write(ax, right, y, f"$m^{{{power}}}$" if power else "$1$")
        if order > 1:
            colour = FORWARD if kept else GUIDE
            _arrow(ax, (left, y - 0.17), (left, y - step + 0.17), colour, linestyle="-" if kept else ":")
            if order != level + 1:
                _write(ax, 0.5, y - step / 2, "moves", ha="right")
    cut = step * (level - 0.1)
    ax.plot([0.05, WIDTH - 0.05], [cut, cut], "--", color=BACKWARD, linewidth=2)
    _write(ax, 1.95, cut - 0.36, f"level {level}: this kernel\nstays as it was", ha="left", size=10)
    _write(ax, 1.95, cut + 0.3, "left out: the error\nis of this size", ha="left", size=10)
    _write(ax, right, step * (top + 0.05), "size at the start")
    return figure


def twins(times: Any, runs: Any, common: Any, *, ylabel: str) -> Figure:
    r"""Curves of networks and of their mirror twins, thin, with one pair marked; half its sum, and what all share.

    A twin has the readout -a. Its :math:`K_0^{(3)}` has the opposite sign and its :math:`K_0^{(4)}` is the same, so
    that in half the sum the parts of (2.2) cancel that are a network's own. See the chapter "Corollary 2.4: the kernel
    moves at rate 1/m".

    Parameters
    ----------
    times
        (T,), in units of gradient flow.
    runs
        (networks, 2, T): each network and its twin. The first pair is marked.
    common
        (T,), the part that all networks share, computed without one.
    ylabel
        What the curves show.

    Returns
    -------
    Figure
        Networks in grey, four curves with names above them.

    Raises
    ------
    ValueError
        If shapes do not fit, or a number is not finite.

    Examples
    --------
    >>> from ntkbook import drawings
    >>> figure = drawings.twins([0, 1], [[[0, 2], [0, 1]], [[0, 3], [0, -1]]], [0, 1.2], ylabel="motion")
    >>> len(figure.axes[0].lines)
    8
    """
    times, runs, common = _numbers(times, "times"), _numbers(runs, "runs"), _numbers(common, "common")
    if not (times.ndim == 1 and times.size and common.shape == times.shape):
        raise ValueError(
            f"times and common must both have shape (T,), got {times.shape} and {common.shape}. Pass one value a time."
        )
    if not (runs.ndim == 3 and len(runs) and runs.shape[1:] == (2, times.size)):
        raise ValueError(
            f"runs must hold a curve for each network and its twin at the {times.size} times, got shape {runs.shape}. "
            f"Pass an array of shape (networks, 2, {times.size})."
        )
    figure, ax = plt.subplots(figsize=(WIDTH, 3.9))
    ax.plot(times, runs.reshape(-1, runs.shape[-1]).T, color=GUIDE, linewidth=0.5, alpha=0.6)
    one, twin = runs[0]
    for values, colour, dashes, label in (
        (one, COLOURS[2], "-", "one network"),
        (twin, COLOURS[3], "-.", "its mirror twin"),
        ((one + twin) / 2, INK, "-", "half the sum of the two"),
        (common, COLOURS["limit"], "--", "common part, from the limits"),
    ):
        ax.plot(times, values, dashes, color=colour, label=label)
    ax.set_xlabel("time $t$")
    ax.set_ylabel(ylabel, size=10.5)
    ax.tick_params(labelsize=10)
    figure.legend(loc="outside upper left", fontsize=10, frameon=False)
    return figure


def repairs(common: Mapping[int, float], private: Mapping[int, float], *, xlabel: str) -> Figure:
    """What each level of (2.7) repairs: the common and the private part of its error, a row for each level.

    Half the sum of the errors of a network and its mirror twin is the common part, half the difference the private one.
    An odd level repairs the private part, an even one the common part. See the chapter "Theorem 2.6: the truncated
    hierarchy".

    Parameters
    ----------
    common, private
        For each level: the size of the part, positive. Both have the same levels.
    xlabel
        Of what the error is.

    Returns
    -------
    Figure
        The lowest level is at the top; errors stand on a log axis.

    Raises
    ------
    ValueError
        If there is no level, the two have different ones, or a size is not positive and finite.

    Examples
    --------
    >>> from ntkbook import drawings
    >>> figure = drawings.repairs({2: 1e-3, 3: 1e-3}, {2: 2e-3, 3: 5e-5}, xlabel="error")
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['level 2', 'level 3']
    """
    if not common or set(common) != set(private):
        raise ValueError(
            f"common and private must have the same levels, got {list(common)} and {list(private)}. Pass both parts of "
            "the error of each level."
        )
    levels = sorted(common)
    sizes = {"common": [common[p] for p in levels], "private": [private[p] for p in levels]}
    for name, values in sizes.items():
        if not (_numbers(values, name) > 0).all():
            raise ValueError(
                f"{name} must hold positive sizes, since they stand on a log axis, got {values}. Drop levels without "
                "an error."
            )
    figure, ax = plt.subplots(figsize=(WIDTH, 0.6 * len(levels) + 1.2))
    for (name, values), colour, look in zip(sizes.items(), (INK, COLOURS[2]), ("-s", "--o"), strict=True):
        ax.semilogx(values, levels, look, color=colour, label=name, markersize=7, linewidth=1.2)
    ax.set_yticks(levels, [f"level {p}" for p in levels])
    ax.set_ylim(levels[-1] + 0.5, levels[0] - 0.5)
    ax.set_xlabel(xlabel, size=10.5)
    ax.tick_params(labelsize=10)
    figure.legend(loc="outside upper left", fontsize=10, frameon=False, ncols=2)
    return figure
