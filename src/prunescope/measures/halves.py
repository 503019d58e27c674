"""Error on the two halves of a split, so that one can choose and the other judge.

Belongs here: the two numbers. Does not belong here: choosing (`studies/selection.py`).
"""

from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem


class Halves(Measure):
    """Errors on the examples at even and at odd places of a split: even_error, odd_error.

    They are fractions, or have the unit of the task's target.

    Alternating places, because published test sets are often sorted by source or difficulty.
    """

    split: SplitName = "test"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """float64 0-D tensors by name."""
        seen = evaluate(problem, weights, problem.split(self.split))
        wrong = seen.wrong
        return {"even_error": wrong[::2].mean(), "odd_error": wrong[1::2].mean()}
