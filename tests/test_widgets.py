"""The widgets' Python side: their data, their errors, their answers. The page's side is tested in tests/browser."""

from __future__ import annotations

import html
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
from ntkbook.experiments import linear_convergence, sizes_at_start
from ntkbook.experiments.corollary_2_4 import TIMES as MOTION_TIMES
from ntkbook.experiments.corollary_2_5 import TIMES as CONVERGENCE_TIMES
from ntkbook.experiments.theorem_2_3 import LENGTH, TIMES
from ntkbook.experiments.theorem_2_6 import DATA_SETS, LEVELS
from ntkbook.experiments.theorem_2_6 import TIMES as TRUNCATION_TIMES
from ntkbook.widgets import (
    ClickToDifferentiate,
    HierarchyAtWork,
    KernelInMotion,
    LinearConvergence,
    OrdersOfMagnitude,
    PredictNewPoint,
    TrainLive,
    TruncationExplorer,
)
from ntkbook.widgets._base import BookWidget


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


@pytest.mark.parametrize("name", sorted(BookWidget.registry))
def test_what_cannot_show_a_widget_shows_its_name_and_question(name: str) -> None:
    data, _ = SAMPLES[name].make()._repr_mimebundle_()
    title, _, question = data["text/plain"].partition(": ")
    assert title.lower().replace(" ", "-") == name and question.endswith("?")
    assert f'question: "{question}"' in str(BookWidget.registry[name]._esm)
    assert html.unescape(data["text/html"]) == f"<p><strong>{title}</strong>: {question}</p>"
    assert "application/vnd.jupyter.widget-view+json" in data


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


def test_orders_of_magnitude_takes_a_result() -> None:
    axes = {"activations": ["tanh"], "depths": [1, 2], "orders": [2, 3], "widths": [8, 16, 32, 64], "seeds": 3}
    whole = table()
    sizes = {
        f"tanh {depth} {width}": whole[0, i, :, :, j].tolist()
        for i, depth in enumerate(axes["depths"])
        for j, width in enumerate(axes["widths"])
    }
    assert np.array_equal(floats(OrdersOfMagnitude.from_result(axes | {"sizes": sizes})), whole.ravel())


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


@pytest.mark.slow
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
