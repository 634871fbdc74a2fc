"""The experiments: what their functions compute, and that all of them run, save and load, as the stored results say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import ntkbook
from ntkbook import experiments
from ntkbook.experiments import (
    EXPERIMENTS,
    FOLDER,
    along_training,
    kernel_motion,
    learned,
    limiting_motion,
    linear_convergence,
    regression,
    residual_at_start,
    sizes_at_start,
    truncation_run,
)
from ntkbook.experiments.__main__ import main
from ntkbook.experiments._base import difference
from ntkbook.experiments.corollary_2_4 import TIMES as MOTION_TIMES
from ntkbook.experiments.corollary_2_5 import TIMES as CONVERGENCE_TIMES
from ntkbook.experiments.theorem_2_3 import LENGTH, TIMES
from ntkbook.experiments.theorem_2_6 import TIMES as TRUNCATION_TIMES
from ntkbook.experiments.theorem_2_6 import _largest_errors

BOOK = Path(__file__).resolve().parent.parent / "book"
SMALL: dict[str, dict[str, Any]] = {
    "costs": {"orders": [2], "points": [2], "widths": [8], "depths": [1], "flows": {3: [2]}},
    "corollary-2-4": {"widths": [4, 8], "seeds": 2},
    "kernel-in-motion": {"widths": [4], "seeds": 2},
    "corollary-2-5": {"points": [2], "data_sets": 2, "ratios": [1.5, 3], "seeds": 2, "wide": 8}
    | {"rate_widths": [2], "rate_seeds": 2},
    "convergence": {"activations": ["tanh"], "depths": [1], "labels": ["signs"], "points": [2], "widths": [2, 4]}
    | {"seeds": 2},
    "predicting": {"widths": [4], "digit_widths": [4], "wide": [6], "seeds": 2, "wide_seeds": 2},
    "predicting-fifth": {"widths": [4], "seeds": 2},
    "predicting-gain": {"draws": 2, "width": 4, "seeds": 2},
    "theorem-2-3": {"widths": [4, 8], "plane_widths": [4], "seeds": 2},
    "theorem-2-3-limits": {"widths": [4, 8], "seeds": 2},
    "theorem-2-3-training": {"widths": [4], "seeds": 2},
    "orders": {"activations": ["tanh"], "depths": [1], "orders": [2, 3], "widths": [4, 8], "seeds": 2},
    "at-work": {"widths": [4], "depth": 1},
    "theorem-2-6": {"widths": [16], "far": [32], "far_with_kernels": 1, "deep": [8], "digits": [256]}
    | {"digits_wider": [512], "window": [8], "points": [2], "points_width": 8, "seeds": 2, "far_seeds": 2, "few": 2},
    "truncation": {"data": ["sphere", "half circle", "digits"], "widths": [64], "seeds": 2},
}
QUICK = ("orders",)
LONG = ("predicting", "theorem-2-6", "truncation")  # two minutes together; samples of all three are computed again


def marked(names: list[str], long: tuple[str, ...] = ()) -> list[Any]:
    marks = {name: [pytest.mark.slow] for name in names} | {name: [] for name in QUICK}
    marks |= {name: [pytest.mark.slow, pytest.mark.nightly] for name in long}
    return [pytest.param(name, marks=marks[name]) for name in names]


def form(value: Any) -> Any:
    """What a result looks like: keys, numbers of axes, kinds of numbers."""
    if isinstance(value, Mapping):
        return {key: form(part) for key, part in value.items() if key not in ("versions", "sizes")}
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return [form(value[0])]
    array = np.asarray(value)
    return array.ndim, array.dtype.kind


def test_every_experiment_has_a_small_setting() -> None:
    assert set(SMALL) == set(EXPERIMENTS)


@pytest.mark.parametrize("name", marked(list(SMALL), LONG))
def test_a_small_run_is_saved_and_loaded_and_looks_like_the_stored_result(name: str, tmp_path: Path) -> None:
    result = experiments.run(name, **SMALL[name])
    path = experiments.save(name, result, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [EXPERIMENTS[name].file] == [path.name]
    again, stored = experiments.load(name, tmp_path), experiments.load(name)
    assert form(again) == form(stored)
    for key, value in result.items():
        np.testing.assert_equal(again[key], value)
    assert again["command"] == stored["command"] and again["setting"] == stored["setting"]
    assert {"jax", "numpy", "python"} <= set(again["versions"])


def in_a_chapter(name: str) -> bool:
    text = (BOOK / f"{EXPERIMENTS[name].chapter}.md").read_text("utf-8")
    return f'sample_again("{name}")' in text


@pytest.mark.parametrize(
    "name", marked([name for name, one in EXPERIMENTS.items() if one.again and not in_a_chapter(name)])
)
def test_a_sample_of_the_stored_result_comes_out_again(name: str) -> None:
    differences = experiments.sample_again(name)
    assert differences and max(differences.values()) < EXPERIMENTS[name].tolerance, differences


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_stored_results_say_what_made_them_and_are_saved_as_they_lie(name: str, tmp_path: Path) -> None:
    stored = experiments.load(name)
    assert stored["command"] == f"python -m ntkbook.experiments {name}"
    assert stored["setting"] == EXPERIMENTS[name].setting and stored["seconds"] > 0
    path = experiments.save(name, stored, tmp_path)
    assert path.read_bytes() == (FOLDER / EXPERIMENTS[name].file).read_bytes()


def test_every_stored_file_belongs_to_an_experiment() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {one.file for one in EXPERIMENTS.values()}


def test_a_difference_is_relative_or_on_a_scale() -> None:
    assert np.isclose(difference([1.0, 2.0], [1.0, 2.1]), 0.05)
    assert np.isclose(difference([0.0, 2.0], [0.1, 2.0], scale=2.0), 0.05)
    assert np.isnan(difference([1.0], [np.nan]))  # no tolerance lets it pass


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for call in (experiments.load, experiments.run, experiments.sample_again):
        with pytest.raises(ValueError, match="name must be one of costs, .*, got 'theorem-9'"):
            call("theorem-9")
    with pytest.raises(FileNotFoundError, match="python -m ntkbook.experiments orders"):
        experiments.load("orders", tmp_path)
    with pytest.raises(ValueError, match="'costs' has none"):
        experiments.sample_again("costs")


def test_the_command_line_lists_runs_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main([])
    listed = capsys.readouterr().out
    assert all(one.name in listed and one.file in listed for one in EXPERIMENTS.values())
    with pytest.raises(SystemExit):
        main(["theorem-9"])
    assert "NAME must be one of costs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["orders", "--folder", str(tmp_path / "none")])
    assert "must be a folder that exists" in capsys.readouterr().err
    monkeypatch.setattr("ntkbook.experiments.__main__.run", lambda name: {"command": name})
    main(["orders", "--folder", str(tmp_path)])
    assert json.loads((tmp_path / "orders.json").read_text()) == {"command": "orders"}


def test_nothing_is_saved_where_an_experiment_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str) -> dict[str, Any]:
        raise RuntimeError(name)

    monkeypatch.setattr("ntkbook.experiments.__main__.run", fails)
    with pytest.raises(RuntimeError, match="orders"):
        main(["orders", "--folder", str(tmp_path)])
    with pytest.raises(TypeError):
        experiments.save("orders", {"seeds": 3, "not for JSON": object()}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_sizes_at_start_are_the_largest_entries() -> None:
    sizes = sizes_at_start(activation="softplus", depth=2, width=12, seeds=[5, 6], orders=(2, 3))
    net = ntkbook.mlp(width=12, depth=2, activation="softplus")
    params = net.init(jax.random.fold_in(jax.random.key(6), 12), 8)
    x = ntkbook.data.sphere_points(jax.random.key(0), 4, 8)
    for row, order in zip(sizes, (2, 3), strict=True):
        assert np.isclose(row[1], np.abs(ntkbook.empirical_kernel(net, params, x, order=order)).max(), rtol=1e-5)


@pytest.mark.slow
def test_both_sides_of_the_hierarchy_agree_along_training() -> None:
    run = along_training(width=8, depth=1)
    residual, K2, differences = run[:, :3], run[:, 3:12].reshape(-1, 3, 3), run[:, 120:]
    assert run.shape == (len(TIMES), LENGTH) and run.dtype == np.float64
    assert np.isnan(differences[0]).all() and np.abs(differences[1:]).max() < 1e-8
    np.testing.assert_allclose(K2, K2.transpose(0, 2, 1), atol=1e-12)
    # (2.1) once more, from the stored numbers alone: a central difference of the residuals over neighbouring times
    measured = (residual[2:] - residual[:-2]) / (TIMES[2] - TIMES[0])
    slope = -np.einsum("tab,tb->ta", K2, residual)[1:-1] / 3
    assert np.abs(measured - slope).max() < 0.02 * np.abs(slope).max()


@pytest.mark.slow
def test_kernel_motion_is_that_of_the_exact_flow() -> None:
    motion = kernel_motion(width=12, seeds=[4])[0]
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=12)
        x = ntkbook.data.sphere_points(jax.random.key(1), 3, 5)
        params = net.init(jax.random.key(4), 5)
        for sign, (moved, rate) in zip((1, -1), motion, strict=True):
            start = params._replace(readout=sign * params.readout)
            flow = ntkbook.gradient_flow(net, start, x, net(start, x) + 1, np.array([0.0, 2.99, 3.0, 3.01]))
            seen = 12 * np.asarray(flow.kernel - flow.kernel[0])[:, *np.triu_indices(3)]
            np.testing.assert_allclose(moved[MOTION_TIMES.index(3.0)], seen[2], atol=1e-6)
            np.testing.assert_allclose(rate[MOTION_TIMES.index(3.0)], (seen[3] - seen[1]) / 0.02, atol=1e-4)
    assert np.abs(motion[:, 0, 0]).max() == 0
    np.testing.assert_allclose(motion[0, 1, 0], -motion[1, 1, 0], atol=1e-12)  # K_0^(3) is odd in the readout


@pytest.mark.slow
def test_limiting_motion_is_what_the_mean_of_wide_twins_approaches() -> None:
    limit = limiting_motion()
    wide = kernel_motion(width=8192, seeds=range(8))[:, :, 0].mean(axis=(0, 1))
    assert limit.shape == wide.shape and np.abs(limit[-1]).max() > 1
    assert np.abs(wide - limit).max() < 0.1 * np.abs(limit).max()


def test_truncation_run_refuses_data_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="data must be one of sphere, half circle, digits, got 'moons'"):
        truncation_run(data="moons", width=16, seed=0)


@pytest.mark.slow
def test_truncation_run_holds_exact_and_truncated_flow() -> None:
    run = truncation_run(data="half circle", width=12, seed=4, levels=[2, 3])
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=12)
        angles, x = ntkbook.data.half_circle(6)
        params = net.init(jax.random.key(4), 2)
        y, times = np.sin(2 * angles), np.array(TRUNCATION_TIMES)
        exact = ntkbook.gradient_flow(net, params, x, y, times)
        frozen = ntkbook.frozen_kernel_flow(ntkbook.kernel_hierarchy(net, params, x, max_order=2), y, times)
    np.testing.assert_allclose(run[0, :, :6], exact.outputs, atol=1e-8)
    np.testing.assert_allclose(run[0, :, 6:], exact.kernel[:, *np.triu_indices(6)], atol=1e-8)
    np.testing.assert_allclose(run[0, :, :6] + run[1, :, :6], frozen.outputs, atol=1e-8)
    assert np.abs(run[2]).max() > 1e-6 and not np.allclose(run[1], run[2])
    errors = _largest_errors(run, points=6)
    assert errors.shape == (2, len(times), 2) and errors[0, 3, 1] == np.abs(run[1, 3, 6:]).max()


def test_the_hardest_residual_is_the_slowest_mode_and_the_signs_are_nested() -> None:
    A = np.random.default_rng(0).normal(size=(5, 5))
    r = residual_at_start(A @ A.T, labels="hardest")
    assert np.isclose(r @ r, 5) and r[np.abs(r).argmax()] > 0
    np.testing.assert_allclose(A @ A.T @ r, np.linalg.eigvalsh(A @ A.T)[0] * r, atol=1e-5)
    signs = residual_at_start(np.eye(9), labels="signs")
    assert set(np.asarray(signs).tolist()) == {-1.0, 1.0}
    np.testing.assert_array_equal(signs[:5], residual_at_start(np.eye(5), labels="signs"))
    with pytest.raises(ValueError, match="labels"):
        residual_at_start(np.eye(2), labels="easy")
    with pytest.raises(ValueError, match="at most 32"):
        linear_convergence(n=33, width=4, seeds=[0])


@pytest.mark.slow
@pytest.mark.parametrize("labels", ["hardest", "signs"])
def test_linear_convergence_is_that_of_the_exact_flow(labels: str) -> None:
    error, eigenvalue = linear_convergence(n=5, width=12, seeds=[3], labels=labels)[0]
    with jax.enable_x64(True):
        net = ntkbook.mlp(width=12)
        x = ntkbook.data.sphere_points(jax.random.key(0), 32, 8)[:5]
        K = np.asarray(ntkbook.limit_kernel(net, x))
        least = np.linalg.eigvalsh(K)[0]
        params = net.init(jax.random.fold_in(jax.random.key(3), 12), 8)
        y = net(params, x) - residual_at_start(K, labels=labels)
        flow = ntkbook.gradient_flow(net, params, x, y, np.array([0.0, CONVERGENCE_TIMES[3] * 5 / least]))
        np.testing.assert_allclose(error[[0, 3]], flow.loss / flow.loss[0], rtol=1e-3)
        np.testing.assert_allclose(eigenvalue[[0, 3]], np.linalg.eigvalsh(flow.kernel)[:, 0] / least, rtol=1e-4)


@pytest.mark.slow
def test_learned_starts_at_zero_and_agrees_at_training_points() -> None:
    with jax.enable_x64(True):
        _, x, z, _, x_new = regression()
        net = ntkbook.mlp(width=24, w_std=2.0)
        params, times = net.init(jax.random.key(2), 2), np.array([0.0, 3.0])
        exact, frozen, third = learned(net, params, x, z, times, x_new, levels=(2, 3))
        y = net(params, x) + z
        flow = ntkbook.gradient_flow(net, params, x, y, times)
        h = ntkbook.kernel_hierarchy(net, params, x, 3)
        np.testing.assert_allclose(exact[:, 3::6], flow.outputs - h.outputs, atol=1e-8)
        for g, level in ((frozen, 2), (third, 3)):
            cut = ntkbook.truncated_flow(h, y, times, level)
            np.testing.assert_allclose(g[:, 3::6], cut.outputs - h.outputs, atol=1e-8)
            assert np.abs(g[0]).max() == 0 and np.abs(g[1] - exact[1]).max() > 1e-4
