"""Error and risk of every class."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem, Task


class ClassRisk(Measure):
    """Averages over the examples of each class of a split, evaluation mode, no augmentation.

    Values, float64 [C], over the classes of the labels used:
    loss: the mean loss, nats; 0 for a class without examples.
    error: the share of wrong predictions; 0 for a class without examples.
    examples: how many examples the class has.

    Source: Hooker et al. 2019, section 2 (accuracy by class of compressed networks).
    """

    split: SplitName = "test"

    def require(self, task: Task) -> None:
        """Refuses a target without one class an example."""
        task.target.require_classes("the risk of every class")

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the classes."""
        problem.target.require_classes("the risk of every class")
        evaluation = evaluate(problem, weights, problem.split(self.split))
        labels = problem.target.labels(problem.split(self.split).y)
        counts = torch.bincount(labels, minlength=problem.classes).double()

        def averaged(values: Tensor) -> Tensor:
            sums = torch.bincount(labels, weights=values.double(), minlength=problem.classes)
            return sums / counts.clamp(min=1)

        return {
            "loss": averaged(evaluation.loss),
            "error": averaged(evaluation.wrong),
            "examples": counts,
        }
