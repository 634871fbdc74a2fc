"""Networks that say where their parameters act: every order against automatic differentiation; several outputs."""

import dataclasses
import functools
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from closeness import assert_close

import ntkbook
from ntkbook.networks import plain

pytestmark = pytest.mark.usefixtures("strict")

D = 4


@dataclasses.dataclass(frozen=True)
class Two:
    """A user's own: two layers with a bias, one output or several."""

    outputs: int | None = None

    def init(self, key, input_dim):
        shapes = {
            "W": (3, input_dim),
            "b": (3,),
            "V": (2, 3),
            "a": (2,) if self.outputs is None else (self.outputs, 2),
        }
        keys = jax.random.split(key, 4)
        return {name: jax.random.normal(k, shape) for k, (name, shape) in zip(keys, shapes.items(), strict=True)}

    def apply(self, params, x, affine):
        h = affine("W", params["W"], x) + affine("b", params["b"][:, None], jnp.ones(1, x.dtype))
        return affine("a", params["a"], jnp.sin(affine("V", params["V"], jnp.tanh(h))))

    def __call__(self, params, x):
        return self.apply(params, x, plain)


class Doubled(ntkbook.MLP):
    def apply(self, params, x, affine):
        return 2 * super().apply(params, x, affine)


class DoubledCall(ntkbook.MLP):
    """Here what it offers is not what a call gives."""

    def __call__(self, params, x):
        return 2 * super().__call__(params, x)


def derived(kind, **arguments):
    return kind(**dataclasses.asdict(ntkbook.mlp(**arguments)) | {"activation": ntkbook.tanh})


STRUCTURED = {
    "biases": ntkbook.mlp(width=4, depth=2, b_std=0.7),
    "skips": ntkbook.resnet(width=4, depth=3, branch_scale=0.7),
    "conv with pooling": ntkbook.conv(width=3, image_shape=(4,), depth=2),
    "conv without": ntkbook.conv(
        width=2, image_shape=(2, 2), depth=2, filter_size=2, padding="zero", pooling="flatten"
    ),
    "a user's own": Two(),
    "derived": derived(Doubled, width=4, depth=2, b_std=0.3),
    "several outputs": Two(outputs=3),
}


def problem(net):
    x = ntkbook.data.sphere_points(jax.random.key(1), 3, D)
    return net.init(jax.random.key(0), D), x[:2], x[2:]


FAST = [(name, 3, True) for name in STRUCTURED] + [("a user's own", 4, True)]
CASES = [*product(STRUCTURED, (2, 3), (False, True)), *product(STRUCTURED, (4, 5), (True,))]


@pytest.mark.parametrize(
    ("name", "order", "tested"),
    [case if case in FAST else pytest.param(*case, marks=pytest.mark.slow) for case in CASES],
)
def test_structured_against_autodiff(name, order, tested):
    net = STRUCTURED[name]
    params, x, x_test = problem(net)
    compute = functools.partial(ntkbook.empirical_kernel, net, params, x, order, x_test if tested else None)
    assert_close(compute(implementation="structured"), compute(implementation="autodiff"), float32=1e-4)


def test_biases_against_the_oracle_and_a_function_of_ones_own():
    net = STRUCTURED["biases"]
    params, x, x_test = problem(net)

    def by_hand(params, point):
        for W, b in zip(params.weights, params.biases, strict=True):
            point = jnp.tanh(W @ point + b) / np.sqrt(4, dtype=point.dtype)
        return params.readout @ point

    assert_close(net(params, x), [by_hand(params, point) for point in x])
    for order in (2, 3):
        K = ntkbook.empirical_kernel(net, params, x, order, x_test)
        assert_close(K, oracles.empirical_kernel(by_hand, params, x, order, x_test), float32=1e-4)
        assert_close(K, ntkbook.empirical_kernel(by_hand, params, x, order, x_test), float32=1e-4)


def test_layer_kernels_with_biases():
    net = STRUCTURED["biases"]
    params, x, _ = problem(net)
    G = ntkbook.layer_kernels(net, params, x)
    gradients = jax.vmap(jax.grad(net), in_axes=(None, 0))(params, x)
    grams = [g.reshape(2, -1) @ g.reshape(2, -1).T for g in jax.tree.leaves(gradients)]
    assert_close(G, [grams[0] + grams[3], grams[1] + grams[4], grams[2]])


