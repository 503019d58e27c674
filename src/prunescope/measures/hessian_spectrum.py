"""The largest eigenvalues of the Hessian.

Belongs here: eigenvalues and their sums. Does not belong here: the loss along eigenvectors
(`loss_along_eigenvectors.py`), the algorithms (`curvature/lanczos.py`, `curvature/power.py`).
"""

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

    eigenvalues: float64 [count], largest absolute value first, nats per squared unit of weight; residuals: float64
    [count], |H v - value v|; sum: of all of them; sum_above: of those with |value| > .006 of the largest. The sum is
    a lower bound of Tr(H) only where the rest is positive. largest_residual: of all, over the largest |value|.

    method: "lanczos" stops when every residual is below `tolerance` of the largest eigenvalue, or says in `residuals`
    that it did not; "power" is the authors' deflated power iteration of 20 steps a value and relative tolerance 1e-4
    (`tolerance` is not used), whose residuals are not small.

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
        """Five entries by name. Raises UsageError for more eigenvalues than kept parameters."""
        around = surface(problem, weights, self.sample)
        apply = operator(around, self.matrix)
        if self.method == "lanczos":
            found = lanczos.top(apply, start(around, self.seed), self.count, tolerance=self.tolerance)
        else:
            drawn = torch.rand(around.dimension, generator=stream(self.seed, "eigenvectors"))
            first = drawn.to(around.vector(around.params))
            values, vectors = power.deflated(apply, first, self.count, steps=20, tolerance=1e-4)
            rests = [
                (apply(v.unsqueeze(0))[0] - value.to(v) * v).norm()
                for value, v in zip(values, vectors, strict=True)
            ]
            found = lanczos.Eigenpairs(values, vectors, torch.stack(rests).double())
        values = found.values
        above = values.abs() > SHARE * values.abs().max()
        return {
            "eigenvalues": values,
            "residuals": found.residuals,
            "largest_residual": found.residuals.max() / values.abs().max(),
            "sum": values.sum(),
            "sum_above": values[above].sum(),
            "examples": around.examples,
        }


def start(around: Surface, seed: int) -> Tensor:
    """A random Gaussian vector [P] over the kept parameters."""
    drawn = torch.randn(around.dimension, generator=stream(seed, "eigenvectors"))
    return drawn.to(around.vector(around.params))
