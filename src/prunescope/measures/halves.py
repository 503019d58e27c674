"""Error on the two halves of a split, so that one can choose and the other judge."""

from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem


class Halves(Measure):
    """Errors on the two halves of a split.

    even_error, odd_error: float64 0-D, the mean error at even and at odd places, a fraction or in the unit of the
        task's target.

    Alternating places, because published test sets are often sorted by source or difficulty.
    """

    split: SplitName = "test"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """float64 0-D tensors by name."""
        wrong = evaluate(problem, weights, problem.split(self.split)).wrong
        return {"even_error": wrong[::2].mean(), "odd_error": wrong[1::2].mean()}
