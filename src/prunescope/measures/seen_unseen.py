"""What a network gets right of the examples that it was trained on and of those that it was not."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem, Task


class SeenUnseen(Measure):
    """Which examples a network gets right, evaluation mode, no augmentation, against the labels used.

    correct: bool [N], over all training examples of the task, those that a subset left out included.
    seen: bool [N], whether the run was trained on them.
    test_correct: bool [M], over the test set.

    Source: Feldman and Zhang 2020, section 2 (what their estimates are made of).
    """

    def require(self, task: Task) -> None:
        """Refuses a target whose examples are not right or wrong."""
        task.target.require_decisions("what a network gets right")

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the examples, in the order of the splits."""
        problem.target.require_decisions("what a network gets right")
        pool, test = (evaluate(problem, weights, split) for split in (problem.pool, problem.test))
        return {
            "correct": pool.wrong == 0,
            "seen": torch.isin(problem.pool.index, problem.train.index),
            "test_correct": test.wrong == 0,
        }
