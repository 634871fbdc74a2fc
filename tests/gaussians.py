"""Means over two Gaussians by piecewise Gauss-Legendre rules: slow, and independent of how the package finds them.

All that happens, happens near 0: the pieces are graded towards it, so that nothing is too steep for them.
"""

import numpy as np
from scipy.special import erf, expit, ndtr

NUMPY = {
    "tanh": (np.tanh, lambda z: 4 * expit(2 * z) * expit(-2 * z)),
    "erf": (erf, lambda z: 2 / np.sqrt(np.pi) * np.exp(-(z**2))),
    "sigmoid": (expit, lambda z: expit(z) * expit(-z)),
    "softplus": (lambda z: np.logaddexp(0, z), expit),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "identity": (lambda z: z, np.ones_like),
    "gelu": (lambda z: z * ndtr(z), lambda z: ndtr(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)),
    "sin": (np.sin, np.cos),
}

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(14)
_REACH = 8.5


def _pieces(edges):
    """Nodes and weights between consecutive edges, along the last axis."""
    left, width = edges[..., :-1, None], np.diff(edges, axis=-1)[..., None]
    shape = (*edges.shape[:-1], -1)
    return (left + width * (_NODES + 1) / 2).reshape(shape), (width * _WEIGHTS / 2).reshape(shape)


def _graded(smallest, largest):
    ends = np.geomspace(smallest, largest, max(int(np.log2(largest / smallest)), 2) + 1)
    return np.concatenate([-ends[::-1], [0], ends])


def _density(z, std):
    return np.exp(-((z / std) ** 2) / 2) / (np.sqrt(2 * np.pi) * std)


class TwoGaussians:
    """Nodes u (N,), v (N, M) and weights (N, M) for u, v of deviations p, q at an angle with this cosine and sine."""

    def __init__(self, p, q, cosine, sine):
        s = q * sine
        self.u, weights = _pieces(_graded(min(p, 1, p / q, p * max(sine, 1e-14)) / 16, _REACH * p))
        mean = q / p * cosine * self.u
        if sine <= 1e-14:
            self.v, inner = mean[:, None], np.ones((len(mean), 1))
        else:
            edges = (_graded(min(s, 1) / 4, _REACH * q) - mean[:, None]) / s  # in deviations from the mean
            edges = np.concatenate([edges, np.tile(np.linspace(-_REACH, _REACH, 12), (len(mean), 1))], axis=1)
            t, inner = _pieces(np.sort(np.clip(edges, -_REACH, _REACH), axis=1))
            self.v, inner = mean[:, None] + s * t, inner * _density(t, 1)
        self.weights = (weights * _density(self.u, p))[:, None] * inner

    def mean(self, f, g):
        return float(np.sum(self.weights * f(self.u)[:, None] * g(self.v)))

    def distance(self, f, left, right):
        return float(np.sum(self.weights * (left * f(self.u)[:, None] - right * f(self.v)) ** 2))


def limiting_ntk(name, x1, x2, *, depth=1, w_std=1.0, a_std=1.0, b_std=0.0):
    """K(x1, x2) for points in the plane, neither of them 0, layer by layer, by the formula of (1.8)."""
    sigma, slope = NUMPY[name]
    x1, x2 = (np.asarray(x, np.longdouble) for x in (x1, x2))
    p, q, c = np.sqrt(x1 @ x1), np.sqrt(x2 @ x2), x1 @ x2
    area, distance = abs(x1[0] * x2[1] - x1[1] * x2[0]), (x1 - x2) @ (x1 - x2)
    K = 0.0
    for _ in range(depth):
        below = w_std**2 * K + c + (b_std > 0)
        area = w_std * np.sqrt((w_std * area) ** 2 + b_std**2 * distance)
        p, q, c = np.hypot(w_std * p, b_std), np.hypot(w_std * q, b_std), w_std**2 * c + b_std**2
        both = TwoGaussians(*map(float, (p, q, c / p / q, area / p / q)))
        K = both.mean(slope, slope) * below
        p, q = (np.sqrt(np.longdouble(TwoGaussians(float(s), float(s), 1.0, 0.0).mean(sigma, sigma))) for s in (p, q))
        c = np.longdouble(both.mean(sigma, sigma))
        gap = both.distance(sigma, 1 / p, (np.sign(c) or 1) / q) / 2  # 1 - |cosine|
        area, distance = p * q * np.sqrt(max(gap * (2 - gap), 0)), both.distance(sigma, 1, 1)
    return float(a_std**2 * K + c)


def limiting_ntk_of_sin(x1, x2, *, depth=1, w_std=1.0, a_std=1.0, b_std=0.0):
    """The same for the sine, which oscillates too fast for any rule: from the variances of u - v and u + v."""
    x1, x2 = (np.asarray(x, np.longdouble) for x in (x1, x2))
    p2, q2, near, far = x1 @ x1, x2 @ x2, (x1 - x2) @ (x1 - x2), (x1 + x2) @ (x1 + x2)
    K, c = 0.0, x1 @ x2
    for _ in range(depth):
        below = w_std**2 * K + c + (b_std > 0)
        near, far = w_std**2 * near / 2, (w_std**2 * far + 4 * b_std**2) / 2
        p2, q2 = (-np.expm1(-2 * (w_std**2 * s + b_std**2)) / 2 for s in (p2, q2))
        K, c = (np.exp(-near) + np.exp(-far)) / 2 * below, w_std**2 * c + b_std**2
        if abs(c) < 1:  # else the difference of the exponentials is none of near numbers
            c = np.exp(-(near + far) / 2) * np.sinh(c)
        else:
            c = (np.exp(-near) - np.exp(-far)) / 2
        near, far = p2 + q2 - 2 * c, p2 + q2 + 2 * c
    return float(a_std**2 * K + c)
