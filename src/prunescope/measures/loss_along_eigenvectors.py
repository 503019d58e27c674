"""How far one can go along the Hessian's leading eigenvectors before the loss rises."""

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.measures.curvature import lanczos
from prunescope.measures.curvature.products import operator
from prunescope.measures.curvature.surface import Sample, Surface, surface
from prunescope.measures.hessian_spectrum import start
from prunescope.measures.measure import Measure
from prunescope.tasks.task import Problem


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
    eigenvector's sign is arbitrary, so a curve may come mirrored.

    Source: Bartoldson et al. 2020, appendix E, as in the authors' code: 10 eigenvectors, e in {-.40, -.39, ..., .40},
    the whole test set, a rise of 0.1.
    """

    sample: Sample = Sample()
    count: int = Field(default=10, ge=1)
    losses: Sample = Sample(examples="all")
    reach: float = Field(default=0.40, gt=0)
    step: float = Field(default=0.01, gt=0)
    rise: float = Field(default=0.1, gt=0)
    tolerance: float = Field(default=1e-4, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Epsilon and the curves. Raises UsageError where there is no second derivative."""
        around, losses = (surface(problem, weights, sample) for sample in (self.sample, self.losses))
        first = start(around, self.seed)
        pairs = lanczos.top(operator(around, "hessian"), first, self.count, tolerance=self.tolerance)
        one_side = round(self.reach / self.step)
        steps = torch.arange(-one_side, one_side + 1, dtype=torch.float64) * self.step
        curves = torch.stack([_rises(losses, around.tree(vector), steps) for vector in pairs.vectors])
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
    moved = (
        tree.tree_map(lambda w, v, e=float(e): w + e * v.to(w.dtype), around.params, direction) for e in steps
    )
    return torch.stack([around.mean_loss(params) - level for params in moved]).cpu()
