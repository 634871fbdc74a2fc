"""Data sets, and the report on Assumption 2.2."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closeness import assert_close

from ntkbook import data

pytestmark = pytest.mark.usefixtures("strict")


def test_sphere_points():
    x = data.sphere_points(jax.random.key(0), 200, 3)
    assert x.shape == (200, 3) and x.dtype == jnp.result_type(float)
    assert_close(jnp.linalg.norm(x, axis=1), np.ones(200))
    gram = np.asarray(x @ x.T)[np.triu_indices(200, 1)]
    assert np.abs(gram).max() < 1 - 1e-9  # neither twins nor antipodes
    assert np.abs(x.mean(axis=0)).max() < 0.2  # uniform: in three dimensions every coordinate is, on (-1, 1)
    assert float((x**2).mean()) == pytest.approx(1 / 3, abs=1e-6)
    assert float((x[:, 0] ** 4).mean()) == pytest.approx(1 / 5, abs=0.05)
    assert_close(data.sphere_points(jax.random.key(0), 200, 3), x)


def test_half_circle():
    angles, x = data.half_circle(5)
    assert angles.dtype == x.dtype == jnp.result_type(float)
    assert_close(angles, np.pi * np.array([0.1, 0.3, 0.5, 0.7, 0.9]))
    assert_close(x, np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert (x @ x.T).min() > -0.99


def test_digits():
    pytest.importorskip("sklearn")
    x, y = data.digits(11, key=jax.random.key(0), classes=(3, 8))
    assert x.shape == (11, 64) and x.dtype == y.dtype == jnp.result_type(float)
    assert_close(jnp.linalg.norm(x, axis=1), np.ones(11))
    assert sorted(np.asarray(y).tolist()) == [-1.0] * 5 + [1.0] * 6
    assert len(np.unique(np.asarray(x), axis=0)) == 11
    from sklearn.datasets import load_digits

    images, digit = load_digits(return_X_y=True)
    nearest = digit[np.argmax(np.asarray(x) @ (images / np.linalg.norm(images, axis=1)[:, None]).T, axis=1)]
    assert nearest.tolist() == [3 if label > 0 else 8 for label in y]
    assert (np.sign(np.diff(y)) != 0).any()  # not sorted by class


@pytest.mark.parametrize(
    ("error", "match", "arguments"),
    [
        (ValueError, r"classes must be two different digits from 0 to 9, got \(3, 3\)", {"classes": (3, 3)}),
        (ValueError, "classes must be two different digits", {"classes": (3, 10)}),
        (ValueError, "n must be at most twice the .* images of digit 3, got 1000. Ask for fewer", {"n": 1000}),
        (ValueError, "n must be at least 2, got 1", {"n": 1}),
        (TypeError, "key must be one JAX random key", {"key": 0}),
    ],
)
def test_bad_digits(error, match, arguments):
    pytest.importorskip("sklearn")
    with pytest.raises(error, match=match):
        data.digits(**({"n": 10, "key": jax.random.key(0)} | arguments))


def test_bad_points():
    with pytest.raises(ValueError, match="input_dim must be at least 2, got 1"):
        data.sphere_points(jax.random.key(0), 3, 1)
    with pytest.raises(TypeError, match="key must be one JAX random key, got 0"):
        data.sphere_points(0, 3, 3)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        data.half_circle(0)


def smallest(x):
    return np.linalg.svd(np.asarray(x, float), compute_uv=False).min()


def test_independent_points_are_bounded_by_the_whole_matrix():
    x = data.sphere_points(jax.random.key(0), 4, 6)
    report = data.smallest_singular_value(x)
    assert report.exhaustive and report.subsets == 1 and report.size == 4
    assert report.value == pytest.approx(smallest(x), rel=1e-4)
    for rows in itertools.combinations(range(4), 3):
        assert smallest(x[jnp.asarray(rows)]) >= report.value - 1e-6
    assert "all subsets, bounded by the whole set of 4 points" in str(report)


def test_dependent_points_are_looked_at_subset_by_subset():
    x = data.sphere_points(jax.random.key(0), 6, 3)
    report = data.smallest_singular_value(x, 2)
    assert report.exhaustive and report.subsets == 15 and report.size == 2
    expected = min(smallest(x[jnp.asarray(rows)]) for rows in itertools.combinations(range(6), 2))
    assert report.value == pytest.approx(expected, rel=1e-4)
    assert "all 15 subsets of 2 points" in str(report)
    few = data.smallest_singular_value(x, 2, key=jax.random.key(1), max_subsets=5)
    assert not few.exhaustive and few.subsets == 5 and few.value >= expected - 1e-6
    assert "5 random subsets" in str(few)


def test_antipodes_are_found_and_too_many_points_are_dependent():
    x = data.sphere_points(jax.random.key(0), 4, 3)
    assert data.smallest_singular_value(jnp.concatenate([x, -x[:1]]), 2).value < 1e-6
    assert data.smallest_singular_value(x, 4).value == 0


def test_bad_subsets():
    x = data.sphere_points(jax.random.key(0), 6, 3)
    with pytest.raises(ValueError, match="size must be at most the number of points 6, got 7"):
        data.smallest_singular_value(x, 7)
    with pytest.raises(ValueError, match="more than 5 subsets of 2 of 6 points. Pass key="):
        data.smallest_singular_value(x, 2, max_subsets=5)
