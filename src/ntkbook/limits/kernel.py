r"""The kernels of infinitely wide networks: the deterministic limits of Theorem 2.3."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array

from ntkbook import _checks
from ntkbook.limits.calculus import highest_order, limiting_kernel
from ntkbook.limits.ntk import limiting_ntk
from ntkbook.networks import MLP

__all__ = ["limit_kernel"]


def limit_kernel(net: MLP, x: Array, order: int = 2, x_test: Array | None = None, *, progress: bool = True) -> Array:
    r"""The limit :math:`\mathcal K^{(k)} = \lim_{m \to \infty} m^{k/2-1} K_0^{(k)}` of Theorem 2.3, (2.3).

    Order 2 is the limiting neural tangent kernel of (1.8). With :math:`\Sigma^{(0)}(x, x') = \langle x, x' \rangle` and
    (u, v) a centred Gaussian with the covariance :math:`\sigma_w^2 \Sigma^{(\ell-1)}` at the two points,

    .. math:: \Sigma^{(\ell)} = E[\sigma(u) \sigma(v)], \qquad \dot\Sigma^{(\ell)} = E[\sigma'(u) \sigma'(v)], \qquad
              \mathcal K^{(2)} = \Sigma^{(H)} + \sum_{\ell=1}^{H} \Sigma^{(\ell-1)}\, \sigma_a^2 \sigma_w^{2(H-\ell)}
              \prod_{j=\ell}^{H} \dot\Sigma^{(j)}.

    With biases (u, v) has the covariance :math:`\sigma_w^2 \Sigma^{(\ell-1)} + \sigma_b^2`, and
    :math:`\Sigma^{(\ell-1)} + 1` stands in the sum.

    Odd orders vanish. Even orders from 4 on are the sums of the limits of all terms of `ntkbook.terms`, by the Gaussian
    calculus of Appendix A. A bias is one more input that is 1: it adds :math:`\sigma_b^2` to the covariance of (u, v),
    and 1 to each :math:`\Sigma^{(\ell-1)}` that stands beside a product of slopes. See the chapter "Theorem 2.3: the
    hierarchy".

    Parameters
    ----------
    net
        A network of `mlp`. Its width plays no part.
    x
        Points, shape (n, d).
    order
        k: 2, 4 or odd; 6 too for depth 1.
    x_test
        Test points (n', d) for the first slot, or None.
    progress
        Whether to show how far it is, once it has taken three seconds.

    Returns
    -------
    Array
        Shape (n,) * k, or (n',) + (n,) * (k-1) with test points. Symmetric in its first two slots; for order 2 positive
        semidefinite.

    Raises
    ------
    ValueError, TypeError
        Before any computation, if an argument does not fit, if the order is not one of those above, or if it is 4 or 6
        and the activation not smooth.
    ArithmeticError
        If the activation is too rough or too steep for the quadrature to reach its accuracy at these points. At order 4
        tanh is accepted to norm 6, `Softplus` of sharpness 4 to 3.5, erf to 8, sigmoid and gelu to 12, softplus to 15,
        a sine to 40, identity at every norm, for w_std = 1 and no biases; at order 6 to about three quarters of that.
        Four or more points with nearly equal ones among them may need too many nodes near these bounds. Both are
        known before the integrals of a layer begin.

    Notes
    -----
    Order 2, for every activation that has a name and every size of the points and weights, under ``jit`` too: right to
    1e-11 of :math:`\sqrt{K(x, x) K(x', x')}`, from closed forms, or sums of 625 of them for each pair and layer; in
    float64 also where x is float32, and then rounded. Derivatives in x are right in both modes; the ReLU's kernel has
    cones at parallel points, where they are the mean of the two slopes. For an activation of your own the trapezoidal
    rule in two dimensions, which converges exponentially where it is analytic: H k n q^2 evaluations, with q between 65
    and 1025 by its steepness. What q = 1025 does not resolve is refused, and comes out as NaN under ``jit``.

    Orders 4 and 6: trapezoidal rules on lattices, in float64 also where x is float32. One integral serves all tuples
    over the same distinct points, so the cost is that of all sets of at most k points, in as many dimensions as they
    span, less one where they are independent. Order 4 is right to 1e-10 of the largest entry among these points (with
    x_test: were they all in x), and order 6 to 1e-6, at every norm that is accepted, tiny ones and repeated points
    included. Only where the terms of the largest entry cancel, as for one point near a norm at which it changes sign,
    is it as much of the largest term instead. Order 4: about a second for four points, and a tenth of a second for
    each further set of four and each layer. Order 6: some seconds for each set of five points and one to several
    minutes for each of six. The steeper the activation and the closer the points are to dependence, the longer. It
    runs outside of ``jit``.

    Examples
    --------
    >>> import jax.numpy as jnp, ntkbook
    >>> net = ntkbook.mlp(width=1, depth=1, activation="identity")
    >>> ntkbook.limit_kernel(net, jnp.eye(2)).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    if not isinstance(net, MLP):
        raise TypeError(f"limit_kernel wants an ntkbook.mlp, whose layers it knows, got {type(net).__name__}.")
    order = _checks.integer(order, "order", at_least=2)
    x = _checks.points(x)
    first = x if x_test is None else _checks.points(x_test, "x_test")
    if first.shape[1] != x.shape[1]:
        raise ValueError(f"x_test must have the {x.shape[1]} coordinates of x, got shape {first.shape}.")
    _checks.same_dtype(x=x, x_test=x_test)
    _checks.result_size((len(first),) + (len(x),) * (order - 1), x.dtype)
    if order % 2:
        return jnp.zeros((len(first),) + (len(x),) * (order - 1), x.dtype)
    if order > 2:
        _check_high_order(net, order, first, x)
        first_points, points = (np.asarray(p, np.float64) for p in (first, x))
        K = limiting_kernel(net, first_points, points, order, same=x_test is None, progress=bool(progress))
        return jnp.asarray(K, x.dtype)
    return limiting_ntk(net, first, x)


def _check_high_order(net: MLP, order: int, first: Array, x: Array) -> None:
    """Refuse an even order from 4 on where its limit does not exist or is out of reach."""
    if order > highest_order(net.depth):
        raise ValueError(
            f"order must be at most {highest_order(net.depth)} or odd for depth {net.depth}, got {order}: beyond, the "
            "integrals take too long. Estimate it: the mean of width**(order/2-1) * empirical_kernel over seeds."
        )
    if not net.activation.smooth:
        raise ValueError(
            f"limit_kernel of order {order} needs a smooth activation, whose derivatives up to {order - 1} enter, got "
            f"{net.activation.name}. Take ntkbook.Softplus(sharpness=4.0) in place of the ReLU."
        )
    if _checks.is_traced(first, x):
        raise ValueError(
            f"limit_kernel of order {order} needs the values of x, got traced arrays. Call it outside of jit and vmap."
        )
