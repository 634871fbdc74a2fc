"""The execution cache: when a chapter is executed again."""

from __future__ import annotations

from pathlib import Path

import pytest
from ntksite.execution import execution_key


@pytest.mark.parametrize(
    "name", ["src/ntkbook/kernels.py", "src/ntkbook/widgets/js/new.js", "book/results/new.json", "requirements.lock"]
)
def test_cache_key_knows_package_lock_and_results(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "requirements.lock").write_text("")
    keys = []
    for text in ("a", "b", "a"):
        file.write_text(text)
        keys.append(execution_key(tmp_path))
    assert keys[0] == keys[2] != keys[1]
