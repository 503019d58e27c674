"""How far one can go along the Hessian's leading eigenvectors before the loss rises.

Belongs here: epsilon and the curves it is read off. Does not belong here: the eigenvectors
(`curvature/lanczos.py`).
"""

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

    epsilon: float64 0-D, the smallest |e| at which the largest rise over eigenvectors and signs is at least `rise`;
    `reach` where none is (then reached is 0, else 1). steps: float64 [2 M + 1], -reach .. reach; "increase.I":
    float64 [2 M + 1], mean loss at w + e v_I minus mean loss at w, nats, for I = 0 .. count - 1.

    sample: on which the eigenvectors are taken; losses: on which the loss is. reach: the largest |e|, a multiple of
    `step`, in units of weight. An eigenvector's sign is arbitrary, so a curve may come mirrored.

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
        """Epsilon and the curves. Raises UsageError for more examples or eigenvalues than there are."""
        around, wide = (surface(problem, weights, sample) for sample in (self.sample, self.losses))
        first = start(around, self.seed)
        found = lanczos.top(operator(around, "hessian"), first, self.count, tolerance=self.tolerance)
        one_side = round(self.reach / self.step)
        steps = torch.arange(-one_side, one_side + 1, dtype=torch.float64) * self.step
        curves = torch.stack([_rises(wide, around.tree(vector), steps) for vector in found.vectors])
        far = steps.abs()[(curves >= self.rise).any(0)]
        return {
            "epsilon": far.min() if len(far) else steps[-1],
            "reached": torch.tensor(float(len(far) > 0), dtype=torch.float64),
            "steps": steps,
            "examples": around.examples,
            "loss_examples": wide.examples,
            **{f"increase.{number}": curve for number, curve in enumerate(curves)},
        }


def _rises(wide: Surface, direction: Tree, steps: Tensor) -> Tensor:
    """Loss at w + e direction minus loss at w for every e of `steps`, float64 of the same shape, nats."""
    level = wide.mean_loss(wide.params)
    moved = (
        tree.tree_map(lambda w, v, e=float(e): w + e * v.to(w.dtype), wide.params, direction) for e in steps
    )
    return torch.stack([wide.mean_loss(params) - level for params in moved]).cpu()
