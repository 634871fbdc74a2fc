r"""The limiting kernel of order 4 at every depth by another way than Appendix A: four networks that are correlated.

Nothing here knows the terms of K^(4) or Lemma A.3. By Price's theorem, for centred Gaussians of which only the
covariance between :math:`\theta_1` and :math:`\theta_2` depends on t,

.. math:: \partial_t E[F(\theta_1, \theta_2)] = E[\nabla_{\theta_1} \cdot \nabla_{\theta_2} F]
          \qquad \text{where} \quad \operatorname{cov}(\theta_1, \theta_2) = C + t I.

So let f_1, ..., f_4 be networks at one point each, their weights Gaussian with the network's variances, and a weight of
one with the same weight of another of covariance :math:`C_{ab} = \sigma_w^2 + t_{ab}`, readouts and biases likewise; on
the diagonal :math:`t_{aa} = 0`. At t = 0 they are one network. K^(4) is f_1 differentiated along grad f_2, that along
grad f_3, and that along grad f_4, where each time one of the factors so far is differentiated:

.. math:: E[K^{(4)}] = \sum_T \prod_{ab \in T} \frac{\partial}{\partial t_{ab}}\, E[f_1 f_2 f_3 f_4] \Big|_{t = 0}

over the six trees T that join 2 to 1, 3 to 1 or 2, and 4 to 1, 2 or 3. E[f_1 f_2] depends on t_12 alone, so in products
of two such means a derivative vanishes, and the fourth cumulant is left. Given the layers below, the neurons of a layer
are independent Gaussians, with random covariances :math:`\hat K_{ab}` that are means over the neurons below. In the
limit, with s = sigma(h) and h Gaussian of covariance K,

.. math:: \hat K_{ab} \to K_{ab} &\leftarrow C_{ab} E[s_a s_b] + C_{ab}^{\text{bias}}, \\
          m \operatorname{cov}(\hat K_{ab}, \hat K_{cd}) \to V_{ab,cd}
          &\leftarrow C_{ab} C_{cd} \Big( \operatorname{cov}(s_a s_b, s_c s_d) + \sum_{u,v}
          \frac{\partial E[s_a s_b]}{\partial K_u} \frac{\partial E[s_c s_d]}{\partial K_v} V_{u,v} \Big)

for a neuron with itself and for two neurons, where u is aa, ab or bb, and v is cc, cd or dd; V = 0 in the first layer.
The fourth cumulant of the outputs is (V_12,34 + V_13,24 + V_14,23) / m.
"""

import math
from collections import Counter
from functools import partial
from itertools import chain, combinations, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closeness import assert_close

import ntkbook

TREES = [frozenset({(0, 1), (c, 2), (d, 3)}) for c in range(2) for d in range(3)]
FORESTS = {frozenset(part) for tree in TREES for size in range(4) for part in combinations(tree, size)}
PAIRINGS = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]


# -- polynomials in the t_ab, as far as the trees need them: {forest: coefficient, an array over tuples of points} -----


def plus(*polynomials):
    return {forest: sum(p[forest] for p in polynomials if forest in p) for forest in set().union(*polynomials)}


def times(*polynomials):
    total = {frozenset(): 1.0}
    for p in polynomials:
        pairs = [(S, R) for S, R in product(total, p) if not S & R and S | R in FORESTS]
        total = plus(*({S | R: total[S] * p[R]} for S, R in pairs))
    return total


def number(value):
    return {frozenset(): value}


# -- the recursion -----------------------------------------------------------------------------------------------------


