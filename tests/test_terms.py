"""The terms that the rules (3.1) generate, against the kernels, the paper's formulas and each other."""

import re
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from closeness import assert_close

import ntkbook
from ntkbook import terms
from ntkbook.terms import Factor, Vector

COUNTS = {1: [2, 6, 28, 172], 2: [3, 22, 282, 5024], 3: [4, 52, 1234]}  # by depth, orders 2, 3, ...


def problem(depth, activation="softplus", width=6):
    net = ntkbook.mlp(width=width, depth=depth, activation=activation, w_std=1.2)
    return net, net.init(jax.random.key(0), 3), ntkbook.data.sphere_points(jax.random.key(1), 3, 3)


# -- the sum over terms is the kernel ---------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["softplus", "tanh"])
@pytest.mark.parametrize(("depth", "order"), [(1, 2), (2, 2), (1, 3), (2, 3), (3, 3), (2, 4)])
def test_terms_add_up_to_the_kernel(depth, order, activation):
    net, params, x = problem(depth, activation)
    total = terms.evaluate(terms.kernel_terms(order, depth), net, params, x)
    assert total.dtype == x.dtype
    assert_close(total, ntkbook.empirical_kernel(net, params, x, order=order))


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["softplus", "tanh"])
@pytest.mark.parametrize(("depth", "order"), [(3, 2), (1, 4), (3, 4), (1, 5), (2, 5)])
def test_terms_add_up_to_the_kernel_in_further_cases(depth, order, activation):
    net, params, x = problem(depth, activation, width=16)
    total = terms.evaluate(terms.kernel_terms(order, depth), net, params, x)
    assert_close(total, ntkbook.empirical_kernel(net, params, x, order=order))


def test_terms_against_nested_differentiation():
    net, params, x = problem(depth=2)
    total = terms.evaluate(terms.kernel_terms(3, 2), net, params, x[:2])
    assert_close(total, oracles.empirical_kernel(net, params, x[:2], 3))


def test_children_are_the_derivative_of_their_term():
    # Not of the sum only: the replacements in one term give the derivative of that term along each grad f.
    net, params, x = problem(depth=2)
    term = terms.kernel_terms(3, 2)[7]
    children = [child for place in term.factors for child in terms.replace(term, place)]
    epsilon = 1e-4 if x.dtype == jnp.float64 else 1e-2
    for c in range(len(x)):
        gradient = jax.grad(net)(params, x[c])
        plus, minus = (
            terms.evaluate(term, net, jax.tree.map(lambda t, g, s=s: t + s * g, params, gradient), x)
            for s in (epsilon, -epsilon)
        )
        derivative = (plus - minus) / (2 * epsilon)
        np.testing.assert_allclose(
            terms.evaluate(children, net, params, x)[..., c], derivative, atol=3 * epsilon * abs(derivative).max()
        )


def test_one_term_by_hand():
    # (1/sqrt m) (1/m) <sigma''(x1) diag(sigma'(x3) a) a, sigma'(x2) a> <x1, x3> <x1, x2>, tanh
    net, params, x = problem(depth=1, activation="tanh")
    (term,) = [t for t in terms.kernel_terms(3, 1) if t.step.rule == "derivative" and t.step.place == (0, 0, 0)]
    h, a = np.asarray(x @ params.weights[0].T), np.asarray(params.readout)
    slope, second = 1 / np.cosh(h) ** 2, -2 * np.tanh(h) / np.cosh(h) ** 2
    gram = np.asarray(x @ x.T)
    expected = np.einsum("i,ai,bi,ci,ac,ab->abc", a**3, second, slope, slope, gram, gram) / 6**1.5
    assert_close(terms.evaluate(term, net, params, x), expected)


# -- the terms themselves ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", COUNTS)
def test_number_of_terms(depth):
    orders = range(2, 2 + len(COUNTS[depth]))
    assert [terms.count(r, depth) for r in orders] == COUNTS[depth]
    assert [len(terms.kernel_terms(r, depth)) for r in orders] == COUNTS[depth]
    for order, number in enumerate(COUNTS[depth], start=2):
        assert len(set(terms.kernel_terms(order, depth))) == number  # no two are the same expression


