"""Slow, plain, independent versions of what the package computes, straight from the definitions.

Kernels one tuple of points at a time by nested differentiation; gradients, flows and the truncated hierarchy in NumPy
and SciPy, in float64 whatever the package runs in.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.integrate import solve_ivp

NUMPY_ACTIVATIONS = {
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "identity": (lambda z: z, np.ones_like),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
}

# -- kernels -----------------------------------------------------------------------------------------------------------


def empirical_kernel(net, params, x, order, x_test=None):
    """K^(k) entry by entry: K^(k+1)(1..k, c) = <grad K^(k)(1..k), grad f(c)>, over flattened parameters."""
    theta, unravel = ravel_pytree(params)

    def f(theta, point):
        return net(unravel(theta), point)

    def next_kernel(K):
        def K_next(theta, *points):
            return jax.grad(K)(theta, *points[:-1]) @ jax.grad(f)(theta, points[-1])

        return K_next

    K = f
    for _ in range(order - 1):
        K = next_kernel(K)
    K = jax.jit(K)
    first = x if x_test is None else x_test
    shape = (len(first),) + (len(x),) * (order - 1)
    result = np.empty(shape)
    for slots in itertools.product(*map(range, shape)):
        result[slots] = K(theta, first[slots[0]], *(x[i] for i in slots[1:]))
    return result


# -- the network in NumPy ----------------------------------------------------------------------------------------------


def output_and_gradient(weights, readout, point, activation):
    """f and its gradients (1.4), (1.5) as printed, each matrix W and each diagonal matrix sigma' formed."""
    sigma, slope = NUMPY_ACTIVATIONS[activation]
    m, H = len(readout), len(weights)
    layers, diagonals = [np.asarray(point, float)], []
    for W in weights:
        h = W @ layers[-1]
        layers.append(sigma(h) / np.sqrt(m))
        diagonals.append(np.diag(slope(h)))
    gradients = []
    for ell in range(1, H + 1):  # sigma'_l W_{l+1}^T sigma'_{l+1} ... W_H^T sigma'_H a (x^(l-1))^T / m^((H-l+1)/2)
        product = diagonals[ell - 1]
        for k in range(ell + 1, H + 1):
            product = product @ weights[k - 1].T @ diagonals[k - 1]
        gradients.append(np.outer(product @ readout, layers[ell - 1]) / m ** ((H - ell + 1) / 2))
    return readout @ layers[-1], [*gradients, layers[-1]]


def gradient_flow(params, x, y, times, activation, x_test=None):
    """The exact flow: outputs, test outputs and parameters at the times, over the flattened parameters."""
    arrays = [np.asarray(leaf, float) for leaf in (*params.weights, params.readout)]
    x, y, times = (np.asarray(value, float) for value in (x, y, times))
    cuts = np.cumsum([a.size for a in arrays])[:-1]

    def unflatten(theta):
        return [part.reshape(a.shape) for part, a in zip(np.split(theta, cuts), arrays, strict=True)]

    def outputs(theta, points):
        *weights, readout = unflatten(theta)
        return np.array([output_and_gradient(weights, readout, point, activation)[0] for point in points])

    def field(t, theta):
        *weights, readout = unflatten(theta)
        slope = np.zeros_like(theta)
        for point, label in zip(x, y, strict=True):
            f, gradient = output_and_gradient(weights, readout, point, activation)
            slope -= (f - label) / len(y) * np.concatenate([g.ravel() for g in gradient])
        return slope

    thetas = _solve(field, np.concatenate([a.ravel() for a in arrays]), times)
    f = np.array([outputs(theta, x) for theta in thetas])
    f_test = None if x_test is None else np.array([outputs(theta, np.asarray(x_test, float)) for theta in thetas])
    return f, f_test, [unflatten(theta) for theta in thetas]


# -- the truncated hierarchy -------------------------------------------------------------------------------------------


def truncated_flow(hierarchy, y, times, level):
    """(2.7) and (2.11) as they stand: the state is f, K^(2), ..., K^(p-1), and the same for the test points."""
    y, times = np.asarray(y, float), np.asarray(times, float)
    families = [(hierarchy.outputs, hierarchy.kernels)]
    if hierarchy.test_outputs is not None:
        families.append((hierarchy.test_outputs, hierarchy.test_kernels))
    tensors = [[np.asarray(f, float)] + [np.asarray(K[r], float) for r in range(2, level + 1)] for f, K in families]
    moving = [tensor for family in tensors for tensor in family[:-1]]
    cuts = np.cumsum([tensor.size for tensor in moving])[:-1]

    def unflatten(state):
        parts = iter(np.split(state, cuts))
        return [[next(parts).reshape(T.shape) for T in family[:-1]] + [family[-1]] for family in tensors]

    def field(t, state):
        current = unflatten(state)
        residual = current[0][0] - y
        return np.concatenate([(-(K @ residual) / len(y)).ravel() for family in current for K in family[1:]])

    states = [unflatten(s) for s in _solve(field, np.concatenate([T.ravel() for T in moving]), times)]
    f, K = (np.array([state[0][k] for state in states]) for k in (0, 1))
    f_test = np.array([state[1][0] for state in states]) if len(families) > 1 else None
    return f, K, f_test


def _solve(field, start, times):
    solution = solve_ivp(field, (0.0, times[-1]), start, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-12)
    assert solution.success, solution.message
    return solution.y.T


def convolution(params, point):
    """A small network with shared weights: a user's own, over a dictionary that holds a list."""
    hidden = jnp.tanh(jnp.convolve(point, params["filters"][0], mode="valid"))
    hidden = hidden + params["skip"] * jnp.sin(hidden)
    return jnp.sum(jnp.convolve(hidden, params["filters"][1], mode="valid"))


def one_layer(params, point):
    """A network of a user's own, of which nothing is known."""
    return jnp.tanh(params["W"] @ point).sum() * params["a"]
