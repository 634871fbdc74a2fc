"""What is refused before any work, and what the message says: arrays of other kinds, numbers, keys, sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ntkbook
from ntkbook import _checks

WIDE = jnp.result_type(float) == jnp.float64


class Frame:
    """A foreign array: it says how to become one of NumPy, as data frames and tensors do."""

    def __init__(self, values, dtype):
        self.values = np.asarray(values, dtype)

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


def entry_points(value):
    """Every place at which an array of points, labels, times, outputs, kernels or parameters enters."""
    net = ntkbook.mlp(width=2)
    params, x, y = net.init(jax.random.key(0), 2), jnp.eye(2), jnp.ones(2)
    h = ntkbook.KernelHierarchy(jnp.zeros(2), {2: jnp.eye(2)})
    row = (
        value[0] if isinstance(value, list) else Frame(value.values[0], None) if isinstance(value, Frame) else value[0]
    )
    yield lambda: net(params, value)
    yield lambda: ntkbook.empirical_ntk(net, params, value)
    yield lambda: ntkbook.empirical_ntk(net, params, x, x_test=value)
    yield lambda: ntkbook.limit_kernel(net, value)
    yield lambda: ntkbook.gradient_flow(net, params, x, row, [0.0, 1.0])
    yield lambda: ntkbook.gradient_descent(net, params, x, row, learning_rate=0.1, steps=1)
    yield lambda: ntkbook.truncated_flow(h, y, row, level=2)
    yield lambda: ntkbook.frozen_kernel_flow(h, row, [0.0, 1.0])
    yield lambda: ntkbook.frozen_kernel_flow(ntkbook.KernelHierarchy(row, {2: jnp.eye(2)}), y, [0.0, 1.0])
    yield lambda: ntkbook.frozen_kernel_flow(ntkbook.KernelHierarchy(jnp.zeros(2), {2: value}), y, [0.0, 1.0])
    yield lambda: ntkbook.data.smallest_singular_value(value)
    yield lambda: ntkbook.diagnostics.hierarchy_slope(net, params, x, row, order=1)


EYE = [[0.5, 1.0], [1.0, 0.75]]


@pytest.mark.parametrize(
    "value",
    [
        np.array(EYE),
        Frame(EYE, "f8"),
        [np.array(row) for row in EYE],
        [[np.float64(entry) for entry in row] for row in EYE],
    ],
    ids=["array", "foreign", "list of arrays", "list of scalars"],
)
def test_float64_is_never_narrowed_in_silence(value):
    # At every entry, whatever the array came in; numbers of Python declare no precision and are welcome.
    for enter in entry_points(value):
        if WIDE:
            enter()
        else:
            with pytest.raises(TypeError, match="is a .*float64.* would turn into float32.*enable_float64"):
                enter()
    for enter in (*entry_points(EYE), *entry_points(np.array(EYE, "f4") if not WIDE else EYE)):
        enter()


def test_a_foreign_float32_array_is_welcome_where_float32_is_meant():
    if not WIDE:
        for enter in entry_points(Frame(EYE, "f4")):
            enter()


def test_parameters_of_float64_are_not_narrowed_either():
    net = ntkbook.mlp(width=2)
    for wrap in (np.asarray, lambda leaf: Frame(leaf, "f8")):
        params = ntkbook.MLPParams((wrap(np.ones((2, 2))),), wrap(np.ones(2)))
        if not WIDE:
            with pytest.raises(TypeError, match="params is a .*float64"):
                ntkbook.empirical_ntk(net, params, jnp.eye(2))


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [
        (np.ones((2, 2), np.longdouble), TypeError, "must be float32 or float64, got .*128.*Convert to float64"),
        (
            np.array([[1, "a"], [2, 3]], object),
            TypeError,
            "must hold real numbers, got dtype object: it holds objects. Convert with astype",
        ),
        (Frame([[1, None], [2, 3]], object), TypeError, "must hold real numbers, got dtype object: it holds objects"),
        (
            np.array([["1", "2"], ["3", "4"]]),
            TypeError,
            "must hold real numbers, got dtype .*: it holds text. Convert with astype",
        ),
        (
            np.ones((2, 2), complex),
            TypeError,
            "must hold real numbers, got dtype .*: it holds complex numbers. Pass real numbers",
        ),
        (np.ones((2, 2), "M8[s]"), TypeError, "must hold real numbers, got dtype .*: it holds dates"),
        (np.ones((2, 2), "f2"), TypeError, "must be float32 or float64, got float16, too coarse.*astype"),
        (jnp.ones((2, 2), jnp.bfloat16), TypeError, "must be float32 or float64, got bfloat16"),
        (np.ma.masked_invalid(np.array([[1, np.nan], [2, 3]], "f4")), ValueError, "has 1 masked entries.*Fill them"),
        ([np.ma.masked_equal(np.array([1, 2], "f4"), 2), [3.0, 4.0]], ValueError, "has 1 masked entries"),
        ([["a", "b"], ["c", "d"]], TypeError, "must be an array of real numbers, got list"),
        (None, TypeError, "must be an array of real numbers, got NoneType"),
    ],
)
def test_arrays_of_other_kinds_get_a_message_that_fits(value, error, match):
    net = ntkbook.mlp(width=2)
    with pytest.raises(error, match="^x " + match):
        ntkbook.empirical_ntk(net, net.init(jax.random.key(0), 2), value)


def test_an_array_with_nothing_masked_is_an_array():
    values = np.array(EYE, "f4")
    assert (_checks.floating_array(np.ma.masked_array(values), "x", ndim=2) == values).all()


@pytest.mark.parametrize("value", [True, np.True_, np.bool_(False)])
def test_truth_values_are_no_numbers(value):
    with pytest.raises(TypeError, match="width must be an integer, got .*(True|False)"):
        ntkbook.mlp(width=value)
    with pytest.raises(TypeError, match="w_std must be a number, got .*(True|False)"):
        ntkbook.mlp(width=2, w_std=value)
    with pytest.raises(TypeError, match="order must be an integer"):
        ntkbook.limit_kernel(ntkbook.mlp(width=2), jnp.eye(2), value)


@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_keys_of_every_implementation_draw(implementation):
    key = jax.random.key(0, impl=implementation)
    net = ntkbook.mlp(width=3)
    drawn = net.init(key, 2).readout
    assert drawn.shape == (3,) and np.isfinite(drawn).all()
    if implementation != "unsafe_rbg":  # a raw key does not say which of the two it is
        assert (net.init(jax.random.key_data(key), 2).readout == drawn).all()


@pytest.mark.parametrize(
    ("key", "match"),
    [
        (jnp.zeros(3, jnp.uint32), r"got an array of shape \(3,\) and dtype uint32. Make one with"),
        (
            jnp.zeros((5, 2), jnp.uint32),
            r"got keys of shape \(5, 2\) and dtype uint32. Pass one of them, or use jax.vmap",
        ),
        (jnp.zeros(2), r"got an array of shape \(2,\) and dtype float.*Make one with jax.random.key\(seed\)"),
        (7, r"got 7. Make one with jax.random.key\(seed\)"),
    ],
)
def test_what_is_no_key(key, match):
    with pytest.raises(TypeError, match="key must be one JAX random key, " + match):
        ntkbook.mlp(width=3).init(key, 2)
    with pytest.raises(TypeError, match="got keys of shape .4,. and dtype key"):
        ntkbook.mlp(width=3).init(jax.random.split(jax.random.key(0), 4), 2)


def test_the_memory_of_the_machine_bounds_a_kernel():
    assert 2**28 < _checks.memory() < 2**50
    with pytest.raises(ValueError, match="a kernel must fit into memory, got .* bytes .6 slots, 1e.18 entries"):
        ntkbook.limit_kernel(ntkbook.mlp(width=2), jnp.ones((1000, 2)), 6)
