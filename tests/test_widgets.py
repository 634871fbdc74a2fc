"""The widgets' Python side: their data, their errors, their answers. The page's side is tested in tests/browser."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from widget_pages import simulates
from widget_samples import SAMPLES

import ntkbook
import ntkbook.widgets
from ntkbook import terms
from ntkbook.widgets import (
    ClickToDifferentiate,
    HierarchyAtWork,
    KernelInMotion,
    LinearConvergence,
    OrdersOfMagnitude,
    PredictNewPoint,
    TrainLive,
    TruncationExplorer,
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
from ntkbook.widgets._base import BookWidget
from ntkbook.widgets.convergence import TIMES as CONVERGENCE_TIMES
from ntkbook.widgets.hierarchy import LENGTH, TIMES
from ntkbook.widgets.motion import TIMES as MOTION_TIMES
from ntkbook.widgets.truncation import DATA_SETS, LEVELS, largest_errors
from ntkbook.widgets.truncation import TIMES as TRUNCATION_TIMES


def floats(widget: BookWidget) -> np.ndarray:
    return np.frombuffer(widget.data, "<f4")


def exchange(widget: BookWidget, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
    """Send a request as the page does; what comes back, as (content, array)."""
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    widget._receive(widget, request, [])
    [(content, buffers)] = sent
    return content, None if buffers is None else np.frombuffer(buffers[0], "<f4")


def test_ntkbook_alone_imports_no_widget_library() -> None:
    code = "import ntkbook, sys; sys.exit(bool({'anywidget', 'ipywidgets', 'traitlets'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def marked_in(file: str) -> set[str]:
    """The widgets that the tests of a file say they are about."""
    path = Path(__file__).parent / file
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    marks = [mark for test in vars(module).values() for mark in getattr(test, "pytestmark", [])]
    return {mark.args[0] for mark in marks if mark.name == "widget"}


def test_every_widget_is_public_and_tested() -> None:
    """Its data here; its controls and links in the browser, by its sample; what it trains in the page there too."""
    for module in pkgutil.iter_modules(ntkbook.widgets.__path__, "ntkbook.widgets."):
        importlib.import_module(module.name)
    known = BookWidget.registry
    assert {widget.__name__ for widget in known.values()} <= set(ntkbook.widgets.__all__)
    assert set(SAMPLES) == set(known)
    assert marked_in("test_widgets.py") == set(known)
    assert marked_in("browser/test_simulation.py") == {name for name in known if simulates(name)}


def test_a_widget_is_known_by_the_name_of_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BookWidget, "registry", {})

    class LookAtThis(BookWidget):
        _esm = ""

    assert BookWidget.registry == {"look-at-this": LookAtThis}
    assert LookAtThis({}).name == "look-at-this" and BookWidget.registry == {"look-at-this": LookAtThis}


@pytest.mark.parametrize("name", sorted(BookWidget.registry))
def test_a_widget_goes_by_its_name_in_the_page_too(name: str) -> None:
    assert f'name: "{name}"' in str(BookWidget.registry[name]._esm) and SAMPLES[name].make().meta["id"] == name


@pytest.mark.widget("train-live")
def test_train_live_has_data_of_its_own() -> None:
    widget = TrainLive()
    angles, y = np.array(widget.meta["angles"]), np.array(widget.meta["y"])
    assert angles.shape == y.shape == (6,) and np.abs(y).max() < 2 and widget.data == b""
    assert angles.max() - angles.min() < np.pi  # so that no two points are antipodal
    json.dumps(widget.meta)


def test_train_live_takes_other_data() -> None:
    widget = TrainLive([0.1, 0.4, 2.0], [1, 0, -1], initial={"width": 64}, id="mine")
    assert widget.meta["y"] == [1.0, 0.0, -1.0] and widget.meta["id"] == "mine"


@pytest.mark.parametrize("angles, y", [([0.1, 0.2], [1.0]), ([[0.1, 0.2]], [[1.0, 2.0]]), ([0.1], [1.0])])
def test_train_live_refuses_data_that_do_not_fit(angles: list, y: list) -> None:
    with pytest.raises(ValueError, match=r"of one shape \(n,\)"):
        TrainLive(angles, y)


def test_train_live_refuses_half_of_the_data() -> None:
    with pytest.raises(ValueError, match="go together"):
        TrainLive([0.1, 0.2])


def test_a_widget_that_computes_nothing_says_so() -> None:
    content, _ = exchange(TrainLive(), {"type": "compute"})
    assert content["type"] == "error" and "computes nothing" in content["message"]


def table(activations: int = 1, depths: int = 2, orders: int = 2, seeds: int = 3, widths: int = 4) -> np.ndarray:
    return 1.0 + np.arange(activations * depths * orders * seeds * widths).reshape(
        activations, depths, orders, seeds, widths
    )


@pytest.mark.widget("orders-of-magnitude")
def test_orders_of_magnitude_carries_its_table() -> None:
    widget = OrdersOfMagnitude([8, 16, 32, 64], table(), activations=["tanh"], orders=(2, 3))
    assert np.array_equal(floats(widget), table().ravel())
    assert (widget.meta["widths"], widget.meta["seeds"]) == ([8, 16, 32, 64], 3)
    json.dumps(widget.meta)


def test_orders_of_magnitude_refuses_another_shape_or_sign() -> None:
    with pytest.raises(ValueError, match="table must have shape"):
        OrdersOfMagnitude([8, 16], table(), activations=["tanh"], orders=(2, 3))
    with pytest.raises(ValueError, match="positive finite sizes"):
        OrdersOfMagnitude([8, 16, 32, 64], -table(), activations=["tanh"], orders=(2, 3))


def test_orders_of_magnitude_reads_what_the_sweep_wrote(tmp_path: Path) -> None:
    axes = {"activations": ["tanh"], "depths": [1, 2], "orders": [2, 3], "widths": [8, 16, 32, 64], "seeds": 3}
    whole = table()
    sizes = {
        f"tanh {depth} {width}": whole[0, i, :, :, j].tolist()
        for i, depth in enumerate(axes["depths"])
        for j, width in enumerate(axes["widths"])
    }
    path = tmp_path / "orders.json"
    path.write_text(json.dumps(axes | {"sizes": sizes}))
    assert np.array_equal(floats(OrdersOfMagnitude.from_file(path)), whole.ravel())


def test_sizes_at_start_are_the_largest_entries() -> None:
    sizes = sizes_at_start(activation="softplus", depth=2, width=12, seeds=[5, 6], orders=(2, 3))
    net = ntkbook.mlp(width=12, depth=2, activation="softplus")
    params = net.init(jax.random.fold_in(jax.random.key(6), 12), 8)
    x = ntkbook.data.sphere_points(jax.random.key(0), 4, 8)
    for row, order in zip(sizes, (2, 3), strict=True):
        assert np.isclose(row[1], np.abs(ntkbook.empirical_kernel(net, params, x, order=order)).max(), rtol=1e-5)


def test_new_draws_come_from_python() -> None:
    widget = OrdersOfMagnitude([8, 16, 32, 64], table(), activations=["tanh"], orders=(2, 3))
    network = {"activation": "tanh", "depth": 1, "orders": [2]}
    content, array = exchange(
        widget, {"type": "compute", "id": "a", **network, "first_seed": 3, "count": 2, "up_to": 8}
    )
    assert content == {"type": "result", "id": "a", "meta": {"widths": [8]}}
    np.testing.assert_allclose(array, sizes_at_start(width=8, seeds=[3, 4], **network).ravel(), rtol=1e-6)


def test_a_request_that_fails_comes_back_as_a_message() -> None:
    widget = OrdersOfMagnitude([8, 16, 32, 64], table(), activations=["tanh"], orders=(2, 3))
    request = {"activation": "cubic", "depth": 1, "orders": [2], "first_seed": 3, "count": 2, "up_to": 16}
    content, array = exchange(widget, {"type": "compute", **request})
    assert content["type"] == "error" and "cubic" in content["message"] and array is None


def test_other_messages_are_left_alone() -> None:
    widget = TrainLive()
    widget.send = lambda *_: pytest.fail("answered a message that asked for nothing")
    widget._receive(widget, {"type": "hello"}, [])


@pytest.mark.widget("hierarchy-at-work")
def test_hierarchy_at_work_carries_its_runs_by_width() -> None:
    runs = {width: np.full((len(TIMES), LENGTH), float(width)) for width in (64, 16)}
    widget = HierarchyAtWork(runs)
    assert widget.meta["widths"] == [16, 64] and len(widget.meta["times"]) == len(TIMES)
    assert floats(widget).size == 2 * len(TIMES) * LENGTH and floats(widget)[0] == 16
    with pytest.raises(ValueError, match="a run must have shape"):
        HierarchyAtWork({16: np.zeros((3, 4))})


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


def motions(seeds: int = 3, times: int = len(MOTION_TIMES)) -> dict[int, np.ndarray]:
    return {width: np.full((seeds, 2, times, 6), float(width)) for width in (64, 16)}


@pytest.mark.widget("kernel-in-motion")
def test_kernel_in_motion_carries_the_limit_and_then_its_runs_by_width() -> None:
    widget = KernelInMotion(motions(), np.zeros((len(MOTION_TIMES), 6)))
    assert widget.meta["widths"] == [16, 64] and widget.meta["seeds"] == 3
    limit, first, second = np.split(floats(widget), np.cumsum([len(MOTION_TIMES) * 6, 3 * 2 * len(MOTION_TIMES) * 6]))
    assert set(limit) == {0} and set(first) == {16} and set(second) == {64}
    json.dumps(widget.meta)


@pytest.mark.parametrize("runs, times", [(motions(times=4), len(MOTION_TIMES)), (motions(), 4)])
def test_kernel_in_motion_refuses_another_shape(runs: dict, times: int) -> None:
    with pytest.raises(ValueError, match="every run must have the shape"):
        KernelInMotion(runs, np.zeros((times, 6)))


def test_other_networks_come_from_python(monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(*, width: int, seeds: range) -> np.ndarray:
        return np.full((len(seeds), 2, 2, len(MOTION_TIMES), 6), width + seeds[0] / 10)

    monkeypatch.setattr("ntkbook.widgets.motion.kernel_motion", made_up)
    widget = KernelInMotion(motions(), np.zeros((len(MOTION_TIMES), 6)))
    content, array = exchange(widget, {"type": "compute", "id": "a", "first_seed": 5})
    assert content == {"type": "result", "id": "a", "meta": {"first_seed": 5}}
    assert array.size == 2 * 3 * 2 * len(MOTION_TIMES) * 6 and set(array) == {np.float32(16.5), np.float32(64.5)}


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


def truncations(times: int = len(TRUNCATION_TIMES)) -> tuple[dict[str, dict[int, np.ndarray]], dict[str, np.ndarray]]:
    runs = {
        name: {m: np.full((1 + len(LEVELS), times, n + n * (n + 1) // 2), float(m)) for m in (64, 16)}
        for name, n in DATA_SETS.items()
    }
    return runs, {name: np.full((3, 2, len(LEVELS), len(TRUNCATION_TIMES), 2), 0.5) for name in DATA_SETS}


@pytest.mark.widget("truncation-explorer")
def test_truncation_explorer_carries_runs_by_width_and_then_errors() -> None:
    widget = TruncationExplorer(*truncations())
    assert widget.meta["widths"] == [16, 64] and widget.meta["seeds"] == 3
    run, errors = 5 * len(TRUNCATION_TIMES) * 9, 3 * 2 * 4 * len(TRUNCATION_TIMES) * 2
    parts = np.split(floats(widget), np.cumsum([run, run, errors]))
    assert [set(part) for part in parts[:3]] == [{16}, {64}, {0.5}]
    json.dumps(widget.meta)


def test_truncation_explorer_refuses_another_shape() -> None:
    with pytest.raises(ValueError, match="sphere: runs must have the shape"):
        TruncationExplorer(*truncations(times=4))


def test_another_truncated_network_comes_from_python(monkeypatch: pytest.MonkeyPatch) -> None:
    def made_up(*, data: str, width: int, seed: int) -> np.ndarray:
        return np.full((5, len(TRUNCATION_TIMES), 9), width + seed / 10)

    monkeypatch.setattr("ntkbook.widgets.truncation.truncation_run", made_up)
    widget = TruncationExplorer(*truncations())
    content, array = exchange(widget, {"type": "compute", "id": "a", "data": "sphere", "seed": 5})
    assert content == {"type": "result", "id": "a", "meta": {"data": "sphere", "seed": 5}}
    assert array.size == 2 * 5 * len(TRUNCATION_TIMES) * 9 and set(array) == {np.float32(16.5), np.float32(64.5)}


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
    errors = largest_errors(run, points=6)
    assert errors.shape == (2, len(times), 2) and errors[0, 3, 1] == np.abs(run[1, 3, 6:]).max()


@pytest.mark.widget("click-to-differentiate")
def test_click_to_differentiate_ships_the_derivation_of_terms() -> None:
    widget = ClickToDifferentiate(depths=[1, 2], widths=[6])
    assert [[len(table) for table in of_depth] for of_depth in widget.meta["tables"]] == [[2, 6, 28], [3, 22, 282]]
    for depth, of_depth in zip((1, 2), widget.meta["tables"], strict=True):
        for order in (3, 4):
            children = iter(of_depth[order - 2])
            for parent, old in enumerate(terms.kernel_terms(order - 1, depth)):
                for factor, place in enumerate(old.factors):
                    for new in terms.replace(old, place):
                        row = next(children)
                        pairs = "".join(widget.meta["pairs"][k] for k in row[4])
                        assert row[:2] == [parent, factor] and row[2].endswith(f"{-new.power}</sup>")
                        assert pairs.count("<button") == len(new.factors) and pairs.count("diag(") == sum(
                            vector.diag_count for pair in new.products for vector in pair
                        )
    assert len(json.dumps(widget.meta)) < 500_000


def test_click_to_differentiate_carries_terms_that_add_up_to_the_kernel() -> None:
    values = floats(ClickToDifferentiate(depths=[2], widths=[6], activation="softplus")).astype(float)
    assert len(values) == 3 + 22 + 282 + 3
    for block in np.split(values, [4, 27]):
        assert np.isclose(block[:-1].sum(), block[-1], rtol=1e-5, atol=1e-6 * np.abs(block).max())


CONVERGENCE_AXES: dict[str, Any] = {
    "activations": ["tanh"],
    "depths": [1, 2],
    "labels": ["hardest", "signs"],
    "points": [4, 8],
    "widths": [2, 8, 32],
}


def convergences(times: int = len(CONVERGENCE_TIMES)) -> np.ndarray:
    shape = (*(len(axis) for axis in CONVERGENCE_AXES.values()), 2, 2, times)
    return 1.0 + np.arange(np.prod(shape)).reshape(shape)


@pytest.mark.widget("linear-convergence")
def test_linear_convergence_carries_its_runs_and_eigenvalues() -> None:
    widget = LinearConvergence(convergences(), np.full((1, 2, 2), 0.5), **CONVERGENCE_AXES)
    assert np.array_equal(floats(widget), convergences().ravel().astype(np.float32))
    assert widget.meta["seeds"] == 2 and widget.meta["least"] == [[[0.5, 0.5], [0.5, 0.5]]]
    json.dumps(widget.meta)


@pytest.mark.parametrize("runs, least", [(convergences(4), (1, 2, 2)), (convergences(), (1, 2, 3))])
def test_linear_convergence_refuses_another_shape(runs: np.ndarray, least: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="runs must have the shape"):
        LinearConvergence(runs, np.ones(least), **CONVERGENCE_AXES)


def test_other_networks_of_one_setting_come_from_python() -> None:
    widget = LinearConvergence(convergences(), np.ones((1, 2, 2)), **CONVERGENCE_AXES)
    setting = {"width": 8, "depth": 1, "activation": "tanh", "labels": "signs"}
    content, array = exchange(widget, {"type": "compute", "id": "a", "points": 4, "first_seed": 7, **setting})
    assert content == {"type": "result", "id": "a", "meta": {}}
    np.testing.assert_allclose(array, linear_convergence(n=4, seeds=[7, 8], **setting).ravel(), rtol=1e-6)


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


@pytest.mark.widget("predict-new-point")
def test_predict_new_point_carries_the_limiting_kernel_of_its_task() -> None:
    widget = PredictNewPoint(initial={"width": 128})
    meta = widget.meta
    K = floats(widget).reshape(37, 6)
    rows = [int(np.argmin(np.abs(np.array(meta["grid"]) - angle))) for angle in meta["angles"]]
    assert np.allclose(np.array(meta["grid"])[rows], meta["angles"], atol=1e-12) and meta["initial"]["width"] == 128
    np.testing.assert_allclose(K[rows], K[rows].T, atol=1e-6)  # symmetric between training points
    with jax.enable_x64(True):
        x = np.array([[np.cos(t), np.sin(t)] for t in meta["angles"]])
        wide = ntkbook.mlp(width=200_000, w_std=meta["w_std"])
        seen = ntkbook.empirical_ntk(wide, wide.init(jax.random.key(0), 2), x)
    np.testing.assert_allclose(K[rows], seen, atol=0.05)
    assert all(target == round(target, 1) for target in meta["targets"])
    json.dumps(meta)


def test_predict_new_point_refuses_another_number_of_targets() -> None:
    with pytest.raises(ValueError, match="must be 6 numbers"):
        PredictNewPoint(initial={"targets": [1.0, 2.0]})


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
