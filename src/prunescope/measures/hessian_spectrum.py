"""The largest eigenvalues of the Hessian."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.measures.curvature import lanczos, power
from prunescope.measures.curvature.products import Matrix, operator
from prunescope.measures.curvature.surface import Sample, Surface, surface
from prunescope.measures.measure import Measure
from prunescope.tasks.task import Problem

SHARE = 0.006
"""Eigenvalues below this share of the largest absolute one are left out of `sum_above`."""


class HessianSpectrum(Measure):
    """The `count` Hessian eigenvalues of largest absolute value, sign kept, and their sum.

    Values, float64, nats per squared unit of weight:
    eigenvalues: [count], largest absolute value first; 0 where fewer weights are kept.
    residuals: [count], |H v - value v| for the unit eigenvectors v.
    largest_residual: 0-D, over the largest |value|, dimensionless.
    sum: 0-D, of all of them, a lower bound of Tr(H) only where the other eigenvalues are positive.
    sum_above: 0-D, of those with |value| > .006 of the largest.
    examples: 0-D, how many examples the sample has.

    Fields: sample; matrix, H or the Gauss-Newton matrix; count; seed of the first vector.
    method: "lanczos" stops when every residual is below `tolerance` of the largest eigenvalue, or says in `residuals`
        that it did not; "power" is the authors' deflated power iteration of 20 steps a value and relative tolerance
        1e-4 (`tolerance` is not used), whose residuals are not small.

    Source: Bartoldson et al. 2020, appendix E and figure 6, as in the authors' code.
    Differs from the source: Lanczos by default.
    """

    sample: Sample = Sample()
    matrix: Matrix = "hessian"
    count: int = Field(default=100, ge=1)
    method: Literal["lanczos", "power"] = "lanczos"
    tolerance: float = Field(default=1e-4, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Six entries by name. Raises UsageError for a network that cannot be differentiated twice."""
        around = surface(problem, weights, self.sample)
        apply = operator(around, self.matrix)
        if self.method == "lanczos":
            pairs = lanczos.top(apply, start(around, self.seed), self.count, tolerance=self.tolerance)
        else:
            drawn = torch.rand(around.dimension, generator=stream(self.seed, "eigenvectors"))
            first = drawn.to(around.vector(around.params))
            values, vectors = power.deflated(apply, first, self.count, steps=20, tolerance=1e-4)
            residuals = [
                (apply(v.unsqueeze(0))[0] - value.to(v) * v).norm()
                for value, v in zip(values, vectors, strict=True)
            ]
            pairs = lanczos.Eigenpairs(values, vectors, torch.stack(residuals).double())
        values = pairs.values
        above = values.abs() > SHARE * values.abs().max()
        return {
            "eigenvalues": values,
            "residuals": pairs.residuals,
            "largest_residual": pairs.residuals.max() / values.abs().max(),
            "sum": values.sum(),
            "sum_above": values[above].sum(),
            "examples": around.examples,
        }


def start(around: Surface, seed: int) -> Tensor:
    """A random Gaussian vector [P] over the kept parameters."""
    drawn = torch.randn(around.dimension, generator=stream(seed, "eigenvectors"))
    return drawn.to(around.vector(around.params))
