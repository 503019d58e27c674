"""Per-example loss and prediction."""

from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem


class Examples(Measure):
    """Per-example results on a split, evaluation mode, no augmentation, against the labels used.

    loss: float32 [N], nats.
    prediction: int64 [N], the class of the largest logit.
    correct: bool [N], whether it is the label used.
    noisy: bool [N], whether the label was flipped.
    index: int64 [N], the example's place in its source.
    """

    split: SplitName = "train"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Five tensors over the examples of the split, in its order."""
        split = problem.split(self.split)
        evaluation = evaluate(problem, weights, split)
        return {
            "loss": evaluation.loss,
            "prediction": evaluation.prediction,
            "correct": evaluation.prediction == evaluation.y,
            "noisy": split.noisy,
            "index": split.index,
        }
