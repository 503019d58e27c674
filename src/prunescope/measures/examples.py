"""Per-example loss and prediction."""

from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem


class Examples(Measure):
    """Per-example results on a split, evaluation mode, no augmentation, against the labels used.

    loss: float32 [N], nats (squared units of y for a regression).
    prediction: as the target says; of classes int64 [N], the one with the largest logit.
    correct: bool [N], whether it is the label used; only where examples are right or wrong.
    error: float64 [N], in the unit of the target; only where they are not.
    noisy: bool [N], whether the label was flipped.
    index: int64 [N], the example's place in its source.
    """

    split: SplitName = "train"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Five tensors over the examples of the split, in its order."""
        split = problem.split(self.split)
        evaluation = evaluate(problem, weights, split)
        wrong = evaluation.wrong
        return {
            "loss": evaluation.loss,
            "prediction": evaluation.prediction,
            **({"correct": wrong == 0} if problem.target.decides else {"error": wrong}),
            "noisy": split.noisy,
            "index": split.index,
        }
