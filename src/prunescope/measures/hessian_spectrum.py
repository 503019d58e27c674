"""The largest eigenvalues of the Hessian, and how far one can go along their eigenvectors."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.base.tree import Tree
from prunescope.measures.curvature import eigenpairs
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

    def evaluations(self, sizes: Mapping[str, int]) -> float:
        """See `Measure`; a product with the Hessian costs what six evaluations do."""
        return 18 * self.count * self.sample.size(sizes)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Six entries by name. Raises UsageError for a network that cannot be differentiated twice."""
        around = surface(problem, weights, self.sample)
        apply = operator(around, self.matrix)
        if self.method == "lanczos":
            pairs = eigenpairs.top(apply, start(around, self.seed), self.count, tolerance=self.tolerance)
        else:
            first = torch.rand(around.dimension, generator=stream(self.seed, "eigenvectors")).to(around.like)
            values, vectors = eigenpairs.deflated(apply, first, self.count, steps=20, tolerance=1e-4)
            residuals = [
                (apply(v.unsqueeze(0))[0] - value.to(v) * v).norm() for value, v in zip(values, vectors, strict=True)
            ]
            pairs = eigenpairs.Eigenpairs(values, vectors, torch.stack(residuals).double())
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
    return torch.randn(around.dimension, generator=stream(seed, "eigenvectors")).to(around.like)


class LossAlongEigenvectors(Measure):
    """The rise of the loss at w + e v_i, for unit eigenvectors v_i and steps e on both sides.

    epsilon: float64 0-D, the smallest |e| at which the largest rise over eigenvectors and signs is at least `rise`,
        in units of weight; `reach` where none is.
    reached: float64 0-D, 1, or 0 where no rise is that large.
    steps: float64 [2 M + 1], -reach .. reach, in units of weight.
    increase.I: float64 [2 M + 1], mean loss at w + e v_I minus mean loss at w, nats, for I = 0 .. count - 1; 0 where
        fewer weights are kept.
    examples, loss_examples: float64 0-D, how many examples the two samples have.

    Fields: sample, on which the eigenvectors are taken; losses, on which the loss is; count of eigenvectors; reach, the
    largest |e|, a multiple of `step`; rise, nats; tolerance of the eigenvectors; seed of the first vector. An
    eigenvector's sign is arbitrary, so a curve may come mirrored. among: of so many eigenvalues of largest absolute
    value the `count` largest with their sign are walked along, descending; 0 for the `count` of largest absolute value.

    Source: Bartoldson et al. 2020, appendix E, as in the authors' code: 10 eigenvectors, e in {-.40, -.39, ..., .40},
    the whole test set, a rise of 0.1; there among=100, by power iteration.
    """

    added: ClassVar[frozenset[str]] = frozenset({"among"})
    sample: Sample = Sample()
    count: int = Field(default=10, ge=1)
    among: int = Field(default=0, ge=0)
    losses: Sample = Sample(examples="all")
    reach: float = Field(default=0.40, gt=0)
    step: float = Field(default=0.01, gt=0)
    rise: float = Field(default=0.1, gt=0)
    tolerance: float = Field(default=1e-4, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)

    def evaluations(self, sizes: Mapping[str, int]) -> float:
        """See `Measure`; a product with the Hessian costs what six evaluations do."""
        passes = 2 * self.reach / self.step * self.count
        return 18 * max(self.count, self.among) * self.sample.size(sizes) + passes * self.losses.size(sizes)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Epsilon and the curves. Raises UsageError where there is no second derivative."""
        around, losses = (surface(problem, weights, sample) for sample in (self.sample, self.losses))
        first = start(around, self.seed)
        pairs = eigenpairs.top(
            operator(around, "hessian"), first, max(self.count, self.among), tolerance=self.tolerance
        )
        vectors = pairs.vectors
        if self.among:
            vectors = vectors[pairs.values.argsort(descending=True)[: self.count].to(vectors.device)]
        one_side = round(self.reach / self.step)
        steps = torch.arange(-one_side, one_side + 1, dtype=torch.float64) * self.step
        curves = torch.stack([_rises(losses, around.tree(vector), steps) for vector in vectors])
        far = steps.abs()[(curves >= self.rise).any(0)]
        return {
            "epsilon": far.min() if len(far) else steps[-1],
            "reached": torch.tensor(float(len(far) > 0), dtype=torch.float64),
            "steps": steps,
            "examples": around.examples,
            "loss_examples": losses.examples,
            **{f"increase.{number}": curve for number, curve in enumerate(curves)},
        }


def _rises(around: Surface, direction: Tree, steps: Tensor) -> Tensor:
    """Loss at w + e direction minus loss at w for every e of `steps`, float64 of the same shape, nats."""
    level = around.mean_loss(around.params)
    moved = (tree.tree_map(lambda w, v, e=float(e): w + e * v.to(w.dtype), around.params, direction) for e in steps)
    return torch.stack([around.mean_loss(params) - level for params in moved]).cpu()
