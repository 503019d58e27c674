"""EL2N: how far a network's probabilities are from an example's label."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import logits
from prunescope.tasks.task import Problem, Task


class EL2N(Measure):
    """The error L2 norm ||softmax(f(x)) - onehot(y)||_2 of every example, evaluation mode, no augmentation.

    el2n: float32 [N], in [0, sqrt 2], dimensionless; y is the label used.

    The published score is the mean over several networks, each early in its training (`combine.mean`).

    Source: Paul et al. 2021, definition 4; Jin et al. 2022, section 3.
    """

    split: SplitName = "train"

    def require(self, task: Task) -> None:
        """Refuses a target without one class an example."""
        task.target.require_classes("EL2N")

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor over the examples of the split, in its order."""
        target, split = problem.target, problem.split(self.split)
        target.require_classes("EL2N")
        error = target.probabilities(logits(problem, weights, split))
        error[torch.arange(len(error), device=error.device), target.labels(split.y)] -= 1
        return {"el2n": torch.linalg.vector_norm(error, dim=1)}
