"""Grade the code of a folder of notebooks: python grade.py SUBMISSIONS. Writes grades.csv there.

It lies beside autograder.zip and set.json. The table has a line for each notebook, also of folders inside, and empty
columns for what is marked by hand. Each notebook runs in a process group of its own and is stopped when it takes too
long, since one that loops for ever never ends by itself. A student's code runs with your rights: use an account, or a
container, that has nothing to lose.
"""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIMIT = 120  # seconds
OFF = "64-bit numbers are off: run again with ntkbook.enable_float64()"


def run(autograder: Path, notebook: Path, out: Path, limit: float) -> str:
    """Let otter-grader run one notebook; what a marker has to know, "" where all went well."""
    command: list[str | Path] = [sys.executable, "-m", "otter", "run", "--no-logo"]
    command += ["-a", autograder, "-o", out, notebook]
    # JAX would take its precision from here, and a notebook that leaves it at 32 bits would go unseen.
    environment = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_X64"}
    with subprocess.Popen(
        command, start_new_session=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"stopped after {limit:.0f} s"
    return "" if process.returncode == 0 else f"does not run: {said.strip().splitlines()[-1]}"


def grade(autograder: Path, notebook: Path, limit: float = LIMIT) -> dict[str, str | float]:
    """The points of each question in code, their sum, and a remark."""
    with tempfile.TemporaryDirectory() as folder:
        remark = run(autograder, notebook, Path(folder), limit)
        results = Path(folder) / "results.json"
        tests = json.loads(results.read_text())["tests"] if results.exists() else []
    scores = {test["name"]: float(test["score"]) for test in tests if "score" in test}
    if any("64-bit numbers are off" in test.get("output", "") for test in tests):
        remark = OFF
    return {**scores, "code": sum(scores.values()), "remark": remark}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("submissions", type=Path, help="a folder of notebooks")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for each of them")
    arguments = parser.parse_args()
    notebooks = [
        path for path in sorted(arguments.submissions.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts
    ]
    if not notebooks:
        parser.error(f"{arguments.submissions} holds no notebook")
    whole = json.loads((HERE / "set.json").read_text())
    in_code = {name: points for name, points in whole["points"].items() if name not in whole["by hand"]}
    nothing = dict.fromkeys(in_code, 0.0)
    rows = [{"notebook": "out of", **whole["points"], "code": sum(in_code.values())}]
    for notebook in notebooks:
        row = {"notebook": str(notebook.relative_to(arguments.submissions)), **nothing}
        rows.append(row | grade(HERE / "autograder.zip", notebook, arguments.limit))
        print(*(f"{key}: {value}" for key, value in rows[-1].items() if value != ""), sep="  ", flush=True)
    with (arguments.submissions / "grades.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["notebook", *whole["points"], "code", "remark"])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
