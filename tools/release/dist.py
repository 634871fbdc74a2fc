"""`make dist`: the package as wheel and source in dist/, proved to be whole and to work in a new environment."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from ntksite.records import ROOT

from release.repository import tracked

FOLDERS = {"src/ntkbook": "ntkbook", "book/results": "ntkbook/_results"}
USE = "import ntkbook; from ntkbook import experiments; experiments.load('orders'); print(ntkbook.__version__)"


def build(root: Path, folder: Path) -> Path:
    """Build source and, from it, the wheel into an emptied folder; the wheel's path."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, root], check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


def missing(wheel: Path, root: Path) -> list[str]:
    """The package's files and stored results that the wheel lacks."""
    names = [path.relative_to(root).as_posix() for path in tracked(root)]
    wanted = {
        f"{there}{name.removeprefix(here)}"
        for name in names
        for here, there in FOLDERS.items()
        if name.startswith(f"{here}/")
    }
    with ZipFile(wheel) as archive:
        return sorted(wanted - set(archive.namelist()))


def use(wheel: Path, root: Path) -> None:
    """Install the wheel alone into a new environment and read a stored result there."""
    with tempfile.TemporaryDirectory() as folder:
        python, lock = Path(folder) / "bin" / "python", root / "requirements.lock"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-c", lock, wheel.resolve()], check=True)
        subprocess.run([python, "-I", "-c", USE], check=True, cwd=folder, stdout=subprocess.DEVNULL)


def main() -> None:
    wheel = build(ROOT, ROOT / "dist")
    if lacking := missing(wheel, ROOT):
        sys.exit("\n".join([f"{wheel.name} lacks:", *lacking]))
    use(wheel, ROOT)
    print(f"dist: {', '.join(sorted(path.name for path in wheel.parent.iterdir()))}")


if __name__ == "__main__":
    main()
