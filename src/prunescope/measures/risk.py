"""Error, risk, and their parts on noisy and original examples."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem


class Risk(Measure):
    """Averages over a split, evaluation mode, no augmentation.

    Values, float64 0-D, against the labels used:
    loss: the mean loss over all examples, nats (squared units of y for a regression).
    error: the mean error, of classes the share of wrong predictions; otherwise in the unit of the task's target.
    examples: how many examples there are.
    original_loss, original_error, noisy_loss, noisy_error: the same over examples whose label was kept, and was
        flipped; only where some were.
    noisy_true_error: the error on the latter against their labels before the flip; only where some were.

    Source: Jin et al. 2022, section 4 (mean training loss on original and noisy data).
    """

    split: SplitName = "test"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """float64 0-D tensors by name."""
        split = problem.split(self.split)
        evaluation = evaluate(problem, weights, split)
        wrong = evaluation.wrong
        loss, noisy = evaluation.loss.double(), split.noisy
        values = {
            "loss": loss.mean(),
            "error": wrong.mean(),
            "examples": torch.tensor(float(len(split))).double(),
        }
        if bool(noisy.any()):
            untrue = problem.target.error(evaluation.prediction, split.clean)
            values |= {
                "original_loss": loss[~noisy].mean(),
                "noisy_loss": loss[noisy].mean(),
                "original_error": wrong[~noisy].mean(),
                "noisy_error": wrong[noisy].mean(),
                "noisy_true_error": untrue[noisy].mean(),
            }
        return values