@pytest.mark.parametrize("depth", COUNTS)
def test_form_of_the_terms(depth):
    # (3.8), with the word lengths 4H-2 for r = 3, 4 and 4H-1 for r = 5 where (3.5) prints 4H-3
    for order in range(2, 2 + len(COUNTS[depth])):
        longest = 0
        for term in terms.kernel_terms(order, depth):
            assert (term.order, term.depth, term.power) == (order, depth, 1 - Fraction(order, 2))
            assert 1 <= len(term.products) <= order
            vectors = [vector for pair in term.products for vector in pair]
            assert sum(vector.diag_count for vector in vectors) <= order - 2
            longest = max(longest, *(vector.longest_word for vector in vectors))
            for slot in range(1, order + 1):
                assert f"x_{{{slot}}}" in term.latex()
        assert longest == {2: 2 * depth - 1, 3: 4 * depth - 2, 4: 4 * depth - 2, 5: 4 * depth - 1}[order]


def test_words_end_with_their_only_vector():
    def check(vector):
        *matrices, last = vector.factors
        assert last.kind in ("readout", "ones", "layer")
        assert all(factor.kind in ("weight", "transpose", "derivative", "diag") for factor in matrices)
        for factor in matrices:
            assert len(factor.diags) == 1 or factor.kind != "diag"
            for inner in factor.diags:
                check(inner)

    for term in terms.kernel_terms(4, 2):
        for pair in term.products:
            for vector in pair:
                check(vector)


def test_diagonals_are_counted_with_those_inside_of_them():
    inner = Vector((Factor("diag", diags=(Vector((Factor("readout"),)),)), Factor("ones")))
    outer = Vector((Factor("derivative", 1, 1, (inner, Vector((Factor("ones"),)))), Factor("readout")))
    assert (outer.diag_count, outer.word_length, inner.diag_count) == (3, 1, 1)
    assert outer.latex() == (
        r"\sigma_{1}^{(3)}(x_{1})\,\operatorname{diag}\left(\operatorname{diag}\left(a\right)\,\mathbf{1}\right)\,"
        r"\operatorname{diag}\left(\mathbf{1}\right)\,a"
    )


# -- derivations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "order"), [(1, 5), (2, 4), (3, 3)])
def test_every_derivation_can_be_replayed(depth, order):
    for term in terms.kernel_terms(order, depth):
        first, *later = term.history
        assert first in terms.kernel_terms(2, depth)
        current = first
        for r, recorded in enumerate(later, start=3):
            step = recorded.step
            assert (step.rule, step.slot) == (current.factors[step.place].kind, r)
            (current,) = [child for child in terms.replace(current, step.place) if child.step == step]
        assert (current, current.history) == (term, term.history)


def test_each_rule_as_printed():
    first, second, _ = terms.kernel_terms(2, 2)
    b = {ell: first.products[0][0].latex().split(r"\,", 2 * ell - 2)[-1] for ell in (1, 2)}
    assert b[1] == r"\sigma_{1}'(x_{1})\,\frac{(W^{(2)})^{\top}}{\sqrt{m}}\,\sigma_{2}'(x_{1})\,a"
    b = {ell: text.replace("x_{1}", "x_{3}") for ell, text in b.items()}

    def printed(term, place):
        return [[vector.latex() for pair in child.products for vector in pair] for child in terms.replace(term, place)]

    (readout,) = printed(second, (0, 0, 1))
    assert readout[0] == r"\sigma_{2}'(x_{1})\,\sqrt{m}\,x_{3}^{(2)}"
    (transpose,) = printed(first, (0, 0, 1))
    assert transpose[0] == r"\sigma_{1}'(x_{1})\,\sqrt{m}\,x_{3}^{(1)}"
    assert transpose[2:4] == [b[2], r"\sigma_{2}'(x_{1})\,a"]
    derivative = printed(second, (0, 0, 0))
    forward = r"\frac{W^{(2)}}{\sqrt{m}}\,\sigma_{1}'(x_{1})\,"
    for k, word in ((1, forward + b[1]), (2, b[2])):
        assert derivative[k - 1][0] == rf"\sigma_{{2}}''(x_{{1}})\,\operatorname{{diag}}\left({word}\right)\,a"
        assert derivative[k - 1][2:4] == [rf"\sqrt{{m}}\,x_{{{slot}}}^{{({k - 1})}}" for slot in (1, 3)]
    (layer,) = printed(second, (1, 0, 0))
    assert layer[2] == rf"\operatorname{{diag}}\left(\sigma_{{1}}'(x_{{1}})\,{b[1]}\right)\,\mathbf{{1}}"
    moved = terms.replace(second, (0, 0, 0))[0]  # its diagonal holds W^(2) v
    (weight,) = terms.replace(moved, (0, 0, 0, 0, 0))
    diagonal = weight.products[0][0].factors[0].diags[0].latex()
    b = {ell: text.replace("x_{3}", "x_{4}") for ell, text in b.items()}
    assert diagonal == rf"\operatorname{{diag}}\left({b[2]}\right)\,\mathbf{{1}}"
    assert weight.products[1][0].latex() == r"\sqrt{m}\,x_{4}^{(1)}"
    assert weight.step == terms.Step((0, 0, 0, 0, 0), "weight", slot=4, layer=2)


