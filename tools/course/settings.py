"""What a teacher sets in course/course.yaml; a bad value is told in one line.

The line names the key, says what was found there and what is allowed.
"""

import datetime
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

FILE = Path("course") / "course.yaml"


class BadSetting(ValueError):
    """A setting that cannot be used, in one line."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Module(Strict):
    """A module that is taught: its problems, all where none is named, and points other than those of the sources."""

    module: str
    release: datetime.date
    due: datetime.date | None = None
    problems: Annotated[list[str], Field(min_length=1)] | None = None
    points: dict[str, PositiveInt] = Field(default_factory=dict)


class Settings(Strict):
    title: str = Field(min_length=1)
    teacher: str = Field(min_length=1)
    term: str = Field(min_length=1)
    seed: int = Field(ge=0, lt=2**32)
    modules: list[Module] = Field(min_length=1)

    @property
    def with_problems(self) -> list[Module]:
        return [module for module in self.modules if module.due]


def read_settings(root: Path) -> Settings:
    """The settings, which agree with the modules and problems that are there."""
    try:
        settings = Settings.model_validate(yaml.safe_load((root / FILE).read_text("utf-8")))
    except ValidationError as error:
        raise BadSetting(f"{FILE}: {said(error)}") from error
    except (yaml.YAMLError, ValueError) as error:  # a day that no month has is a ValueError
        raise BadSetting(f"{FILE} is no YAML: {' '.join(str(error).split())}") from error
    for number, module in enumerate(settings.modules):
        check_module(root, f"modules.{number}", module)
    return settings


def said(error: ValidationError) -> str:
    """What is wrong, in one line: a key that does not exist first, which is often one that is misspelt."""
    found = error.errors()
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    key = ".".join(str(part) for part in first["loc"]) or "the file"
    match first["type"]:
        case "extra_forbidden":
            return f"{key}: there is no such key"
        case "missing":
            return f"{key}: it is missing"
        case kind if kind.startswith("date"):
            return f"{key}: got {first['input']!r}; a day is written YYYY-MM-DD"
        case _:
            return f"{key}: got {first['input']!r}; {first['msg']}"


def check_module(root: Path, key: str, module: Module) -> None:
    modules = root / "course" / "modules"
    known = sorted(folder.name for folder in modules.iterdir())
    if module.module not in known:
        raise BadSetting(f"{FILE}: {key}.module: got {module.module!r}; allowed are {', '.join(known)}")
    names = sorted(path.stem for path in (modules / module.module / "problems").glob("*.md"))
    if bool(names) != bool(module.due):
        raise BadSetting(f"{FILE}: {key}.due: a module has it where it has problems; {module.module} has {len(names)}")
    if module.due and module.due <= module.release:
        raise BadSetting(f"{FILE}: {key}.due: got {module.due}; it must be later than release, {module.release}")
    for field, chosen in (("problems", module.problems or []), ("points", module.points)):
        for name in chosen:
            if name not in names:
                raise BadSetting(f"{FILE}: {key}.{field}: got {name!r}; allowed are {', '.join(names)}")
