r"""The dynamics: the exact flow, the truncated hierarchy, the frozen kernel and discrete gradient descent.

The loss is :math:`L = \frac{1}{2n} \sum_\beta r_\beta^2` with the residual :math:`r_\beta = f_\beta - y_\beta`.
Time is in units of gradient flow: learning rate times steps.
"""

# The reference shows them in this order.
# isort: off
from ntkbook.dynamics.exact import gradient_flow
from ntkbook.dynamics.truncated import truncated_flow
from ntkbook.dynamics.frozen import frozen_kernel_flow
from ntkbook.dynamics.discrete import gradient_descent
from ntkbook.dynamics.trajectory import Result, Trajectory, FlowError

__all__ = [
    "FlowError",
    "Result",
    "Trajectory",
    "frozen_kernel_flow",
    "gradient_descent",
    "gradient_flow",
    "truncated_flow",
]
