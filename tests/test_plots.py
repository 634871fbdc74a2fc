"""Figures are made, say what they should, and leave matplotlib as it was."""

import io

import numpy as np
import pytest

mpl = pytest.importorskip("matplotlib")

from ntkbook import diagnostics, plots  # noqa: E402

pytestmark = pytest.mark.usefixtures("figures")

WIDTHS = np.array([16, 64, 256])


def laws():
    values = {k: np.outer([1.0, 2.0], WIDTHS ** -float(k // 2)) for k in (2, 3)}
    fits = {k: diagnostics.fit_exponent(WIDTHS, v) for k, v in values.items()}
    return plots.power_laws(WIDTHS, values, fits, {2: -1.0, 3: -1.0}, ylabel="size")


def test_power_laws():
    figure = laws()
    (ax,) = figure.axes
    assert ax.get_xscale() == ax.get_yscale() == "log"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["$k=2$: slope -1.00", "$k=3$: slope -1.00", "predicted slopes"]
    strong = [line for line in ax.lines if str(line.get_label()).startswith("$k=")]
    assert [(line.get_color(), line.get_marker()) for line in strong] == [
        (plots.COLOURS[k], plots.MARKERS[k]) for k in (2, 3)
    ]
    np.testing.assert_allclose(strong[0].get_ydata(), np.sqrt(2) / WIDTHS)
    (guide, _) = [line for line in ax.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(np.diff(np.log(guide.get_ydata())) / np.diff(np.log(WIDTHS)), -1)


def test_power_laws_calls_each_curve_by_its_own_name():
    values = {"limit": [WIDTHS**-0.5], 4: [WIDTHS**-2.0]}
    fits = {name: diagnostics.fit_exponent(WIDTHS, v) for name, v in values.items()}
    called = {"limit": "limiting kernel", 4: "level 4"}
    figure = plots.power_laws(WIDTHS, values, fits, {"limit": -0.5, 4: -2.0}, label=called, ylabel="error")
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["limiting kernel: slope -0.50", "level 4: slope -2.00", "predicted slopes"]


def test_time_curves():
    times = np.linspace(0, 1, 4)
    figure = plots.time_curves(times, {"exact": (times**2, "exact"), "frozen": (np.ones((4, 2)), 2)}, ylabel="f")
    lines = figure.axes[0].lines
    assert [line.get_color() for line in lines] == [plots.COLOURS["exact"], plots.COLOURS[2], plots.COLOURS[2]]
    assert len(figure.axes[0].get_legend().get_texts()) == 2
    own, ax = mpl.pyplot.subplots()
    assert plots.time_curves(times, {"f": (times + 1, "exact")}, ylabel="f", log=True, ax=ax) is own
    assert ax.get_yscale() == "log"


def test_spread_shows_repetitions_their_median_and_the_levels():
    values = np.array([[1.0, 2.0], [3.0, 4.0], [2.0, 9.0]])
    figure = plots.spread([4, 8], {"all": (values, "exact")}, levels={"two": (2.0, 2)}, ylabel="size", log=False)
    (ax,) = figure.axes
    level, faint, strong = ax.lines
    assert level.get_linestyle() == "--" and level.get_color() == plots.COLOURS[2] and level.get_ydata()[0] == 2
    assert sorted(faint.get_ydata()) == sorted(values.ravel()) and faint.get_alpha() < 1
    assert strong.get_ydata().tolist() == [2.0, 4.0] and (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert [text.get_text() for text in ax.texts] == ["two", "all"]
    bare = plots.spread([4, 8], {"one": ([1.0, 2.0], 3)}, ylabel="size")
    assert len(bare.axes[0].lines) == 1 and bare.axes[0].get_yscale() == "log"
    close = plots.spread([4, 8], {"a": ([1, 5.0], 3), "b": ([2, 5.01], 4)}, ylabel="size").axes[0].texts
    assert close[1].xyann[1] - close[0].xyann[1] > 10  # moved apart


def test_values_that_are_bounds_get_a_triangle_above_them_each_curve_its_own():
    values = dict.fromkeys((2, 3), np.array([[1.0, 4.0, 8.0], [2.0, 8.0, 8.0]]))
    bounded = dict.fromkeys((2, 3), [[False, False, True], [False, True, True]])
    fits = {k: diagnostics.fit_exponent(WIDTHS, v) for k, v in values.items()}
    drawn = plots.power_laws(WIDTHS, values, fits, {2: 1.0, 3: 1.0}, ylabel="time", censored=bounded).axes[0].lines
    low, high = [line for line in drawn if line.get_marker() == "^" and line.get_markerfacecolor() == "none"]
    assert low.get_xdata().tolist() == high.get_xdata().tolist() == WIDTHS[1:].tolist()
    assert (low.get_ydata() > 8).all() and (high.get_ydata() > 1.3 * low.get_ydata()).all()


def test_error_bars_stand_around_their_means():
    curves = {"a": ([1.0, 2.0], [0.5, 0.25], "exact"), "b": ([3.0, 4.0], 0, 3)}
    for widths in (False, True):
        (ax,) = plots.error_bars([8, 16], curves, xlabel="m", ylabel="gain", widths=widths).axes
        a, b = ax.containers
        assert a.lines[0].get_ydata().tolist() == [1.0, 2.0] and b.lines[0].get_color() == plots.COLOURS[3]
        assert [segment[:, 1].tolist() for segment in a.lines[2][0].get_segments()] == [[0.5, 1.5], [1.75, 2.25]]
        assert (a.lines[0].get_linestyle() == "-") == widths == (ax.get_xscale() == "log")


def test_heat_maps_share_one_scale():
    figure = plots.heat_maps([np.eye(3), -2 * np.eye(3)], ["a", "b"], diverging=True)
    limits = {ax.collections[0].get_clim() for ax in figure.axes[:2]}
    assert limits == {(-2.0, 2.0)}
    assert [ax.get_title() for ax in figure.axes[:2]] == ["a", "b"] and len(figure.axes) == 3
    plain = plots.heat_maps([np.eye(3), 2 * np.eye(3)], ["a", "b"])
    assert plain.axes[0].collections[0].get_clim() == (0.0, 2.0)


def test_figures_change_no_setting():
    before = dict(mpl.rcParams)
    laws()
    plots.heat_maps([np.eye(2)], ["a"])
    assert dict(mpl.rcParams) == before


def test_pictures_are_reproducible_and_transparent():
    plots.use_style()
    files = []
    for _ in range(2):
        file = io.StringIO()
        laws().savefig(file, format="svg", metadata={"Date": None})
        files.append(file.getvalue())
    assert files[0] == files[1] and "<svg" in files[0]
    assert mpl.rcParams["figure.facecolor"] == "none"
