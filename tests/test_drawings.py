"""Drawings hold what their captions speak of, and what has a size is drawn to it."""

import numpy as np
import pytest

mpl = pytest.importorskip("matplotlib")

from ntkbook import drawings, plots, terms  # noqa: E402

pytestmark = pytest.mark.usefixtures("figures")


def written(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


def arrows(ax, colour=None):
    """Start and end of each arrow, or of those of one colour."""
    drawn = [text for text in ax.texts if isinstance(text, mpl.text.Annotation)]
    chosen = (colour is None or mpl.colors.same_color(arrow.arrow_patch.get_edgecolor(), colour) for arrow in drawn)
    return [(arrow.xyann, arrow.xy) for arrow, wanted in zip(drawn, chosen, strict=True) if wanted]


@pytest.mark.parametrize("depth", [1, 3])
def test_two_passes_go_through_every_layer(depth):
    (ax,) = drawings.two_passes(depth).axes
    up, down = arrows(ax, plots.COLOURS[2]), arrows(ax, plots.COLOURS["limit"])
    assert len(up) == depth + 1 and all(end[1] > start[1] for start, end in up)
    assert len(down) == depth and all(end[1] < start[1] for start, end in down)
    gradients = [text for text in written(ax) if "nabla" in text]
    assert len(gradients) == depth + 1
    assert f"$b^{{({depth})}} (x^{{({depth - 1})}})^\\top$" in gradients[-2] and f"x^{{({depth})}}" in gradients[-1]


def test_a_word_is_cut_after_the_weight_and_nothing_of_it_is_lost():
    term = terms.kernel_terms(2, depth=2)[0]
    (ax,) = drawings.cut_word(term, (0, 1, 1)).axes
    letters = [e.latex().replace("frac", "dfrac") for e in term.products[0][1].factors]
    shown = written(ax)
    for letter in (letters[0], letters[2]):  # before the cut, and after it
        assert shown.count(f"${letter}$") == 2
    assert shown.count(f"${letters[1]}$") == 1 and r"$\sqrt{m}\,x_{3}^{(1)}$" in shown
    assert r"new: $\sqrt{m}\, b_{3}^{(2)}$" in shown
    (weight,) = [box for box in ax.patches if getattr(box, "get_hatch", lambda: None)()]
    (cut,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert cut.get_xdata()[0] == pytest.approx(weight.get_x() + weight.get_width())


def test_arrows_stand_at_their_true_angles():
    cosines = {64: [0.5, -0.2], 4096: [0.0, 0.01]}
    for ax, values in zip(drawings.perpendicular(cosines).axes, cosines.values(), strict=True):
        ends = np.array([end for _, end in arrows(ax)])
        np.testing.assert_allclose(np.hypot(*ends.T), 1.0)
        np.testing.assert_allclose(ends[:, 0], [*values, 1.0])
    assert ax.get_aspect() == 1 and "90° ± 0.4°" in written(ax)


@pytest.mark.parametrize("level", [2, 4])
def test_the_tower_is_cut_above_its_level(level):
    (ax,) = drawings.tower(level, top=6).axes
    (cut,) = (line.get_ydata()[0] for line in ax.lines)
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert heights[f"$K^{{({level})}}$"] < cut < heights[f"$K^{{({level + 1})}}$"]
    boxes = [text.get_bbox_patch() for text in ax.texts if text.get_bbox_patch()]
    assert [box.get_linestyle() for box in boxes] == ["-"] * level + [":"] * (6 - level)
    sizes = [text for text in written(ax) if text == "$1$" or text.startswith("$m")]
    assert sizes == ["$1$", "$1$", "$m^{-1}$", "$m^{-1}$", "$m^{-2}$", "$m^{-2}$"]


def test_twins_mirror_each_other_in_what_they_share():
    times, common = np.linspace(0, 1, 3), np.array([0.0, 1.0, 3.0])
    runs = common + np.array([[[0, 1, 2], [0, -1, -2]], [[0, 3, 5], [0, -3, -5]]])
    (ax,) = drawings.twins(times, runs, common, ylabel="motion").axes
    marked = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert len(ax.lines) == 4 + 4 and len({line.get_linestyle() for line in marked.values()}) == 3
    np.testing.assert_allclose(marked["half the sum of the two"].get_ydata(), common)
    np.testing.assert_allclose(marked["one network"].get_ydata(), runs[0, 0])


def test_repairs_has_a_row_for_each_level_with_the_first_at_the_top():
    common, private = {2: 1e-2, 3: 1e-2, 4: 1e-5}, {2: 2e-2, 3: 1e-3, 4: 2e-5}
    (ax,) = drawings.repairs(common, private, xlabel="error").axes
    for line, parts in zip(ax.lines, (common, private), strict=True):
        np.testing.assert_allclose(line.get_xdata(), list(parts.values()))
        np.testing.assert_array_equal(line.get_ydata(), [2, 3, 4])
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker() and ax.get_xscale() == "log"
    assert ax.yaxis_inverted()


ONE_LAYER, TWO_LAYERS = (terms.kernel_terms(2, depth=depth)[0] for depth in (1, 2))
PARTS = {2: 1.0, 3: 0.1}


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: drawings.two_passes(0), "depth must be at least 1, got 0"),
        (lambda: drawings.cut_word(TWO_LAYERS, (0, 0, 7)), r"got \(0, 0, 7\). Take one of \(0, 0, 1\), \(0, 1, 1\)"),
        (lambda: drawings.cut_word(TWO_LAYERS, (0, 0, 0)), "place must be that of a transposed weight"),
        (lambda: drawings.cut_word(TWO_LAYERS, (0, 0)), "place must be that of a transposed weight"),
        (lambda: drawings.cut_word(TWO_LAYERS, [0, 0, 1]), "place must be that of a transposed weight"),
        (lambda: drawings.cut_word(ONE_LAYER, (0, 0, 0)), "This term has none: take another"),
        (lambda: drawings.perpendicular({}), "for at least one width, got {}"),
        (lambda: drawings.perpendicular({64: []}), "from -1 to 1"),
        (lambda: drawings.perpendicular({64: [0.1], 512: [1.5]}), "Divide the inner products by both lengths"),
        (lambda: drawings.perpendicular({64: [np.nan]}), r"cosines\[64\] must be finite"),
        (lambda: drawings.tower(1, 6), "level must be at least 2, got 1"),
        (lambda: drawings.tower(4, 4), "top must be at least 5, got 4"),
        (lambda: drawings.twins([0, 1], np.zeros((3, 2, 2)), [0], ylabel=""), r"shape \(T,\), got \(2,\) and \(1,\)"),
        (lambda: drawings.twins([0, 1], np.zeros((2, 2)), [0, 1], ylabel=""), r"Pass an array .* \(networks, 2, 2\)"),
        (lambda: drawings.twins([0, 1], np.zeros((0, 2, 2)), [0, 1], ylabel=""), r"got shape \(0, 2, 2\)"),
        (lambda: drawings.twins([0, 1], [[[0, 1], [2]]], [0, 1], ylabel=""), "runs must hold real numbers in rows"),
        (lambda: drawings.repairs({}, {}, xlabel=""), "the same levels"),
        (lambda: drawings.repairs(PARTS, {2: 1.0}, xlabel=""), r"the same levels, got \[2, 3\] and \[2\]"),
        (lambda: drawings.repairs(PARTS, {2: 1.0, 3: 0.0}, xlabel=""), "private must hold positive sizes"),
        (lambda: drawings.repairs(PARTS, {2: 1.0, 3: np.inf}, xlabel=""), "private must be finite"),
    ],
)
def test_bad_input_is_refused_before_anything_is_drawn(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
    assert not mpl.pyplot.get_fignums()


def test_what_is_no_term_or_no_integer_has_another_type():
    with pytest.raises(TypeError, match="term must be a Term, got str"):
        drawings.cut_word("b", (0, 0, 1))
    with pytest.raises(TypeError, match="top must be an integer, got 6.5"):
        drawings.tower(4, 6.5)


def test_repairs_takes_levels_in_any_order():
    (ax,) = drawings.repairs({3: 0.1, 2: 1.0}, {2: 2.0, 3: 0.2}, xlabel="error").axes
    assert [line.get_ydata().tolist() for line in ax.lines] == [[2, 3], [2, 3]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["level 2", "level 3"]


def test_drawings_fit_a_phone_with_letters_of_nine_points():
    plots.use_style()
    figures = [
        drawings.two_passes(),
        drawings.cut_word(terms.kernel_terms(2, depth=2)[0], (0, 0, 1)),
        drawings.tower(4, 6),
        drawings.perpendicular({64: [0.1], 512: [0.0], 4096: [0.0]}),
    ]
    for figure in figures:
        figure.canvas.draw()
        shrunk = 311 * 72 / 96 / (figure.get_tightbbox().width * 72 + 14.4)  # notebooks pad by 0.1 inch
        sizes = [text.get_size() for text in figure.findobj(mpl.text.Text) if text.get_text().strip()]
        assert min(sizes) * min(shrunk, 1) >= 9
