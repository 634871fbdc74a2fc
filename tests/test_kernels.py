"""The empirical kernels, three ways: rank-one gradients, autodiff, and entry by entry in oracles.py."""

import functools

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from closeness import assert_close

import ntkbook
from ntkbook import terms
from ntkbook.kernels import empirical

pytestmark = pytest.mark.usefixtures("strict")

SINE = ntkbook.Activation("sin", jnp.sin, odd=True)
ACTIVATIONS = {
    "relu": "relu",
    "softplus(4)": ntkbook.Softplus(sharpness=4.0),
    "a user's own": SINE,
}


def problem(depth, activation, *, width=4):
    net = ntkbook.mlp(width=width, depth=depth, activation=activation, w_std=1.3, a_std=0.8)
    params = net.init(jax.random.key(depth), 3)
    x = ntkbook.data.sphere_points(jax.random.key(1), 2, 3)
    return net, params, x, ntkbook.data.sphere_points(jax.random.key(2), 1, 3)


def pytree_problem():
    keys = jax.random.split(jax.random.key(3), 4)
    params = {
        "filters": [jax.random.normal(keys[0], (3,)), jax.random.normal(keys[1], (2,))],
        "skip": jax.random.normal(keys[2], ()),
        "nothing": None,
    }
    return oracles.convolution, params, jax.random.normal(keys[3], (3, 6))


# -- against the oracle and against each other -----------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("order", [2, 3, 4])
def test_structured_against_oracle(depth, order):
    net, params, x, _ = problem(depth, "tanh")
    assert_close(
        ntkbook.empirical_kernel(net, params, x, order=order, implementation="structured"),
        oracles.empirical_kernel(net, params, x, order),
    )


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_structured_against_oracle_for_other_activations(activation):
    net, params, x, _ = problem(2, activation)
    K = ntkbook.empirical_kernel(net, params, x, order=3)
    assert_close(K, oracles.empirical_kernel(net, params, x, 3), float32=1e-4)


@pytest.mark.slow
def test_structured_against_oracle_at_order_five():
    net, params, x, _ = problem(2, "tanh", width=3)
    assert_close(
        ntkbook.empirical_kernel(net, params, x, order=5), oracles.empirical_kernel(net, params, x, 5), float32=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2])
def test_three_routes_agree_at_order_six(depth):
    net, params, x, _ = problem(depth, "tanh", width=3)
    K = ntkbook.empirical_kernel(net, params, x, order=6)
    assert_close(ntkbook.empirical_kernel(net, params, x, order=6, implementation="autodiff"), K, float32=1e-4)
    if depth == 1:
        assert_close(terms.evaluate(terms.kernel_terms(6, depth), net, params, x), K, float32=1e-4)


@pytest.mark.parametrize(
    ("depth", "order"),
    [
        *((1, 4), (2, 3), (2, 4), (3, 4)),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((2, 2), (2, 5), (3, 5))),
    ],
)
def test_structured_against_autodiff_with_test_points(depth, order):
    # From order 4 and depth 2 on, a wrong rule for the moves is silently wrong.
    net, params, x, x_test = problem(depth, "tanh")
    compute = functools.partial(ntkbook.empirical_kernel, net, params, x, order=order, x_test=x_test)
    structured, autodiff = compute(implementation="structured"), compute(implementation="autodiff")
    assert structured.shape == (1,) + (2,) * (order - 1)
    assert_close(structured, autodiff, float32=1e-4)


@pytest.mark.parametrize("width, n", [(5, 2), (4, 65)])
@pytest.mark.parametrize("order", [2, 3])
def test_odd_widths_and_many_points(width, n, order):
    # Here no product is taken in halves.
    net, params, _, _ = problem(2, "tanh", width=width)
    x = ntkbook.data.sphere_points(jax.random.key(1), n, 3)
    compute = functools.partial(ntkbook.empirical_kernel, net, params, x, order=order)
    assert_close(compute(implementation="structured"), compute(implementation="autodiff"), float32=1e-4)


@pytest.mark.parametrize("activation", ["erf", "sigmoid", "softplus", "identity"])
def test_structured_against_autodiff_for_every_activation(activation):
    net, params, x, _ = problem(2, activation)
    compute = functools.partial(ntkbook.empirical_kernel, net, params, x, order=3)
    assert_close(compute(implementation="structured"), compute(implementation="autodiff"), float32=1e-4)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_any_callable_over_any_pytree(order):
    f, params, x = pytree_problem()
    x, x_test = x[:2], x[2:]
    assert_close(
        ntkbook.empirical_kernel(f, params, x, order=order, x_test=x_test),
        oracles.empirical_kernel(f, params, x, order, x_test),
    )


