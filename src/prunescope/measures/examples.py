"""Per-example loss and prediction.

Belongs here: what a network does on every single example of a split. Does not belong here: averages (`risk.py`).
"""

from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem


class Examples(Measure):
    """Per-example results on a split, evaluation mode, no augmentation, against the labels used.

    loss: float32 [N], nats; prediction: int64 [N]; correct, noisy: bool [N]; index: int64 [N], the example's
    place in its source. For a target whose examples are not right or wrong, `error` (float64 [N], in the unit of the
    target) stands in the place of `correct`, and prediction is [N, ...].
    """

    split: SplitName = "train"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Five tensors over the examples of the split, in its order."""
        split = problem.split(self.split)
        seen = evaluate(problem, weights, split)
        judged = {"correct": seen.wrong == 0} if problem.target.decides else {"error": seen.wrong}
        return {
            "loss": seen.loss,
            "prediction": seen.prediction,
            **judged,
            "noisy": split.noisy,
            "index": split.index,
        }
