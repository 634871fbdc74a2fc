"""What students and graders install: the package as a wheel, and the list that asks for it."""

import subprocess
import sys
from pathlib import Path

from release.versions import lock

NEEDED = {"student": ("jupyterlab", "otter-grader"), "grader": ("otter-grader",)}


def build(root: Path, out: Path) -> None:
    """Write the wheel and a requirements.txt to student/ and grader/."""
    versions = lock(root)
    for whom, names in NEEDED.items():
        folder = out / whom
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--wheel-dir", folder, root], check=True)
        (wheel,) = folder.glob("ntkbook-*.whl")
        lines = [f"./{wheel.name}[book]", *(f"{name}=={versions[name]}" for name in names)]
        (folder / "requirements.txt").write_text("\n".join(lines) + "\n")