def test_ntk_from_the_printed_gradients():
    net, params, x, _ = problem(3, "tanh")
    weights, readout = [np.asarray(W, float) for W in params.weights], np.asarray(params.readout, float)
    gradients = [
        np.concatenate([g.ravel() for g in oracles.output_and_gradient(weights, readout, point, "tanh")[1]])
        for point in np.asarray(x, float)
    ]
    assert_close(ntkbook.empirical_ntk(net, params, x), np.array(gradients) @ np.array(gradients).T)


# -- layer kernels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_layer_kernels_are_those_of_the_single_groups_of_parameters(depth):
    net, params, x, _ = problem(depth, "tanh")
    G = ntkbook.layer_kernels(net, params, x)
    assert G.shape == (depth + 1, 2, 2)
    gradients = jax.vmap(jax.grad(net), in_axes=(None, 0))(params, x)
    for G_layer, g in zip(G, jax.tree.leaves(gradients), strict=True):
        flat = g.reshape(len(x), -1)
        assert_close(G_layer, flat @ flat.T)
    assert_close(G.sum(axis=0), ntkbook.empirical_ntk(net, params, x))


# -- hierarchy -------------------------------------------------------------------------------------------------------


def test_hierarchy_holds_outputs_and_kernels(small):
    h = small.hierarchy
    assert h.max_order == 4
    assert_close(h.outputs, small.net(small.params, small.x))
    assert_close(h.test_outputs, small.net(small.params, small.x_test))
    for r in (2, 3):
        assert_close(h.kernels[r], ntkbook.empirical_kernel(small.net, small.params, small.x, order=r))
        expected = ntkbook.empirical_kernel(small.net, small.params, small.x, order=r, x_test=small.x_test)
        assert_close(h.test_kernels[r], expected)


def test_test_points_that_are_training_points(small):
    K = ntkbook.empirical_kernel(small.net, small.params, small.x, order=4)
    assert_close(ntkbook.empirical_kernel(small.net, small.params, small.x, order=4, x_test=small.x), K)


def test_hierarchy_is_a_pytree(small):
    doubled = jax.tree.map(lambda leaf: 2 * leaf, small.hierarchy)
    assert isinstance(doubled, ntkbook.KernelHierarchy)
    assert_close(doubled.kernels[3], 2 * small.hierarchy.kernels[3])


# -- transformations -------------------------------------------------------------------------------------------------


def test_jit_and_vmap_over_parameters_and_points(small):
    def K3(params, x):
        return ntkbook.empirical_kernel(small.net, params, x, order=3)

    expected = K3(small.params, small.x)
    assert_close(jax.jit(K3)(small.params, small.x), expected)
    assert_close(jax.jit(lambda params: K3(params, small.x))(small.params), expected)
    points = jnp.stack([small.x, small.x[::-1]])
    assert_close(jax.vmap(K3, in_axes=(None, 0))(small.params, points), [expected, expected[::-1, ::-1, ::-1]])
    params = jax.tree.map(lambda leaf: jnp.stack([leaf, -leaf]), small.params)
    both = jax.vmap(K3, in_axes=(0, None))(params, small.x)
    assert_close(both[0], expected)


@pytest.mark.parametrize(
    ("sizes", "traced"),
    [
        ((3, 2, 1, 3), False),
        *(pytest.param((4, 4, 1, 1), traced, marks=pytest.mark.slow) for traced in (False, True)),
        *(pytest.param((1, 3, 4, 4), traced, marks=pytest.mark.slow) for traced in (False, True)),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (((4, 4, 3, 1), False), ((4, 4, 3, 1), True), ((3, 2, 1, 3), True))
        ),
    ],
)
def test_blocks_of_slots_change_nothing(sizes, traced, monkeypatch):
    net = ntkbook.mlp(width=6, depth=2)
    params = net.init(jax.random.key(0), 3)
    x = ntkbook.data.sphere_points(jax.random.key(1), 4, 3)
    x_test = ntkbook.data.sphere_points(jax.random.key(2), 2, 3)
    for implementation in ("structured", "autodiff"):

        def compute(params, implementation=implementation):
            return ntkbook.empirical_kernel(net, params, x, 4, x_test, implementation=implementation)

        whole = compute(params)
        with monkeypatch.context() as patch:
            patch.setattr(empirical, "block_sizes", lambda *_, **__: sizes)
            assert_close(jax.jit(compute)(params) if traced else compute(params), whole)