# -- the default, and what may not be taken at its word ---------------------------------------------------------------


def forced(net, params, x):
    return ntkbook.empirical_ntk(net, params, x, implementation="structured")


def test_a_derived_network_with_another_call_is_differentiated_as_it_is():
    net = derived(DoubledCall, width=4)
    params, x, _ = problem(net)
    single = ntkbook.mlp(width=4)
    for order in (2, 3):
        expected = 2**order * ntkbook.empirical_kernel(single, params, x, order=order)
        assert_close(ntkbook.empirical_kernel(net, params, x, order=order), expected)
    with pytest.raises(ValueError, match="got DoubledCall: its apply with the plain product is not what calling"):
        forced(net, params, x)


@dataclasses.dataclass(frozen=True)
class Odd:
    """One hidden layer with a parameter that acts in some other way."""

    how: str

    def apply(self, params, x, affine):
        W, a = params["W"], params["a"]
        how = self.how
        if how == "scaled":
            h = affine(0, W / 2, x)
        elif how == "also elsewhere":
            h = affine(0, W, x) + jnp.sum(W**2)
        elif how == "beside affine":
            h = W @ x
        elif how == "shared":
            h = affine(0, W, jnp.tanh(affine(1, W, x)))
        elif how == "a name twice":
            return affine(0, a, jnp.tanh(affine(0, W, x)))
        elif how == "constant":
            h = affine(0, W, x) + affine(2, jnp.ones((D, D), x.dtype), x)
        elif how == "beside constants":
            h = affine(0, jnp.concatenate([W, jnp.ones((D, 1), x.dtype)], 1), jnp.concatenate([x, x[:1]]))
        elif how == "inside of vmap":
            h = jax.vmap(lambda u: affine(0, W, u))(jnp.stack([x, 2 * x])).sum(0)
        elif how == "inside of jit":
            h = jax.jit(lambda u: affine(0, W, u))(x)
        return affine("a", a, jnp.tanh(h))

    def __call__(self, params, x):
        return self.apply(params, x, plain)


ODD = {
    "scaled": "not made of parameters alone",
    "also elsewhere": "uses a parameter more than once",
    "beside affine": "acts otherwise than through affine",
    "shared": "uses a parameter more than once",
    "a name twice": "calls affine twice for layer 0",
    "constant": "not made of parameters alone",
    "beside constants": "not made of parameters alone",
    "inside of vmap": "calls affine inside of jit, vmap",
    "inside of jit": "calls affine inside of jit, vmap",
}


@pytest.mark.parametrize("how", ODD)
def test_parameters_that_act_otherwise(how):
    net = Odd(how)
    params = {"W": jax.random.normal(jax.random.key(0), (D, D)), "a": jax.random.normal(jax.random.key(1), (D,))}
    x = ntkbook.data.sphere_points(jax.random.key(2), 2, D)
    with pytest.raises(ValueError, match=f"got Odd: .*{ODD[how]}.*Use 'autodiff'"):
        forced(net, params, x)
    assert_close(ntkbook.empirical_ntk(net, params, x), oracles.empirical_kernel(net, params, x, 2))


def test_an_apply_of_another_meaning_is_left_alone():
    class Module:
        def apply(self, variables, x):
            return jnp.tanh(x @ variables)

        __call__ = apply

    net, w, x = Module(), jnp.ones(D), jnp.eye(D)
    assert_close(ntkbook.empirical_ntk(net, w, x), oracles.empirical_kernel(net, w, x, 2))
    with pytest.raises(ValueError, match="its apply raised TypeError"):
        forced(net, w, x)


@pytest.mark.parametrize("width, structured", [(2, False), (64, True)])
def test_convolutions_are_structured_where_positions_are_few_beside_the_channels(width, structured):
    net = ntkbook.conv(width=width, image_shape=(4,), depth=2)
    params, x, _ = problem(net)
    n, leaves = 2, sum(leaf.size for leaf in jax.tree.leaves(params))
    compiled = jax.jit(lambda params, x: ntkbook.empirical_ntk(net, params, x)).lower(params, x).compile()
    used = compiled.memory_analysis().temp_size_in_bytes / x.dtype.itemsize
    assert (used < n * leaves) == structured