def limit_of_order_four(activation, x, rule, *, depth, w_std=1.0, a_std=1.0, b_std=0.0):
    """The limit of m E[K^(4)], shape (n, n, n, n), by the product of a rule in one dimension, one for each point."""
    slots = np.ix_(*[range(len(x))] * 4)
    K, slope = w_std**2 * x @ x.T + b_std**2, x @ x.T + (b_std > 0)  # K_ab and its derivative in t_ab, the NTK
    V = {}
    for layer in range(1, depth + 1):
        variance = w_std**2 if layer < depth else a_std**2
        nodes, mass = at_nodes(activation, K, rule)
        mean = partial(mean_of_product, nodes, mass, slope, slots)
        V = {
            (ab, cd): times(weights(variance, ab), weights(variance, cd), covariance(mean, V, ab, cd))
            for pairing in PAIRINGS
            for ab, cd in product(*map(among, pairing))
        }
        E, dE = ((mass[:, None] * s).T @ s for s in nodes[1][:2])
        K, slope = variance * E + b_std**2, E + variance * dE * slope + (b_std > 0)
    return sum(V[pairing].get(tree, 0.0) for pairing in PAIRINGS for tree in TREES)


def among(pair):
    a, b = pair
    return {(a, a), (a, b), (b, b)}


def weights(variance, pair):
    """C_ab."""
    a, b = pair
    return number(variance) if a == b else plus(number(variance), {frozenset({pair}): 1.0})


def covariance(mean, V, ab, cd):
    """What is multiplied by C_ab C_cd."""
    two_neurons = [
        times(in_covariance(mean, ab, u), in_covariance(mean, cd, v), V[u, v])
        for u, v in product(among(ab), among(cd))
        if V
    ]
    return plus(mean(ab + cd), times(number(-1.0), mean(ab), mean(cd)), *two_neurons)


def in_covariance(mean, ab, which):
    """The derivative of E[s_a s_b] in K_aa, K_ab or K_bb."""
    return times(number(0.5 if which[0] == which[1] else 1.0), mean(ab, which))


def mean_of_product(nodes, mass, slope, slots, fields, also=()):
    """E of the product of s over the fields, differentiated in the h of `also`."""
    total = {}
    for forest in FORESTS:
        ends = tuple(chain(*forest))
        if set(ends) <= set(fields):  # each t_ab differentiates in h_a and in h_b, by Price's theorem
            power, order = Counter(fields), Counter(ends + also)
            first, second, third, fourth = (nodes[power[a]][order[a]] for a in range(4))
            left = (mass[:, None] * first)[:, :, None] * second[:, None]
            value = np.tensordot(left, third[:, :, None] * fourth[:, None], (0, 0))
            total[forest] = value * math.prod(slope[slots[a], slots[b]] for a, b in forest)
    return total


def at_nodes(activation, K, rule):
    """{power: [that power of sigma(h), its derivative, ...]} for powers 0 to 2, each (N, n), and weights (N,)."""
    line, mass = (np.stack(np.meshgrid(*[part] * len(K), indexing="ij"), -1).reshape(-1, len(K)) for part in rule)
    h = line @ np.linalg.cholesky(K).T
    functions = [activation]
    with jax.enable_x64(True):
        for _ in range(3):
            functions.append(jax.grad(functions[-1]))
        s = [np.asarray(jax.vmap(function)(h.ravel())).reshape(h.shape) for function in functions]
    squares = [sum(math.comb(k, j) * s[j] * s[k - j] for j in range(k + 1)) for k in range(4)]
    return {0: [np.ones((len(h), 1))], 1: s, 2: squares}, mass.prod(axis=1)


# -- tests -------------------------------------------------------------------------------------------------------------


def hermite(number):
    nodes, mass = np.polynomial.hermite_e.hermegauss(number)
    return nodes, mass / mass.sum()


def trapezoidal(spacing):
    nodes = spacing * np.arange(-int(8.5 / spacing), int(8.5 / spacing) + 1)
    mass = np.exp(-(nodes**2) / 2)
    return nodes, mass / mass.sum()


def check(activation, x, rule, **settings):
    K = ntkbook.limit_kernel(ntkbook.mlp(width=1, activation=activation, **settings), x, order=4)
    assert_close(K, limit_of_order_four(activation, np.asarray(x, np.float64), rule, **settings), float64=1e-10)


square = ntkbook.Activation("square", lambda z: z + z**2 / 2)  # its slope is unbounded: the calculus does not mind
sin = ntkbook.Activation("sin", jnp.sin, odd=True)
built_in = [a for a in vars(ntkbook.activations).values() if isinstance(a, ntkbook.Activation) and a.smooth]
smooth = list({a.name: a for a in (sin, *built_in, ntkbook.Softplus(4.0))}.values())
biases = pytest.mark.parametrize("b_std", [0.0, 0.6])


