"""Figures in one visual language: exact in ink, each level in its colour, widths on a log axis, guides dashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ntkbook._extras import book_extra
from ntkbook.diagnostics import PowerLaw

with book_extra("ntkbook.plots"):
    import matplotlib as mpl
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "MARKERS",
    "costs",
    "error_bars",
    "heat_maps",
    "histograms",
    "mode_decay",
    "power_laws",
    "spread",
    "time_curves",
    "use_style",
]

INK = "#000000"
GUIDE = "#767676"
#: Colours of Okabe and Ito, told apart by readers of every kind of colour vision.
COLOURS = {
    "exact": INK,
    "frozen": "#0072B2",
    2: "#0072B2",
    3: "#E69F00",
    4: "#009E73",
    5: "#CC79A7",
    "limit": "#D55E00",
}
#: Markers repeat what the colours say, for print and for readers who do not see colour.
MARKERS = {2: "o", 3: "s", 4: "^", 5: "D"}

_STYLE = {
    "figure.figsize": (6.4, 3.6),
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "font.size": 11,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "image.cmap": "cividis",
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "ntkbook",
    "svg.fonttype": "path",
}


def use_style() -> None:
    """Set matplotlib to the book's style: transparent figures in ink, drawn in notebooks as reproducible SVG.

    They are drawn as PNG too, for what shows a notebook without trusting it, as GitHub does.

    Examples
    --------
    >>> import matplotlib as mpl
    >>> from ntkbook import plots
    >>> with mpl.rc_context():  # to leave it as it was afterwards
    ...     plots.use_style()
    ...     mpl.rcParams["axes.spines.top"]
    False
    """
    mpl.rcParams.update(_STYLE)  # type: ignore[arg-type]
    from IPython import get_ipython

    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", "retina", metadata={"Date": None})


def power_laws(
    widths: Any,
    values: Mapping[int | str, Any],
    fits: Mapping[int | str, PowerLaw],
    predicted: Mapping[int | str, float],
    *,
    xlabel: str = "width $m$",
    ylabel: str,
    label: str | Mapping[int | str, str] = "$k={}$",
    first: int = 0,
    censored: Mapping[int | str, Any] | None = None,
) -> Figure:
    """Values over widths on log axes: seeds faint, their geometric mean strong, predicted slopes as dashed guides.

    Parameters
    ----------
    widths
        (w,).
    values, fits, predicted
        For each curve, named by an order, level or word: values (seeds, w), the fitted power law, the predicted slope.
    label
        What the legend calls a curve: one text for all, with braces for the name, or a text for each.
    first
        The index of the first width of the fit: the guides start there.
    censored
        For each curve: whether a value is a bound below only, (seeds, w). A hollow triangle stands above the widths
        with any.

    Examples
    --------
    >>> from ntkbook import diagnostics, plots
    >>> widths, sizes = [16, 64, 256], [[1.0, 0.25, 0.06], [1.1, 0.26, 0.07]]
    >>> fit = diagnostics.fit_exponent(widths, sizes)
    >>> figure = plots.power_laws(widths, {3: sizes}, {3: fit}, {3: -1.0}, ylabel="size of $K^{(3)}$")
    >>> figure.axes[0].get_xscale()
    'log'
    """
    widths = np.asarray(widths)
    figure, ax = plt.subplots()
    for k, (name, v) in enumerate(values.items()):
        v = np.atleast_2d(v)
        colour, marker = COLOURS.get(name, INK), MARKERS.get(name, "osD^v"[k % 5])  # type: ignore[arg-type]
        mean = np.exp(np.log(v).mean(axis=0))
        ax.loglog(np.tile(widths, len(v)), v.ravel(), marker, color=colour, alpha=0.2, markersize=3, mew=0)
        called = label.format(name) if isinstance(label, str) else label[name]
        text = f"{called}: slope {fits[name].slope:.2f}"
        ax.loglog(widths, mean, marker=marker, color=colour, label=text)
        guide = 1.35 * mean[first] * (widths[first:] / widths[first]) ** predicted[name]
        (dashed,) = ax.loglog(widths[first:], guide, "--", color=GUIDE, linewidth=1)
        if censored is not None:
            bounded = np.any(censored[name], axis=0)
            above = 1.2 * 1.35**k * v.max(axis=0)[bounded]  # apart, where several curves end at one value
            ax.loglog(widths[bounded], above, "^", mfc="none", color=colour)
    dashed.set_label("predicted slopes")
    ticks = widths[:: 1 if len(widths) < 8 else 2]
    ax.set(xlabel=xlabel, ylabel=ylabel, xticks=ticks, xticklabels=[f"{m:g}" for m in ticks])
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def spread(
    x: Any,
    curves: Mapping[str, tuple[Any, Any]],
    *,
    levels: Mapping[str, tuple[float, Any]] | None = None,
    xlabel: str = "width $m$",
    ylabel: str,
    log: bool = True,
) -> Figure:
    """Values over a scale: repetitions faint, their median strong, each curve named at its end, levels across.

    Parameters
    ----------
    x
        (k,), positive; a logarithmic axis.
    curves
        Each is named by its label: (values (repetitions, k), style name of `COLOURS` or any colour).
    levels
        Horizontal dashed lines, named by their labels: (value, style name or colour).
    log
        Whether the values stand on a logarithmic axis too.

    Examples
    --------
    >>> from ntkbook import plots
    >>> figure = plots.spread([4, 8], {"all": ([[1, 3], [2, 3]], "exact")}, levels={"two": (2.0, 2)}, ylabel="size")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['two', 'all']
    """
    x = np.asarray(x)
    figure, ax = plt.subplots()
    ax.set(xscale="log", yscale="log" if log else "linear", xlabel=xlabel, ylabel=ylabel)
    names = []  # (label, height, colour)
    for label, (value, style) in (levels or {}).items():
        names.append((label, value, COLOURS.get(style, style)))
        ax.axhline(value, color=names[-1][2], linestyle="--", linewidth=1.2)
    for k, (label, (values, style)) in enumerate(curves.items()):
        v = np.atleast_2d(np.asarray(values))
        colour, marker = COLOURS.get(style, style), "osD^vP"[k % 6]
        middle = np.median(v, axis=0)
        if len(v) > 1:
            ax.plot(np.tile(x, len(v)), v.ravel(), marker, color=colour, alpha=0.25, markersize=3, mew=0)
        ax.plot(x, middle, marker=marker, color=colour)
        names.append((label, middle[-1], colour))
    ax.set(xticks=x, xticklabels=[f"{v:g}" for v in x])
    ax.minorticks_off()
    _name_at_the_edge(ax, names)
    return figure


def _name_at_the_edge(ax: Axes, names: Sequence[tuple[str, float, Any]]) -> None:
    """Labels right of the axes at the given heights, moved apart where they would overlap."""
    names = sorted((name for name in names if name[0]), key=lambda name: name[1])
    heights = [ax.transData.transform((1, height))[1] * 72 / ax.figure.dpi for _, height, _ in names]
    placed = list(heights)
    for _ in range(50):
        for k in range(len(placed) - 1):
            push = max(0.0, 14 - (placed[k + 1] - placed[k])) / 2
            placed[k], placed[k + 1] = placed[k] - push, placed[k + 1] + push
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
    for (label, height, colour), at, to in zip(names, heights, placed, strict=True):
        ax.annotate(label, (1, height), (6, to - at), color=colour, annotation_clip=False, **place)


def time_curves(
    times: Any,
    curves: Mapping[str, tuple[Any, Any]],
    *,
    ylabel: str,
    xlabel: str = "time $t$",
    log: bool = False,
    dashed: bool = True,
    ax: Axes | None = None,
) -> Figure:
    """Curves over time. Each is named by its label: (values (T,) or (T, k), style name of `COLOURS`).

    The exact curve is solid; the others are predictions and dashed, but with ``dashed=False`` all are solid.

    Examples
    --------
    >>> from ntkbook import plots
    >>> figure = plots.time_curves([0, 1, 2], {"exact": ([1, 0.4, 0.1], "exact")}, ylabel="loss")
    >>> figure.axes[0].get_ylabel()
    'loss'
    """
    ax = plt.subplots()[1] if ax is None else ax
    for label, (values, style) in curves.items():
        values = np.asarray(values).reshape(len(np.asarray(times)), -1)
        dashes = "--" if dashed and style != "exact" else "-"
        lines = ax.plot(times, values, dashes, color=COLOURS.get(style, style))
        lines[0].set_label(label)
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    ax.legend()
    return ax.figure  # type: ignore[return-value]


def error_bars(
    x: Any, curves: Mapping[str, tuple[Any, Any, Any]], *, xlabel: str, ylabel: str, widths: bool = False
) -> Figure:
    """Means with their errors, and a line at zero: points apart, or over widths joined on an axis of powers of two.

    Parameters
    ----------
    x
        (k,).
    curves
        Each is named by its label: (means (k,), half the length of their bars (k,) or 0, style name of `COLOURS`).
    widths
        Whether x are widths.

    Examples
    --------
    >>> from ntkbook import plots
    >>> figure = plots.error_bars([1, 2], {"gain": ([0.5, 0.2], [0.1, 0.1], "exact")}, xlabel="draw", ylabel="gain")
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['gain']
    """
    figure, ax = plt.subplots()
    ax.axhline(0, color=GUIDE, linewidth=1)
    for k, (label, (means, errors, style)) in enumerate(curves.items()):
        dashes = ("-" if style == "exact" else "--") if widths else "none"
        look = {"marker": "osD^v"[k % 5], "linestyle": dashes, "capsize": 3, "color": COLOURS.get(style, style)}
        ax.errorbar(x, means, np.broadcast_to(errors, np.shape(means)), label=label, **look)
    if widths:
        ax.set_xscale("log", base=2)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend()
    return figure


def heat_maps(matrices: Sequence[Any], titles: Sequence[str], *, diverging: bool = False) -> Figure:
    """Square matrices side by side on one colour scale, with its bar.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkbook import plots
    >>> figure = plots.heat_maps([np.eye(2), np.ones((2, 2))], ["$K_0$", "$K_t$"])
    >>> [ax.get_title() for ax in figure.axes[:2]]
    ['$K_0$', '$K_t$']
    """
    matrices = [np.asarray(M) for M in matrices]
    top = max(np.abs(M).max() for M in matrices)
    low = -top if diverging else min(M.min() for M in matrices)
    figure, axes = plt.subplots(1, len(matrices), figsize=(1.6 * len(matrices) + 0.8, 2.0), squeeze=False)
    for ax, M, title in zip(axes[0], matrices, titles, strict=True):
        cmap = "PuOr_r" if diverging else "cividis"
        image = ax.pcolormesh(M, vmin=low, vmax=top, cmap=cmap, edgecolor="face", linewidth=0.2)
        ax.set(title=title, xticks=[], yticks=[], aspect="equal")
        ax.invert_yaxis()  # the first row on top, as a matrix is written
        ax.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes[0].tolist(), shrink=0.8)
    plt.setp(bar.ax.collections, rasterized=False)  # drawn, as all the rest
    return figure


def histograms(panels: Mapping[str, tuple[Mapping[str, Any], float]]) -> Figure:
    """Distributions that narrow around a limit: one outline for each width, darker and thicker the wider.

    Parameters
    ----------
    panels
        For each panel, named by its title: the samples, named by their labels from narrow to wide, and the limit.

    Examples
    --------
    >>> from ntkbook import plots
    >>> samples = {"$m=16$": [0.5, 1.4, 1.1], "$m=1024$": [0.9, 1.1, 1.0]}
    >>> figure = plots.histograms({"$K_0^{(2)}$": (samples, 1.0)})
    >>> figure.axes[0].get_title()
    '$K_0^{(2)}$'
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(2.9 * len(panels) + 1.2, 3.2), squeeze=False)
    for ax, (title, (samples, limit)) in zip(axes[0], panels.items(), strict=True):
        for k, (label, values) in enumerate(samples.items(), start=1):
            share = k / len(samples)
            style = {"color": INK, "alpha": share, "linewidth": 0.6 + 1.4 * share}
            ax.hist(np.asarray(values), bins="fd", density=True, histtype="step", label=label, **style)
        ax.axvline(limit, color=COLOURS["limit"], linestyle="--", label="limit")
        ax.set(title=title, yscale="log", ylabel="density" if ax is axes[0, 0] else "")
    axes[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


_COST_STYLES: dict[str, dict[str, Any]] = {
    "float64": {},
    "float32": {"linestyle": "--", "linewidth": 1, "markerfacecolor": "none"},
    "one layer": {"linestyle": ":", "linewidth": 1},
    "operations": {"color": GUIDE, "linewidth": 1, "marker": ""},
}


def costs(panels: Mapping[str, Mapping[tuple[int, str], tuple[Any, Any]]]) -> Figure:
    """Seconds on log axes, a panel for each thing that is varied.

    Parameters
    ----------
    panels
        For each panel, named by the label of its axis: the curves (values, seconds), each named by its order and its
        kind, one of "float64", "float32", "one layer" (dotted) and "operations" (a grey guide).

    Examples
    --------
    >>> from ntkbook import plots
    >>> curves = {(3, "float64"): ([2, 4], [0.1, 0.4]), (3, "float32"): ([2, 4], [0.1, 0.2])}
    >>> figure = plots.costs({"points $n$": curves})
    >>> figure.axes[0].get_ylabel()
    'seconds'
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(2.8 * len(panels), 3.6), sharey=True, squeeze=False)
    for ax, (label, curves) in zip(axes[0], panels.items(), strict=True):
        for (order, kind), (values, seconds) in curves.items():
            style = {"color": COLOURS[order], "marker": MARKERS[order]} | _COST_STYLES[kind]
            ax.loglog(values, seconds, label=f"$k={order}$" if kind == "float64" else None, **style)
        ticks = sorted({value for values, _ in curves.values() for value in values})
        ax.set(xlabel=label, xticks=ticks, xticklabels=[f"{v:g}" for v in ticks])
        ax.tick_params(axis="x", labelsize=8)
        ax.minorticks_off()
    axes[0, 0].set_ylabel("seconds")
    axes[0, 0].legend()
    return figure


def mode_decay(times: Any, panels: Mapping[str, tuple[Any, Any]], modes: Sequence[int]) -> Figure:
    """Components of the residual along eigenvectors of the kernel, exact beside frozen, on a log axis.

    Parameters
    ----------
    times
        (T,).
    panels
        For each panel, named by its title: exact and frozen components, both (T, n), largest eigenvalue first.
    modes
        Which components to draw, counted from 1.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkbook import plots
    >>> times = np.linspace(0, 2, 5)
    >>> residual = np.exp(-np.outer(times, [2.0, 1.0]))
    >>> figure = plots.mode_decay(times, {"width 64": (residual, 1.1 * residual)}, modes=[1, 2])
    >>> figure.axes[0].get_title()
    'width 64'
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.0 * len(panels) + 0.4, 3.2), sharey=True, squeeze=False)
    drawn = [k - 1 for k in modes]
    for ax, (title, components) in zip(axes[0], panels.items(), strict=True):
        exact, frozen = (np.abs(np.asarray(c))[:, drawn] for c in components)
        solid = ax.semilogy(times, exact, color=COLOURS["exact"])
        dashed = ax.semilogy(times, frozen, "--", color=COLOURS["frozen"])
        ax.set(title=title, xlabel="time $t$")
    seen = np.concatenate([np.abs(np.asarray(exact))[:, drawn].ravel() for exact, _ in panels.values()])
    axes[0, 0].set(ylabel="component of the residual", ylim=(seen.min() / 2, seen.max() * 2))
    for ax, (exact, _) in zip(axes[0], panels.values(), strict=True):
        ends = np.abs(np.asarray(exact))[-1, drawn]
        _name_at_the_edge(ax, [(f"${k}$", end, INK) for k, end in zip(modes, ends, strict=True)])
    axes[0, -1].legend([solid[0], dashed[0]], ["exact", "frozen kernel"], loc="best")
    return figure
