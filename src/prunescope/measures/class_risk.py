"""Error and risk of every class."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem


class ClassRisk(Measure):
    """Averages over the examples of each class of a split, evaluation mode, no augmentation.

    Values, float64 [C], over the classes of the labels used:
    loss: the mean loss, nats; 0 for a class without examples.
    error: the share of wrong predictions; 0 for a class without examples.
    examples: how many examples the class has.

    Source: Hooker et al. 2019, section 2 (accuracy by class of compressed networks).
    """

    split: SplitName = "test"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the classes."""
        evaluation = evaluate(problem, weights, problem.split(self.split))
        counts = torch.bincount(evaluation.y, minlength=problem.classes).double()

        def averaged(values: Tensor) -> Tensor:
            sums = torch.bincount(evaluation.y, weights=values.double(), minlength=problem.classes)
            return sums / counts.clamp(min=1)

        return {
            "loss": averaged(evaluation.loss),
            "error": averaged(evaluation.prediction != evaluation.y),
            "examples": counts,
        }