# -- LaTeX ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "order"), [(1, 5), (2, 4), (3, 3)])
def test_latex_is_well_formed(depth, order):
    for term in terms.kernel_terms(order, depth):
        text = term.latex()
        for opening, closing in ("{}", "()", (r"\left", r"\right"), (r"\langle", r"\rangle")):
            assert text.count(opening) == text.count(closing)
        # TeX refuses a double superscript
        assert not re.search(r"\^\{[^{}]*\}\^|'\^", text)


def test_each_factor_can_be_decorated():
    for term in terms.kernel_terms(4, 2)[::7]:
        seen = {}

        def mark(place, tex, seen=seen):
            seen[place] = tex
            return f"<{tex}>"

        marked = term.latex(mark)
        assert seen == {place: factor.latex() for place, factor in term.factors.items()}
        assert list(seen) == list(term.factors)
        assert re.sub("[<>]", "", marked) == term.latex()


def test_a_term_as_it_prints():
    terms_of_ntk = [term.latex() for term in terms.kernel_terms(2, 1)]
    assert terms_of_ntk == [
        r"\frac{1}{m}\left\langle \sigma_{1}'(x_{1})\,a,\, \sigma_{1}'(x_{2})\,a \right\rangle\,"
        r"\langle x_{1}^{(0)},\, x_{2}^{(0)} \rangle",
        r"\langle x_{1}^{(1)},\, x_{2}^{(1)} \rangle",
    ]
    powers = {order: terms.kernel_terms(order, 1)[0].latex().split(r"\,")[0] for order in range(3, 7)}
    assert powers == {
        3: r"\frac{1}{\sqrt{m}}",
        4: r"\frac{1}{m}",
        5: r"\frac{1}{m^{3/2}}",
        6: r"\frac{1}{m^{2}}",
    }


# -- errors -----------------------------------------------------------------------------------------------------------


def test_errors():
    net, params, x = problem(depth=2)
    term = terms.kernel_terms(2, 2)[0]
    with pytest.raises(ValueError, match="order must be at least 2, got 1"):
        terms.kernel_terms(1, 2)
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        terms.count(3, 0)
    with pytest.raises(TypeError, match="term must be a Term, got str"):
        terms.replace("a", (0, 0, 0))
    with pytest.raises(ValueError, match=r"got \(1, 0, 0\). Take a key of term.factors"):
        terms.replace(term, (1, 0, 0))  # the inputs do not move
    with pytest.raises(TypeError, match="terms must be Terms, got int"):
        terms.evaluate([1], net, params, x)
    with pytest.raises(ValueError, match="share one order and depth, got none"):
        terms.evaluate([], net, params, x)
    with pytest.raises(ValueError, match=r"got \(order 2, depth 2\), \(order 3, depth 2\)"):
        terms.evaluate([term, terms.kernel_terms(3, 2)[0]], net, params, x)
    with pytest.raises(ValueError, match="a network of depth 2, got depth 1"):
        terms.evaluate(terms.kernel_terms(2, 1), net, params, x)
    with pytest.raises(ValueError, match="without biases"):
        terms.evaluate(term, ntkbook.mlp(width=6, depth=2, b_std=1.0), params, x)
    with pytest.raises(TypeError, match="wants an ntkbook.mlp"):
        terms.evaluate(term, lambda params, point: point.sum(), params, x)