@biases
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_four_points_at_a_polynomial(depth, b_std):
    x = ntkbook.data.sphere_points(jax.random.key(1), 4, 4)
    check(square, x, hermite(5), depth=depth, w_std=0.9, a_std=0.7, b_std=b_std)  # exact for degree 8


@pytest.mark.parametrize(("activation", "b_std"), [(ntkbook.tanh, 0.0), (ntkbook.softplus, 0.6)])
def test_two_points_at_depth_two(activation, b_std):
    x = jnp.array([[1.0, 0.0], [-0.5, 0.8]])
    check(activation, x, trapezoidal(0.125), depth=2, w_std=0.9, a_std=0.7, b_std=b_std)


@pytest.mark.slow
@biases
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("activation", smooth, ids=lambda a: a.name)
def test_two_points(activation, depth, b_std):
    x = jnp.array([[1.0, 0.0], [-0.5, 0.8]])
    check(activation, x, trapezoidal(0.125), depth=depth, w_std=0.9, a_std=0.7, b_std=b_std)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3])
def test_three_points_at_a_sine(depth):
    x = ntkbook.data.sphere_points(jax.random.key(1), 3, 4)
    check(sin, x, trapezoidal(0.5), depth=depth)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_linear_networks_by_hand(depth):
    r"""With :math:`s = \sigma_w^2, t = \sigma_a^2` and G_ab = <x_a, x_b>, in the recursion above at the identity:

    cov(s_a s_b, s_c s_d) = K_ac K_bd + K_ad K_bc, and E[s_a s_b] = K_ab. Layer l adds to V_12,34 the means of its own
    neurons, with a factor C for each layer above:

    .. math:: R_{12} R_{34} (P_{13} P_{24} G_{13} G_{24} + P_{14} P_{23} G_{14} G_{23}), \qquad
              P_{ab} = (s + t_{ab})^l, \quad R_{ab} = (s + t_{ab})^{H-l} (t + t_{ab}).

    The four edges are a circle, of which a tree is three. In G_13 G_24 the trees {12, 13, 24} and {12, 13, 34} of the
    six give R' P' (P' R + R' P) = R' P' (P R)', where (P R)' = s^H + H t s^(H-1) is the same for all l. So do two trees
    each in G_14 G_23 and, from V_13,24 and from V_14,23, in G_12 G_34; the remaining circles have no edge 12. Last,

    .. math:: \sum_{l=1}^H P' R' = \sum_{l=1}^H l s^{l-1} (s^{H-l} + (H-l) t s^{H-l-1})
              = \binom{H+1}{2} s^{H-1} + \binom{H+1}{3} t s^{H-2}.
    """
    s, t = 1.5, 0.7
    x = ntkbook.data.sphere_points(jax.random.key(1), 3, 4)
    net = ntkbook.mlp(width=1, depth=depth, activation="identity", w_std=s**0.5, a_std=t**0.5)
    G = np.asarray(x @ x.T)
    pairs = [np.einsum(f"{p},{q}->abcd", G, G) for p, q in (("ab", "cd"), ("ac", "bd"), ("bc", "ad"))]
    ntk = s**depth + depth * t * s ** (depth - 1)
    factor = math.comb(depth + 1, 2) * s ** (depth - 1) + math.comb(depth + 1, 3) * t * s ** (depth - 2)
    expected = ntk * factor * (2 * pairs[0] + pairs[1] + pairs[2])
    assert_close(ntkbook.limit_kernel(net, x, order=4), expected, float64=1e-11)
    points = np.asarray(x, np.float64)
    recursion = limit_of_order_four(net.activation, points, hermite(3), depth=depth, w_std=s**0.5, a_std=t**0.5)
    np.testing.assert_allclose(recursion, expected, rtol=1e-5 if x.dtype == jnp.float32 else 1e-11)