MEMORY = {
    "two layers, order 4": (ntkbook.mlp(width=256, depth=2), 16, 4, 4e6),
    "rows and columns, order 2": (ntkbook.mlp(width=512, depth=2), 300, 2, 2e6),
    "autodiff, order 2": (oracles.one_layer, 300, 2, 3e6),
}


@pytest.mark.parametrize("case", MEMORY)
def test_memory_stays_below_its_limit_and_makes_use_of_it(case):
    # As compiled. What is twice as lax, which is asked for by twice the limit, does not stay below it.
    net, n, order, limit = MEMORY[case]
    x = jax.random.normal(jax.random.key(1), (n, 16))
    params = (
        {"W": jnp.ones((64, 16)), "a": jnp.ones(())} if net is oracles.one_layer else net.init(jax.random.key(0), 16)
    )
    limit = limit * x.dtype.itemsize / 8

    def used(limit):
        def compute(params, x):
            return ntkbook.empirical_kernel(net, params, x, order, memory_limit=limit)

        return jax.jit(compute).lower(params, x).compile().memory_analysis().temp_size_in_bytes

    assert used(limit) <= limit < used(2 * limit) <= 2 * limit


@pytest.mark.parametrize("limit", [None, 5e6])
def test_thousands_of_points(limit):
    n = 2000
    net = ntkbook.mlp(width=16)
    params, x = net.init(jax.random.key(0), 3), ntkbook.data.sphere_points(jax.random.key(1), n, 3)
    limit = limit if limit is None else limit + 8 * n**2
    K = ntkbook.empirical_ntk(net, params, x, memory_limit=limit)
    assert K.shape == (n, n)
    some = np.array([0, 1, 999, 1999])
    assert_close(K[np.ix_(some, some)], ntkbook.empirical_ntk(net, params, x[some]))


def test_memory_that_does_not_suffice_is_refused(small):
    with pytest.raises(ValueError, match="memory_limit must be at least"):
        ntkbook.kernel_hierarchy(small.net, small.params, small.x, max_order=4, memory_limit=10.0)
    with pytest.raises(ValueError, match=r"memory_limit must be at least .* bytes for K\^\(2\) at 3 points, got 10"):
        ntkbook.empirical_ntk(small.net, small.params, small.x, memory_limit=10.0)


def test_derivative_of_the_ntk_is_the_same_both_ways(small):
    def total(params, implementation):
        K = ntkbook.empirical_ntk(small.net, params, small.x, implementation=implementation)
        return jnp.sum(jnp.sin(K))

    structured = jax.grad(total)(small.params, "structured")
    autodiff = jax.grad(total)(small.params, "autodiff")
    for left, right in zip(jax.tree.leaves(structured), jax.tree.leaves(autodiff), strict=True):
        assert_close(left, right)


def test_moving_along_a_gradient_changes_the_ntk_by_the_next_kernel(small):
    # (2.2) read forwards through the public functions: a directional derivative of K^(3) is K^(4).
    direction = jax.grad(small.net)(small.params, small.x[1])

    def K3(s):
        params = jax.tree.map(lambda leaf, v: leaf + s * v, small.params, direction)
        return ntkbook.empirical_kernel(small.net, params, small.x, order=3)

    zero = jnp.zeros(())
    slope = jax.jvp(K3, (zero,), (jnp.ones_like(zero),))[1]
    assert_close(slope, small.hierarchy.kernels[4][..., 1])


def test_one_point_one_coordinate_one_neuron():
    net = ntkbook.mlp(width=1, depth=1)
    params = ntkbook.MLPParams(weights=(jnp.array([[0.3]]),), readout=jnp.array([2.0]))
    expected = np.tanh(0.3) ** 2 + (2 / np.cosh(0.3) ** 2) ** 2
    assert_close(ntkbook.empirical_ntk(net, params, jnp.ones((1, 1))), [[expected]])


def test_compiled_once_for_equal_networks():
    calls = []

    def counted(z):
        calls.append(z)
        return jnp.tanh(z)

    activation = ntkbook.Activation("counted", counted)
    nets = [ntkbook.mlp(width=4, depth=1, activation=activation) for _ in range(2)]
    assert nets[0] == nets[1] and hash(nets[0]) == hash(nets[1])
    params, x = nets[0].init(jax.random.key(0), 3), jnp.eye(3)
    ntkbook.empirical_ntk(nets[0], params, x)
    traced = len(calls)
    ntkbook.empirical_ntk(nets[1], params, x)
    assert traced > 0 and len(calls) == traced


