"""Make the course pack: `make course`, or PYTHONPATH=tools python -m course."""

import shutil
import sys
import tempfile
from pathlib import Path

from ntksite.records import ROOT

from course import capstones, handouts, packages, quizzes, sets, slides
from course.settings import BadSetting

OUT = ROOT / "_build" / "course"
BUILDS = (
    capstones.build,
    quizzes.build,
    slides.build,
    handouts.build,
    packages.build,
    sets.build,
)  # the quick ones first


def main() -> None:
    with tempfile.TemporaryDirectory() as name:  # what was made before stays until all is there
        made = Path(name) / "course"
        try:
            for build in BUILDS:
                build(ROOT, made)
        except (BadSetting, quizzes.BadQuestion) as error:
            sys.exit(str(error))
        shutil.rmtree(OUT, ignore_errors=True)
        shutil.move(made, OUT)
    for folder in sorted(path for path in OUT.iterdir() if path.is_dir()):
        shutil.make_archive(str(folder), "zip", OUT, folder.name)
        print(f"{folder.relative_to(ROOT)}: {sum(path.is_file() for path in folder.rglob('*'))} files, and as one zip")


if __name__ == "__main__":
    main()
