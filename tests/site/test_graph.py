"""What rests on what: the relation and its picture."""

from __future__ import annotations

from bs4 import BeautifulSoup
from ntksite.graph import check, picture, result


def made_results() -> dict[str, result]:
    """d rests on b and c, these on a; d names a too."""
    rests = {"a": [], "b": ["a"], "c": ["a"], "d": ["a", "b", "c"]}
    places = {"a": (1, 1), "b": (2, 1), "c": (2, 2), "d": (3, 1)}
    return {
        name: result(name=name, rests=rests[name], place=places[name], kind="step", short=name.upper(), title="t")
        for name in rests
    }


def test_picture_draws_each_arrow_once_and_none_that_follows() -> None:
    drawn = BeautifulSoup(picture(made_results()), "html.parser")
    assert [link["href"] for link in drawn.select("svg a")] == [f"#result-{name}" for name in "abcd"]
    assert [path["data-serves"] for path in drawn.select("svg > path")] == ["b d", "c d", "d", "d"]
    assert drawn.select_one("[data-name=a]")["data-serves"] == "a b c d"


def test_relation_must_go_down() -> None:
    results = made_results()
    assert check(results) == []
    results["a"]["rests"] = ["d", "e"]
    assert check(results) == [
        "'a' must stand below 'd', on which it rests",
        "'a' rests on 'e', which is no result of the page",
    ]
