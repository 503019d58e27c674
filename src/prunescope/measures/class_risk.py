"""Error and risk of every class.

Belongs here: averages over the examples of one class. Does not belong here: averages over a split (`risk.py`), over
groups by a score (`studies/groups.py`).
"""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem, Task


class ClassRisk(Measure):
    """Averages over the examples of each class of a split, evaluation mode, no augmentation.

    loss (nats) and error (fraction) against the labels used, examples: float64 [C]. Classes are those of the labels
    used; a class without examples has 0 examples, loss 0 and error 0.

    Source: Hooker et al. 2019, section 2 (accuracy by class of compressed networks).
    """

    split: SplitName = "test"

    def require(self, task: Task) -> None:
        """Refuses a target without one class an example."""
        task.target.require_classes("the risk of every class")

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the classes."""
        problem.target.require_classes("the risk of every class")
        seen = evaluate(problem, weights, problem.split(self.split))
        labels = problem.target.labels(seen.y)
        counts = torch.bincount(labels, minlength=problem.classes).double()

        def averaged(values: Tensor) -> Tensor:
            sums = torch.bincount(labels, weights=values.double(), minlength=problem.classes)
            return sums / counts.clamp(min=1)

        return {"loss": averaged(seen.loss), "error": averaged(seen.wrong), "examples": counts}
