"""What a network does on every single example, and the examples' labels."""

import torch
from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.evaluation import evaluate, logits
from prunescope.tasks.task import Problem, Task


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


class Labels(Measure):
    """The labels of a split; the state only says of which run.

    label: int64 [N], the labels used.
    clean: int64 [N], the labels before noise.
    index: int64 [N], the example's place in its source.
    """

    split: SplitName = "train"

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the examples of the split, in its order."""
        split = problem.split(self.split)
        plain = problem.target.plain
        return {"label": plain(split.y), "clean": plain(split.clean), "index": split.index}


class EL2N(Measure):
    """The error L2 norm ||softmax(f(x)) - onehot(y)||_2 of every example, evaluation mode, no augmentation.

    el2n: float32 [N], in [0, sqrt 2], dimensionless; y is the label used.

    The published score is the mean over several networks, each early in its training (`combine.mean`).

    Source: Paul et al. 2021, definition 4; Jin et al. 2022, section 3.
    """

    split: SplitName = "train"

    def require(self, task: Task) -> None:
        """Refuses a target without one class an example."""
        task.target.require_classes("EL2N")

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """One tensor over the examples of the split, in its order."""
        target, split = problem.target, problem.split(self.split)
        target.require_classes("EL2N")
        error = target.probabilities(logits(problem, weights, split).double())  # beside 1, float32 drops p below 1e-7
        error[torch.arange(len(error), device=error.device), target.labels(split.y)] -= 1
        return {"el2n": torch.linalg.vector_norm(error, dim=1).float()}


class OutOfSample(Measure):
    """The probability of the label used and the prediction, of all training examples of the task, evaluation mode.

    probability: float32 [N], of the label used. prediction: int64 [N]. seen: bool [N], whether the run was trained on
    the example, so that the other two say nothing new.

    Source: Northcutt et al. 2021, section 3 (self-confidence, by cross-validation).
    """

    def require(self, task: Task) -> None:
        """Refuses a target without one class an example."""
        task.target.require_classes("the probability of the label")

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the examples of the pool, those that a subset left out included."""
        target, outputs = problem.target, logits(problem, weights, problem.pool)
        target.require_classes("the probability of the label")
        labels = target.labels(problem.pool.y)
        return {
            "probability": target.probabilities(outputs).gather(1, labels[:, None])[:, 0],
            "prediction": target.prediction(outputs),
            "seen": torch.isin(problem.pool.index, problem.train.index),
        }


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
