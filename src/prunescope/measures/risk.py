"""Error, risk, and their parts on noisy and original examples.

Belongs here: averages over a split. Does not belong here: per-example values (`examples.py`).
"""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem


class Risk(Measure):
    """Averages over a split, evaluation mode, no augmentation.

    loss (nats) and error (fraction, or the unit of the task's target) over all examples, against the labels used. If
    some labels were flipped, the same over the original and over the noisy examples (original_loss, noisy_loss,
    original_error, noisy_error) and noisy_true_error: the error on noisy examples against their labels before the flip.

    Source: Jin et al. 2022, section 4 (mean training loss on original and noisy data).
    """

    split: SplitName = "test"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """float64 0-D tensors by name."""
        split = problem.split(self.split)
        seen = evaluate(problem, weights, split)
        wrong = seen.wrong
        loss, noisy = seen.loss.double(), split.noisy
        values = {
            "loss": loss.mean(),
            "error": wrong.mean(),
            "examples": torch.tensor(float(len(split))).double(),
        }
        if bool(noisy.any()):
            untrue = problem.target.error(seen.prediction, split.clean)
            values |= {
                "original_loss": loss[~noisy].mean(),
                "noisy_loss": loss[noisy].mean(),
                "original_error": wrong[~noisy].mean(),
                "noisy_error": wrong[noisy].mean(),
                "noisy_true_error": untrue[noisy].mean(),
            }
        return values
