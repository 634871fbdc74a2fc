"""An explicit Runge-Kutta method with steps of adaptive length, small enough that compiling it takes little time.

The field and what is observed are compiled once each; the steps end exactly on the times that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree

from ntkbook import _checks, _progress
from ntkbook.dynamics.trajectory import DIVERGED, NON_FINITE, STEP_LIMIT, SUCCESSFUL, Result

__all__ = ["MAX_STEPS", "integrate", "solver_options"]

MAX_STEPS = 16**4
_BLOW_UP = 1e8  # growth of the state, relative to its start or to 1, past which a solution counts as diverged

# The pair of orders 8 and 7 of P. J. Prince and J. R. Dormand, High order embedded Runge-Kutta formulae (1981): the
# weights of the earlier slopes in each stage, then those of all slopes in the two results.
_STAGES = (
    (),
    (1 / 18,),
    (1 / 48, 1 / 16),
    (1 / 32, 0, 3 / 32),
    (5 / 16, 0, -75 / 64, 75 / 64),
    (3 / 80, 0, 0, 3 / 16, 3 / 20),
    (29443841 / 614563906, 0, 0, 77736538 / 692538347, -28693883 / 1125000000, 23124283 / 1800000000),
    (16016141 / 946692911, 0, 0, 61564180 / 158732637, 22789713 / 633445777, 545815736 / 2771057229,
     -180193667 / 1043307555),
    (39632708 / 573591083, 0, 0, -433636366 / 683701615, -421739975 / 2616292301, 100302831 / 723423059,
     790204164 / 839813087, 800635310 / 3783071287),
    (246121993 / 1340847787, 0, 0, -37695042795 / 15268766246, -309121744 / 1061227803, -12992083 / 490766935,
     6005943493 / 2108947869, 393006217 / 1396673457, 123872331 / 1001029789),
    (-1028468189 / 846180014, 0, 0, 8478235783 / 508512852, 1311729495 / 1432422823, -10304129995 / 1701304382,
     -48777925059 / 3047939560, 15336726248 / 1032824649, -45442868181 / 3398467696, 3065993473 / 597172653),
    (185892177 / 718116043, 0, 0, -3185094517 / 667107341, -477755414 / 1098053517, -703635378 / 230739211,
     5731566787 / 1027545527, 5232866602 / 850066563, -4093664535 / 808688257, 3962137247 / 1805957418,
     65686358 / 487910083),
    (403863854 / 491063109, 0, 0, -5068492393 / 434740067, -411421997 / 543043805, 652783627 / 914296604,
     11173962825 / 925320556, -13158990841 / 6184727034, 3936647629 / 1978049680, -160528059 / 685178525,
     248638103 / 1413531060, 0),
)  # fmt: skip
_ORDER_8 = (14005451 / 335480064, 0, 0, 0, 0, -59238493 / 1068277825, 181606767 / 758867731, 561292985 / 797845732,
            -1041891430 / 1371343529, 760417239 / 1151165299, 118820643 / 751138087, -528747749 / 2220607170,
            1 / 4)  # fmt: skip
_ORDER_7 = (13451932 / 455176623, 0, 0, 0, 0, -808719846 / 976000145, 1757004468 / 5645159321, 656045339 / 265891186,
            -3867574721 / 1518517206, 465885868 / 322736535, 53011238 / 667516719, 2 / 45, 0)  # fmt: skip
_A = np.array([row + (0,) * (len(_STAGES) - len(row)) for row in _STAGES])
_B = np.array([_ORDER_8, np.subtract(_ORDER_8, _ORDER_7)])  # the result, and the estimate of its error


class _State(NamedTuple):
    """Where the integration is, and the length of the next step."""

    time: Array
    step: Array
    y: Array
    tried: Array  # steps; -1 before the first
    code: Array


def solver_options(
    dtype: Any, times: Array, rtol: float | None, atol: float | None, max_steps: int, progress: bool
) -> dict[str, Any]:
    """The checked arguments that the integrated flows share."""
    default = 1e-10 if dtype == jnp.float64 else 1e-5
    return {
        "times": _checks.increasing_times(times).astype(dtype),
        "rtol": jnp.asarray(default if rtol is None else _checks.positive(rtol, "rtol"), dtype),
        "atol": jnp.asarray(default if atol is None else _checks.positive(atol, "atol"), dtype),
        "max_steps": _checks.integer(max_steps, "max_steps", at_least=1),
        "progress": progress,
    }


def integrate(
    field: Callable[[Any], Any],
    start: Any,
    observe: Callable[[Any], Any],
    *,
    times: Array,
    rtol: Array,
    atol: Array,
    max_steps: int,
    progress: bool,
    flops: float,
) -> tuple[Any, Result]:
    """Integrate an autonomous field from time 0 and observe the state at `times`; rows that are not reached hold NaN.

    `flops` is about what the field costs. The result has a derivative in reverse mode: the steps are then taken again.
    """
    from equinox.internal import while_loop  # the one place that needs it: a loop with a derivative

    y, unravel = ravel_pytree(start)
    dtype = times.dtype
    limit = _BLOW_UP * jnp.maximum(1, jnp.abs(y).max(initial=0))
    interval = _progress.interval(len(_STAGES) * flops)

    def combine(weights: Array, slopes: Array) -> Array:
        return jnp.tensordot(weights, slopes, axes=1, precision="highest")

    def norm(change: Array, *states: Array) -> Array:
        """The Euclidean norm in units of the tolerance at these states."""
        return jnp.linalg.norm(change / (atol + rtol * jnp.abs(jnp.stack(states)).max(axis=0)))

    def slopes_of(y: Array, h: Array) -> Array:
        def stage(slopes: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
            k, weights = row
            slope, _ = ravel_pytree(field(unravel(y + h * combine(weights, slopes))))
            return slopes.at[k].set(slope), None

        rows = jnp.arange(len(_STAGES)), jnp.asarray(_A, dtype)
        return jax.lax.scan(stage, jnp.zeros((len(_STAGES), y.size), y.dtype), rows)[0]

    def advance(end: Array, s: _State) -> _State:
        """Try one step. The very first has length 0: it only learns the slope, from which a length can be chosen."""
        if progress:
            share = s.time / times[-1]
            jax.lax.cond(s.tried % interval == 0, lambda: _progress.report(share), lambda: None)
        landing = s.step >= end - s.time
        h = jnp.where(landing, end - s.time, s.step)
        slopes = slopes_of(s.y, h)
        moved, error = h * combine(jnp.asarray(_B, dtype), slopes)
        y = s.y + moved
        first, speed = s.tried < 0, norm(slopes[0], s.y)
        size = norm(s.y, s.y)
        try_first = jnp.minimum(jnp.where(size > 0, size / speed, jnp.inf), (0.01 / speed) ** (1 / 8))
        error = norm(error, s.y, y)
        error = jnp.where(jnp.isnan(error), jnp.inf, error)
        good = (error < 1) & ~first
        h_next = h * jnp.clip(0.9 * error ** (-1 / 8), jnp.where(good, 1, 0.2), jnp.where(good, 10, 0.9))
        h_next = jnp.where(good, jnp.maximum(s.step, h_next), h_next)  # a step cut short by `end` says little
        y = jnp.where(good, y, s.y)
        time = jnp.where(good, jnp.where(landing, end, s.time + h), s.time)
        tried = s.tried + 1
        code = jnp.select(
            [
                first & ~jnp.isfinite(slopes[0]).all(),
                jnp.abs(y).max(initial=0) > limit,
                (tried >= max_steps) & (time < times[-1]),
            ],
            [NON_FINITE, DIVERGED, STEP_LIMIT],
            SUCCESSFUL,
        )
        # What the lengths of steps do to the solution is an error, and no part of its derivative.
        return _State(time, jax.lax.stop_gradient(jnp.where(first, try_first, h_next)), y, tried, code)

    def until(s: _State, end: Array) -> tuple[_State, Any]:
        s = while_loop(
            lambda s: (s.time < end) & (s.code == SUCCESSFUL),
            lambda s: advance(end, s),
            s,
            kind="checkpointed",
            max_steps=max_steps + 1,
        )
        return s, jax.tree.map(lambda leaf: jnp.where(s.time >= end, leaf, jnp.nan), observe(unravel(s.y)))

    zero = jnp.zeros((), dtype)
    begin = _State(zero, zero, y, jnp.asarray(-1), jnp.asarray(SUCCESSFUL))
    last, observed = jax.lax.scan(until, begin, times)
    finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(observed)]).all()
    code = jnp.where((last.code == SUCCESSFUL) & ~finite, NON_FINITE, last.code)
    return observed, Result(code, last.time)
