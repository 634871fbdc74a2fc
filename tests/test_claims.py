"""Claims: what holds, what does not, and the record a notebook keeps."""

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from ntkbook.claims import Claim, ClaimError, claim, quote


def check(kind, measured, **numbers):
    claim("name", "(2.3)", "a statement", kind=kind, measured=measured, **numbers)


@pytest.mark.parametrize(
    ("kind", "measured", "numbers"),
    [
        ("exponent", -1.04, {"predicted": -1.0, "tolerance": 0.05}),
        ("value", np.float64(2.0), {"predicted": 2.0, "tolerance": 1e-12}),
        ("identity", -1e-13, {"tolerance": 1e-12}),
        ("bound", 0.5, {"predicted": 0.5}),
        ("bound", -7.0, {"predicted": 0.5}),
        ("at least", 0.5, {"predicted": 0.5}),
        ("at least", 7.0, {"predicted": 0.5}),
    ],
)
def test_claims_that_hold(kind, measured, numbers, capsys):
    check(kind, measured, **numbers)
    assert capsys.readouterr().out.startswith("✓ (2.3) a statement: measured ")


@pytest.mark.parametrize(
    ("kind", "measured", "numbers"),
    [
        ("exponent", -1.06, {"predicted": -1.0, "tolerance": 0.05}),
        ("value", 2.1, {"predicted": 2.0, "tolerance": 0.05}),
        ("identity", -2e-12, {"tolerance": 1e-12}),
        ("identity", np.nan, {"tolerance": 1.0}),
        ("bound", 0.51, {"predicted": 0.5}),
        ("bound", -np.inf, {"predicted": 0.5}),
        ("at least", 0.49, {"predicted": 0.5}),
        ("at least", np.inf, {"predicted": 0.5}),
    ],
)
def test_claims_that_do_not(kind, measured, numbers, capsys):
    with pytest.raises(ClaimError, match="claim 'name' does not hold, .* fails: a statement, measured"):
        check(kind, measured, **numbers)
    assert capsys.readouterr().out == ""


def test_an_identity_ignores_what_is_predicted():
    assert not Claim("a", "", "", "identity", measured=5.0, predicted=5.0, tolerance=1.0).holds


@pytest.mark.parametrize(
    ("match", "arguments"),
    [
        ("kind must be one of exponent, value, identity, bound, at least, got 'law'", {"kind": "law"}),
        ("a claim of kind 'value' wants a positive tolerance", {"kind": "value"}),
        ("a claim of kind 'bound' wants no tolerance", {"kind": "bound", "tolerance": 1.0}),
        ("a claim of kind 'at least' wants no tolerance", {"kind": "at least", "tolerance": 1.0}),
    ],
)
def test_bad_claims(match, arguments):
    with pytest.raises(ValueError, match=match):
        check(measured=0.0, **arguments)


def test_only_numbers_are_quoted():
    with pytest.raises(ValueError, match="a quoted number must be finite, got nan for 'width'"):
        quote("width", np.nan)


@pytest.fixture
def notebook():
    """As if inside of a notebook: displayed outputs are captured."""
    InteractiveShell.instance()
    with capture_output() as captured:
        yield captured
    InteractiveShell.clear_instance()


def test_a_notebook_keeps_the_record_and_shows_what_any_front_end_knows(notebook):
    claim("slope", "(2.3)", "a < b & c", kind="exponent", measured=-1.0, predicted=-1.0, tolerance=0.1)
    quote("width", 512)
    shown, quoted = notebook.outputs
    record = shown.metadata["ntkbook"]
    assert record == {
        "type": "claim", "id": "slope", "equation": "(2.3)", "statement": "a < b & c", "kind": "exponent",
        "measured": -1.0, "predicted": -1.0, "tolerance": 0.1,
    }  # fmt: skip
    assert "a &lt; b &amp; c" in shown.data["text/html"] and shown.data["text/plain"].startswith("✓")
    assert quoted.metadata == {"ntkbook": {"type": "quote", "id": "width", "value": 512.0}}
    assert quoted.data == {"text/plain": "width = 512"}
