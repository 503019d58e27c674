"""How large the gradients of single examples are: Tr(C), and GraNd of every one."""

from collections.abc import Mapping

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.curvature.gradient_norms import Along, Directions, sums
from prunescope.measures.curvature.surface import CHUNK, Sample, require_evaluation, surface
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.losses import Loss
from prunescope.tasks.task import Problem


class GradientTrace(Measure):
    """Tr(C) = (1/N) sum_i |d l_i / d w|^2 over the kept weights: the uncentered second moment of the gradients.

    trace: float64 0-D, squared nats per squared unit of weight.
    trace.NAME: float64 0-D, the part of each parameter; the parts add up to the trace.
    examples: float64 0-D, how many examples the sample has.

    Evaluation mode only. Some gradients are held at a time, or one after the other where a network looks at its data.

    Source: Bartoldson et al. 2020, appendix E; Thomas et al. 2020.
    """

    sample: Sample = Sample()

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """The trace and its parts. Raises UsageError in training mode and where examples mix."""
        require_evaluation(self.sample, "Tr(C)", "")
        around = surface(problem, weights, self.sample)
        squares = sums(around, slopes(around.loss))
        parts = {name: square.mean() for name, square in squares.items()}
        return {**traces(parts), "examples": around.examples}


def slopes(loss: Loss) -> Along:
    """The derivative of each example's loss in its logits, as the one direction."""

    @torch.enable_grad()
    def along(logits: Tensor, y: Tensor) -> Directions:
        scores = logits.detach().requires_grad_()
        slope = torch.autograd.grad(loss(scores, y).sum(), scores)[0]
        yield slope, slope.new_ones(len(slope))

    return along


def traces(parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """The sum of 0-D parts as "trace", and each part as "trace.NAME"."""
    return {"trace": torch.stack(list(parts.values())).sum(), **{f"trace.{name}": part for name, part in parts.items()}}


class GraNd(Measure):
    """The gradient norm ||d loss(x, y) / d w||_2 of every example, over all parameters that are kept.

    grand: float32 [N], nats per unit of weight.

    Evaluation mode, so that examples do not mix in normalization, and no augmentation. The published score is the mean
    over several networks (`combine.mean`). Computed as the summands of `GradientTrace`, for any network.

    Source: Paul et al. 2021, definition 1.
    Differs from the source: removed weights take no part.
    """

    split: SplitName = "train"

    def evaluations(self, sizes: Mapping[str, int]) -> float:
        """See `Measure`; a gradient costs what three evaluations do."""
        return 4.0 * sizes[self.split]

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor over the examples of the split, in its order. Raises UsageError where examples mix."""
        around = surface(problem, weights, Sample(split=self.split, examples=CHUNK))
        batches = problem.split(self.split).batches(CHUNK)
        squares = sums(around, slopes(around.loss), batches)
        return {"grand": torch.stack(list(squares.values())).sum(0).sqrt().float()}
