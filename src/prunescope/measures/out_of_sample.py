"""What a network that was trained on a subset says of the examples that it has never been trained on.

Belongs here: probabilities, example by example. Does not belong here: right or wrong alone (`seen_unseen.py`).
"""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure
from prunescope.tasks.evaluation import logits
from prunescope.tasks.task import Problem


class OutOfSample(Measure):
    """The probability of the label used and the prediction, of all training examples of the task, evaluation mode.

    probability: float32 [N], the softmax at the label used. prediction: int64 [N]. seen: bool [N], whether the run was
    trained on the example, so that the other two say nothing new. For classifiers with one logit a class.

    Source: Northcutt et al. 2021, section 3 (self-confidence, by cross-validation).
    """

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the examples of the pool, those that a subset left out included."""
        scores = logits(problem, weights, problem.pool)
        return {
            "probability": scores.softmax(1).gather(1, problem.pool.y[:, None])[:, 0],
            "prediction": scores.argmax(1),
            "seen": torch.isin(problem.pool.index, problem.train.index),
        }
