"""The versions that have to agree. Each check returns what is wrong, a line each."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

TOOLS_OF_THE_ENVIRONMENT = {"pip", "setuptools", "wheel"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def lock(root: Path) -> dict[str, str]:
    """Version by name; raises ValueError where a line is anything but NAME==VERSION."""
    pins = {}
    for line in (root / "requirements.lock").read_text().splitlines():
        pin = re.fullmatch(r"([A-Za-z0-9_.-]+)==([A-Za-z0-9_.!+]+)", line)
        if not pin:
            raise ValueError(f"requirements.lock must hold lines NAME==VERSION alone, got {line!r}")
        pins[canonical(pin[1])] = pin[2]
    return pins


def installed_beside_lock(root: Path) -> list[str]:
    """What is installed is what the lock pins: nothing else, no other version."""
    installed = {canonical(found.name): found.version for found in metadata.distributions()}
    ours = TOOLS_OF_THE_ENVIRONMENT | {project(root)["name"]}
    return unpinned({name: version for name, version in installed.items() if name not in ours}, lock(root))


def unpinned(installed: dict[str, str], pins: dict[str, str]) -> list[str]:
    return [
        f"{name} {version} is installed, the lock has {pins.get(name, 'none')}"
        for name, version in sorted(installed.items())
        if pins.get(name) != version
    ]


def too_new(root: Path) -> list[str]:
    """What the lock pins runs on every release of the lowest Python: Debian's is 3.11.2."""
    lowest = re.findall(r"3\.\d+", project(root)["requires-python"])[0]
    everywhere = metadata.distributions()
    wanted = {
        found.name: found.metadata["Requires-Python"] for found in everywhere if "Requires-Python" in found.metadata
    }
    return demanding(wanted, f"{lowest}.0")


def demanding(wanted: dict[str, str], python: str) -> list[str]:
    return [
        f"{name} wants Python {pythons}, we promise {python}"
        for name, pythons in sorted(wanted.items())
        if not SpecifierSet(pythons).contains(python)
    ]


def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def pythons(root: Path) -> list[str]:
    """Metadata, Makefile, README and Binder speak of the same Pythons."""
    lowest, beyond = (int(minor) for minor in re.findall(r"3\.(\d+)", project(root)["requires-python"]))
    minors = [f"3.{minor}" for minor in range(lowest, beyond)]
    named = f"{', '.join(minors[:-1])} or {minors[-1]}"
    wanted = {
        "Makefile": f"(3, {lowest}) <= sys.version_info[:2] < (3, {beyond})",
        "README.md": f"Python {named}",
        "runtime.txt": f"python-3.{lowest}",
    }
    return [f"{name} does not say {text!r}" for name, text in wanted.items() if text not in (root / name).read_text()]


def package(root: Path) -> list[str]:
    """The changelog begins with the version of the package."""
    version = project(root)["version"]
    newest = re.search(r"^## (\S+)", (root / "CHANGELOG.md").read_text(), flags=re.M)
    return [] if newest and newest[1] == version else [f"CHANGELOG.md does not begin with {version}"]