def test_structured_route_stores_no_gradients(small):
    # 100 points: gradients of the weights alone would hold 100 * 300^2 floats.
    n, m = 100, 300
    net = ntkbook.mlp(width=m, depth=2)
    params = jax.eval_shape(lambda key: net.init(key, 3), jax.random.key(0))
    x = jax.ShapeDtypeStruct((n, 3), params.readout.dtype)
    compiled = jax.jit(lambda p, x: ntkbook.empirical_ntk(net, p, x)).lower(params, x).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < n * m**2 * params.readout.dtype.itemsize / 10


@pytest.mark.parametrize("order", [2, 3, 4])
def test_one_hidden_layer_has_no_quadratic_cost(order):
    def flops(width):
        net = ntkbook.mlp(width=width, depth=1)
        params = jax.eval_shape(lambda key: net.init(key, 3), jax.random.key(0))
        x = jax.ShapeDtypeStruct((3, 3), params.readout.dtype)
        compute = jax.jit(lambda p, x: ntkbook.empirical_kernel(net, p, x, order=order))
        return compute.lower(params, x).compile().cost_analysis()["flops"]

    assert flops(4000) < 2.2 * flops(2000)


# -- bad arguments ---------------------------------------------------------------------------------------------------


def bad(name, error, match, **changes):
    return pytest.param(error, match, changes, id=name)


def user(params, point):
    return jnp.tanh(point @ params["w"]).sum() * params["b"]


USER = {"w": np.ones((3, 2), np.float32), "b": np.float32(2)}


def matrix(params, point):
    return jnp.outer(point @ params["w"], point @ params["w"])


LINEAR = equinox.nn.Linear(3, "scalar", key=jax.random.key(0))


class Unhashable:
    __hash__ = None

    def __call__(self, params, point):
        return user(params, point)


@pytest.mark.parametrize(
    ("error", "match", "changes"),
    [
        bad("one point without its axis", ValueError, r"x must have 2 axes, got shape \(3,\).*Reshape", x=[1.0, 0, 0]),
        bad("ragged", TypeError, "x must be an array of real numbers, got list", x=[[1.0], [1.0, 2.0]]),
        bad("text", TypeError, "x must be an array of real numbers, got str", x="abc"),
        bad("none", TypeError, "x must be an array of real numbers, got NoneType", x=None),
        bad("complex", TypeError, "x must hold real numbers, got dtype complex", x=[[1j, 0, 0]]),
        bad("nan", ValueError, "x must be finite, got NaN", x=[[np.nan, 0, 0]]),
        bad("no points", ValueError, r"x must hold at least one point.*got shape \(0, 3\)", x=np.zeros((0, 3), "f4")),
        bad("coordinates", ValueError, r"params must have shapes.*points with 2.*net.init\(key", x=[[1, 0]]),
        bad("test coordinates", ValueError, "x_test must have the 3 coordinates of x", x_test=[[1.0, 0.0]]),
        bad("no test points", ValueError, "x_test must hold at least one point", x_test=np.zeros((0, 3), "f4")),
        bad("order one", ValueError, "order must be at least 2, got 1. Pass 2 or more", order=1),
        bad("order true", TypeError, "order must be an integer, got True", order=True),
        bad("order float", TypeError, "order must be an integer, got 3.0. Pass a Python int", order=3.0),
        bad("order too large", ValueError, r"must fit into memory, got .*60 slots.*Lower the order", order=60),
        bad("order text", TypeError, "order must be an integer, got '3'", order="3"),
        bad("route", ValueError, "must be 'structured' or 'autodiff', got 'fast'", implementation="fast"),
        bad("net", TypeError, r"net must be callable as net\(params, x_point\), got 3. Pass ntkbook.mlp", net=3),
        bad("width", ValueError, "params must have shapes .* for width 6", net=ntkbook.mlp(width=6, depth=2)),
        bad("depth", ValueError, "params must have shapes .* depth 1", net=ntkbook.mlp(width=5, depth=1)),
        bad("tuple", TypeError, r"params of an mlp must be ntkbook.MLPParams.*got tuple", params=((), 1)),
        bad("no weights", ValueError, "params must have shapes", params=ntkbook.MLPParams(None, np.ones(5, "f4"))),
        bad("no params", ValueError, "params must hold at least one array", net=lambda p, x: x.sum(), params={}),
        bad("unhashable", TypeError, "net must be hashable.*Wrap it: lambda", net=Unhashable(), params=USER),
        bad("matrix", ValueError, r"one vector of outputs.*\(2, 2\).*ravel", net=matrix, params=USER),
        bad("pair", ValueError, "must give one scalar", net=lambda p, x: (x.sum(), x.sum()), params=USER),
        bad("nothing", ValueError, "must give one scalar", net=lambda p, x: x[:0], params=USER),
        bad("integer output", ValueError, "must give one scalar", net=lambda p, x: 1, params=USER),
        bad("structured", ValueError, "act through affine alone.*got function: it offers no apply.*Use 'autodiff'",
            net=user, params=USER, implementation="structured"),
        bad("integer leaf", TypeError, r"params\['b'\] int 2. Split off .*partition", net=user, params=USER | {"b": 2}),
        bad("text leaf", TypeError, r"at params\['c'\] str 's'. Split off", net=user, params=USER | {"c": "s"}),
        bad("function leaf", TypeError, r"at params\['c'\] function", net=user, params=USER | {"c": user}),
        bad("steps", TypeError, r"params\['c'\] an array of int.*Split off", net=user,
            params=USER | {"c": jnp.ones(2, int)}),
        bad("key leaf", TypeError, r"params\['c'\] an array of key", net=user, params=USER | {"c": jax.random.key(0)}),
        bad("module", TypeError, "a Linear that holds its own arrays. Split off.*equinox.partition", net=LINEAR,
            params=USER),
    ],
)  # fmt: skip
def test_bad_arguments(small, error, match, changes):
    arguments = {"net": small.net, "params": small.params, "x": small.x, "order": 2} | changes
    if "params" in changes:  # in the precision of the points
        dtype = small.x.dtype
        cast = lambda leaf: leaf.astype(dtype) if isinstance(leaf, np.ndarray | np.float32) else leaf  # noqa: E731
        arguments["params"] = jax.tree.map(cast, changes["params"])
    with pytest.raises(error, match=match):
        ntkbook.empirical_kernel(**arguments)
    if "order" not in changes:
        with pytest.raises(error, match=match):
            ntkbook.kernel_hierarchy(**{k: v for k, v in arguments.items() if k != "order"})


