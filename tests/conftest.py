"""The precision and the strictness under which the package is tested.

NTKBOOK_TEST_DTYPE=float64 (default) or float32 runs the same tests in that precision; tolerances follow it. Without
that variable JAX_ENABLE_X64=0 means float32 too.
"""

import gc
import os
from pathlib import Path

import pytest

# A small program compiles in less time as one piece. The flag counts where it stands before JAX starts.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_parallel_codegen_split_count=1"

import jax
import jax.numpy as jnp

import ntkbook

COMPILED = Path(__file__).resolve().parent.parent / "_build" / "compiled"
DTYPE = os.environ.get("NTKBOOK_TEST_DTYPE") or (
    "float32" if os.environ.get("JAX_ENABLE_X64", "").lower() in ("0", "false") else "float64"
)
if DTYPE not in ("float64", "float32"):
    raise pytest.UsageError(f"NTKBOOK_TEST_DTYPE must be float64 or float32, got {DTYPE!r}.")


# Most of the time of small tests goes into tracing and compiling.
gc.set_threshold(100_000, 20, 20)


def pytest_configure(config):
    jax.config.update("jax_enable_x64", DTYPE == "float64")
    jax.config.update("jax_disable_most_optimizations", True)  # quick compilation, which dominates: doc tests too
    # What is compiled once serves the other processes and later runs; its key holds the code, the flags, the versions.
    jax.config.update("jax_compilation_cache_dir", str(COMPILED))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@pytest.fixture(autouse=True)
def compilation(request):
    """Slow tests compute more than they compile, those of the strict modules aside."""
    well = "slow" in request.keywords and "strict" not in request.fixturenames
    jax.config.update("jax_disable_most_optimizations", not well)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(scope="session", autouse=True)
def precision():
    """The chosen precision once more: doc tests, which run first, call enable_float64."""
    jax.config.update("jax_enable_x64", DTYPE == "float64")


@pytest.fixture(scope="module")
def strict():
    """No implicit broadcast over ranks, no implicit promotion of dtypes."""
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture(scope="module")
def small(strict):
    """One small problem that many tests share, so that its flows are compiled once."""
    return SmallProblem()


class SmallProblem:
    """Two hidden layers, three points, two test points: nothing about it is symmetric."""

    def __init__(self):
        self.net = ntkbook.mlp(width=5, depth=2)
        self.params = self.net.init(jax.random.key(0), 3)
        self.x = ntkbook.data.sphere_points(jax.random.key(1), 3, 3)
        self.x_test = ntkbook.data.sphere_points(jax.random.key(2), 2, 3)
        self.y = jnp.array([1.0, -1.0, 0.5])
        self.times = jnp.array([0.0, 0.5, 1.0, 2.0])
        self._hierarchy = None

    @property
    def hierarchy(self):
        if self._hierarchy is None:
            self._hierarchy = ntkbook.kernel_hierarchy(self.net, self.params, self.x, max_order=4, x_test=self.x_test)
        return self._hierarchy


@pytest.fixture
def figures():
    """Figures are drawn without a screen and closed again, and matplotlib is left as it was."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    with plt.rc_context():
        yield
    plt.close("all")


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    """A reader's copy of the repository, with an environment of its own: made once, it takes a minute."""
    from reader import Reader

    return Reader(tmp_path_factory.mktemp("reader"))
