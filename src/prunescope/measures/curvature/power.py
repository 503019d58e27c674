"""Deflated power iteration, as the authors of the flatness figures used it."""

import torch
from torch import Tensor

from prunescope.measures.curvature.products import Operator


def deflated(
    apply: Operator, start: Tensor, count: int, *, steps: int, tolerance: float
) -> tuple[Tensor, Tensor]:
    """Eigenvalues [count] in the order found, sign kept, and unit vectors [count, P].

    Each is the last Rayleigh quotient of at most `steps` products with A - sum_j value_j v_j v_j^T, stopped once its
    relative change is below `tolerance`. The first starts at `start` [P], the next at the vector before.

    Source: Bartoldson et al. 2020, the authors' code: 20 steps, 1e-4, uniform [0, 1) start. Inaccurate where
    eigenvalues lie close together; kept because their top-100 sums were made with it.
    Differs from the source: the Rayleigh quotient of a unit vector from the first step on.
    """
    values: list[float] = []
    vectors = start.new_zeros(0, start.numel())
    vector = start / start.norm()
    for _ in range(count):
        before = 0.0
        for _ in range(steps):
            product = apply(vector.unsqueeze(0))[0]
            product = product - (vectors @ vector * start.new_tensor(values)) @ vectors
            value, length = float(vector @ product), product.norm()
            if float(length) == 0.0:
                break
            vector = product / length
            if value != 0.0 and abs((value - before) / value) < tolerance:
                break
            before = value
        values.append(value)
        vectors = torch.cat([vectors, vector.unsqueeze(0)])
    return torch.tensor(values, dtype=torch.float64), vectors