def test_a_network_for_batches_is_told_that_it_gets_one_point(small):
    with pytest.raises(IndexError) as caught:
        ntkbook.empirical_ntk(lambda params, x: (x[:, 0] @ params["w"]).sum(), USER, np.ones((2, 3), "f4"))
    assert "one point of shape (3,), not a batch" in "".join(caught.value.__notes__)


def test_layer_kernels_want_an_mlp(small):
    with pytest.raises(TypeError, match="layer_kernels wants an ntkbook.mlp.*got function"):
        ntkbook.layer_kernels(user, USER, small.x)


def test_leaves_without_entries_change_nothing():
    f, params, x = pytree_problem()
    empty = params | {"empty": jnp.zeros((0, 3)), "none": ()}
    for order in (2, 3):
        K = ntkbook.empirical_kernel(f, empty, x, order=order)
        assert_close(K, ntkbook.empirical_kernel(f, params, x, order=order))


def test_mixed_precision_is_refused(small):
    with pytest.raises(TypeError, match="x must be float32 or float64, got float16.*Convert with astype"):
        ntkbook.empirical_ntk(small.net, small.params, small.x.astype(jnp.float16))
    if small.x.dtype == jnp.float64:
        with pytest.raises(TypeError, match="params, x must share one floating dtype.*x: float32.*Convert with astype"):
            ntkbook.empirical_ntk(small.net, small.params, small.x.astype(jnp.float32))
        with pytest.raises(TypeError, match="x_test: float32"):
            ntkbook.empirical_ntk(small.net, small.params, small.x, small.x_test.astype(jnp.float32))


def test_shapes_are_checked_under_jit(small):
    with pytest.raises(ValueError, match="params must have shapes"):
        jax.jit(lambda x: ntkbook.empirical_ntk(small.net, small.params, x))(small.x[:, :2])


def test_lists_integers_and_numpy_arrays_are_welcome(small):
    expected = ntkbook.empirical_ntk(small.net, small.params, jnp.eye(3))
    dtype = small.x.dtype
    for x in ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], jnp.eye(3, dtype=int), np.eye(3, dtype=dtype)):
        K = ntkbook.empirical_ntk(small.net, small.params, x)
        assert K.dtype == dtype
        assert_close(K, expected)
    numpy_params = jax.tree.map(np.asarray, small.params)
    assert_close(ntkbook.empirical_ntk(small.net, numpy_params, jnp.eye(3)), expected)
