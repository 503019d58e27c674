"""EL2N: how far a network's probabilities are from an example's label."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import logits
from prunescope.tasks.task import Problem, Split


class EL2N(Measure):
    """The error L2 norm ||softmax(f(x)) - onehot(y)||_2 of every example, evaluation mode, no augmentation.

    el2n: float32 [N], in [0, sqrt 2], dimensionless; y is the label used.

    The published score is the mean over several networks, each early in its training (`combine.mean`).

    Source: Paul et al. 2021, definition 4; Jin et al. 2022, section 3.
    """

    split: SplitName = "train"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor over the examples of the split, in its order."""
        split = problem.split(self.split)
        error = probability_error(logits(problem, weights, split), split)
        return {"el2n": torch.linalg.vector_norm(error, dim=1)}


def probability_error(scores: Tensor, split: Split) -> Tensor:
    """softmax(scores) - onehot(y) for logits [N, C] and the labels used: float32 [N, C]."""
    error = scores.softmax(dim=1)
    error[torch.arange(len(error), device=error.device), split.y] -= 1
    return error