# -- several outputs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("implementation", ["structured", "autodiff"])
def test_a_slot_is_a_pair_of_point_and_output(implementation):
    net = Two(outputs=3)
    params, x, x_test = problem(net)
    h = ntkbook.kernel_hierarchy(net, params, x, max_order=3, x_test=x_test, implementation=implementation)
    assert h.outputs.shape == (2, 3) and h.test_outputs.shape == (1, 3)
    assert h.kernels[3].shape == (2, 3) * 3 and h.test_kernels[3].shape == (1, 3, 2, 3, 2, 3)
    assert_close(h.outputs, jax.vmap(net, (None, 0))(params, x))
    for K in h.kernels.values():
        assert_close(K, jnp.moveaxis(K, (0, 1, 2, 3), (2, 3, 0, 1)))
    # The outputs one by one, as networks with one output; and all as points (point, output) of one network.
    one = lambda params, pair: net(params, pair[1:]) @ jax.nn.one_hot(pair[0].astype(int), 3, dtype=pair.dtype)  # noqa: E731
    pairs = lambda x: jnp.stack([jnp.append(jnp.asarray(c, x.dtype), point) for point in x for c in range(3)])  # noqa: E731
    for order in (2, 3):
        expected = oracles.empirical_kernel(one, params, pairs(x), order)
        assert_close(h.kernels[order].reshape(expected.shape), expected, float32=1e-4)
        expected = oracles.empirical_kernel(one, params, pairs(x), order, pairs(x_test))
        assert_close(h.test_kernels[order].reshape(expected.shape), expected, float32=1e-4)


@pytest.mark.parametrize("implementation, limits", [("structured", (6e3, 1.6e5)), ("autodiff", (8e3, 1.6e5))])
def test_blocks_of_several_outputs(implementation, limits):
    net = Two(outputs=3)
    x = ntkbook.data.sphere_points(jax.random.key(1), 5, D)
    params = net.init(jax.random.key(0), D)
    compute = functools.partial(ntkbook.empirical_kernel, net, params, x, implementation=implementation)
    for order, limit in zip((2, 3), limits, strict=True):
        limited = compute(order, memory_limit=limit * x.dtype.itemsize / 8)
        assert_close(limited, compute(order))


@dataclasses.dataclass(frozen=True)
class Digits:
    """A classifier with an output for every digit."""

    width: int = 16

    def init(self, key, input_dim):
        keys = jax.random.split(key)
        shapes = (self.width, input_dim), (10, self.width)
        return [jax.random.normal(k, shape) for k, shape in zip(keys, shapes, strict=True)]

    def apply(self, params, x, affine):
        W, A = params
        return affine("A", A, jnp.tanh(affine("W", W, x))) / np.sqrt(self.width, dtype=x.dtype)

    def __call__(self, params, x):
        return self.apply(params, x, plain)


@pytest.mark.slow
def test_a_classifier_of_digits():
    x, _ = ntkbook.data.digits(5, key=jax.random.key(0))
    net = Digits()
    params = net.init(jax.random.key(1), x.shape[1])
    K = ntkbook.empirical_ntk(net, params, x)
    assert K.shape == (len(x), 10, len(x), 10)
    assert_close(K, ntkbook.empirical_ntk(net, params, x, implementation="autodiff"))
    for c in (0, 7):
        single = lambda params, point, c=c: net(params, point)[c]  # noqa: E731
        assert_close(K[:, c, :, c], ntkbook.empirical_ntk(single, params, x))
    # The gradients of two outputs in A have no entry in common.
    W, A = params
    hidden = jnp.tanh(x @ W.T)
    slopes = (1 - hidden**2) / np.sqrt(net.width, dtype=x.dtype)
    expected = jnp.einsum("ai,bi,i->ab", slopes, slopes, A[0] * A[7]) * (x @ x.T)
    assert_close(K[:, 0, :, 7], expected)
    K3 = ntkbook.empirical_kernel(net, params, x[:2], order=3)
    assert_close(K3, ntkbook.empirical_kernel(net, params, x[:2], order=3, implementation="autodiff"), float32=1e-4)
