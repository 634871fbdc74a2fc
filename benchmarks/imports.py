"""What it costs to import the package."""

import statistics
import subprocess
import sys
import time

from benchmarks.measure import Row


def import_rows() -> list[Row]:
    """What `import ntkbook` adds to `import jax`, in fresh processes."""

    def run(statement: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - start

    pairs = [(run("import jax, jax.numpy"), run("import jax, jax.numpy, ntkbook")) for _ in range(5)]
    added = statistics.median(both - alone for alone, both in pairs)
    return [Row("import ntkbook, added to importing jax", added, "s", "at most 0.8")]
