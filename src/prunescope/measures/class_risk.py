"""Error and risk of every class.

Belongs here: averages over the examples of one class. Does not belong here: averages over a split (`risk.py`), over
groups by a score (`studies/groups.py`).
"""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem


class ClassRisk(Measure):
    """Averages over the examples of each class of a split, evaluation mode, no augmentation.

    loss (nats) and error (fraction) against the labels used, examples: float64 [C]. Classes are those of the labels
    used; a class without examples has 0 examples, loss 0 and error 0.

    Source: Hooker et al. 2019, section 2 (accuracy by class of compressed networks).
    """

    split: SplitName = "test"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the classes."""
        seen = evaluate(problem, weights, problem.split(self.split))
        counts = torch.bincount(seen.y, minlength=problem.classes).double()

        def averaged(values: Tensor) -> Tensor:
            sums = torch.bincount(seen.y, weights=values.double(), minlength=problem.classes)
            return sums / counts.clamp(min=1)

        return {"loss": averaged(seen.loss), "error": averaged(seen.prediction != seen.y), "examples": counts}
