"""The limits of Theorem 2.3: order 2 layer by layer, orders 4 and 6 by the Gaussian calculus of Appendix A."""

from ntkbook.limits.kernel import limit_kernel

__all__ = ["limit_kernel"]
