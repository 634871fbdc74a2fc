"""What the repository may not hold, and what has to agree in it; each check sees a fault that is planted."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ntksite.records import ROOT
from release import repository, versions

CITATION = """authors: [{given-names: Ada, family-names: Lovelace}]
repository-code: https://github.com/ada/ntkbook
url: https://ada.github.io/ntkbook
"""
CHECKS = [
    repository.registries,
    repository.vendored,
    repository.repeated_addresses,
    repository.dead_links,
    versions.installed_beside_lock,
    versions.too_new,
    versions.pythons,
    versions.package,
]


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_wrong(check: Callable[[Path], list[str]]) -> None:
    assert check(ROOT) == []


def test_cover_is_a_picture_of_moderate_size_with_a_text() -> None:
    content = (ROOT / "book" / "cover.png").read_bytes()
    assert content.startswith(b"\x89PNG") and 20_000 < len(content) < 300_000
    assert re.search(r"!\[[^\]]{40,}\]\(book/cover\.png\)", (ROOT / "README.md").read_text())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files at the top and those of others, as a repository."""
    names = "README.md CONTRIBUTING.md CHANGELOG.md Makefile pyproject.toml requirements.lock runtime.txt"
    for name in names.split():
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "CITATION.cff").write_text(CITATION)
    vendor = tmp_path / "_vendor" / "vendor"
    vendor.mkdir(parents=True)
    (vendor / "a.js").write_text("1")
    (vendor / "SHA256SUMS").write_text("6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b  ./a.js\n")
    subprocess.run("git init -q && git add -A", shell=True, cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("check", "name", "text", "wrong"),
    [
        (repository.registries, "Makefile", repository.REGISTRIES[0], "Makefile names"),
        (repository.vendored, "_vendor/vendor/a.js", "2", "./a.js has changed"),
        (repository.vendored, "_vendor/vendor/b.js", "1", "./b.js is there alone"),
        (repository.repeated_addresses, "README.md", "see https://github.com/ada/ntkbook", "README.md repeats"),
        (repository.dead_links, "README.md", "![a picture](book/absent.png)", "README.md: book/absent.png"),
        (repository.dead_links, "CONTRIBUTING.md", "[`a file`](absent.md#part)", "CONTRIBUTING.md: absent.md"),
        (versions.installed_beside_lock, "requirements.lock", "jax==0.1", "the lock has 0.1"),
        (versions.pythons, "runtime.txt", "python-3.10", "runtime.txt does not say 'python-3.11'"),
        (versions.package, "CHANGELOG.md", "## 9.9.9", "CHANGELOG.md does not begin with"),
    ],
)
def test_a_planted_fault_is_seen(
    copy: Path, check: Callable[[Path], list[str]], name: str, text: str, wrong: str
) -> None:
    (copy / name).write_text(text)
    assert any(wrong in line for line in check(copy)), check(copy)


def test_a_package_that_wants_a_later_python_is_seen() -> None:
    assert versions.demanding({"a": ">=3.11", "b": ">=3.11.5"}, "3.11.0") == [
        "b wants Python >=3.11.5, we promise 3.11.0"
    ]


def test_lock_pins_versions_and_nothing_else(copy: Path) -> None:
    (copy / "requirements.lock").write_text("jax>=0.10\n")
    with pytest.raises(ValueError, match="NAME==VERSION alone, got 'jax>=0.10'"):
        versions.lock(copy)
