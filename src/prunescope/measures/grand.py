"""GraNd: the norm of the gradient of every single example's loss."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.curvature.gradient_norms import sums
from prunescope.measures.curvature.surface import CHUNK, Sample, surface
from prunescope.measures.gradient_trace import slopes
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.task import Problem


class GraNd(Measure):
    """The gradient norm ||d loss(x, y) / d w||_2 of every example, over all parameters that are kept.

    grand: float32 [N], nats per unit of weight.

    Evaluation mode, so that examples do not mix in normalization, and no augmentation. The published score is the mean
    over several networks (`combine.mean`). Computed as the summands of `GradientTrace`, for any network.

    Source: Paul et al. 2021, definition 1.
    Differs from the source: removed weights take no part.
    """

    split: SplitName = "train"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor over the examples of the split, in its order. Raises UsageError where examples mix."""
        around = surface(problem, weights, Sample(split=self.split, examples=CHUNK))
        batches = problem.split(self.split).batches(CHUNK)
        squares = sums(around, slopes(around.loss), batches)
        return {"grand": torch.stack(list(squares.values())).sum(0).sqrt().float()}
