"""Error and risk over a split, and over its halves, classes and groups."""

from typing import Self

import torch
from torch import Tensor

from prunescope.base.errors import DataError, UsageError
from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.data.groups import Grouping, grouping
from prunescope.tasks.data.source import Digest
from prunescope.tasks.evaluation import Evaluation, evaluate
from prunescope.tasks.task import Problem, Task


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
        values = {"loss": loss.mean(), "error": wrong.mean(), "examples": torch.tensor(float(len(split))).double()}
        if bool(noisy.any()):
            untrue = problem.target.error(evaluation.prediction, split.clean).where(~wrong.isnan(), wrong)
            values |= {
                "original_loss": loss[~noisy].mean(),
                "noisy_loss": loss[noisy].mean(),
                "original_error": wrong[~noisy].mean(),
                "noisy_error": wrong[noisy].mean(),
                "noisy_true_error": untrue[noisy].mean(),
            }
        return values


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


class ClassRisk(Measure):
    """Averages over the examples of each class of a split, evaluation mode, no augmentation.

    Values, float64 [C], over the classes of the labels used:
    loss: the mean loss, nats; 0 for a class without examples.
    error: the share of wrong predictions; 0 for a class without examples.
    examples: how many examples the class has.

    Source: Hooker et al. 2019, section 2 (accuracy by class of compressed networks).
    """

    split: SplitName = "test"

    def require(self, task: Task) -> None:
        """Refuses a target without one class an example."""
        task.target.require_classes("the risk of every class")

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the classes."""
        problem.target.require_classes("the risk of every class")
        split = problem.split(self.split)
        labels = problem.target.labels(split.y)
        return _averages(evaluate(problem, weights, split), labels, problem.classes, fewest=1)


class GroupRisk(Measure):
    """Averages over the examples of each group of a split, evaluation mode, no augmentation.

    groups: name of the column, as it was given to `Task.from_module(groups=...)`.
    source, column: digests of the examples and of the column; `GroupRisk.of` fills them in.

    Values, float64 [G], over the groups in the order of their names:
    loss: the mean loss; not a number for a group without examples.
    error: the mean error in the unit of the task's target; not a number for a group without examples.
    examples: how many examples the group has.
    """

    groups: str
    source: Digest
    column: Digest
    split: SplitName = "test"

    @classmethod
    def of(cls, task: Task, groups: str, *, split: SplitName = "test") -> Self:
        """The measure of a column that the task's data have. Raises UsageError, with those there are, for another."""
        source = task.data.source.digest
        return cls(groups=groups, source=source, column=grouping(source, groups).digest, split=split)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the groups, in the order of the values."""
        return self._grouping().names

    def require(self, task: Task) -> None:
        """Refuses data of another source, and a split for which the column was not given."""
        if task.data.source.digest != self.source:
            raise UsageError(
                f"groups {self.groups!r} belong to other data than the task's; use GroupRisk.of(task, ...)"
            )
        self._codes()

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Three tensors over the groups."""
        split = problem.split(self.split)
        codes = self._codes().to(split.index.device)[split.index]
        return _averages(evaluate(problem, weights, split), codes, len(self.names))

    def _grouping(self) -> Grouping:
        column = grouping(self.source, self.groups)
        if column.digest != self.column:
            raise DataError(
                f"the groups {self.groups!r} are others now than they were; use GroupRisk.of(task, ...) again"
            )
        return column

    def _codes(self) -> Tensor:
        """The groups of all examples of the source's set that the split is from, int64 [N]."""
        codes, part = self._grouping().codes, "test" if self.split == "test" else "train"
        if part not in codes:
            raise UsageError(
                f"groups {self.groups!r} were given for {', '.join(codes)} only; give them for {part}, too"
            )
        return codes[part]


def _averages(evaluation: Evaluation, codes: Tensor, count: int, *, fewest: int = 0) -> dict[str, Tensor]:
    """Mean loss and error of the examples of each code below `count`, and how many there are, float64 [count].

    fewest: what a sum is divided by at least: 0 / 0 is not a number.
    """
    examples = torch.bincount(codes, minlength=count).double()
    sums = (
        torch.bincount(codes, weights=values.double(), minlength=count)
        for values in (evaluation.loss, evaluation.wrong)
    )
    loss, error = (total / examples.clamp(min=fewest) for total in sums)
    return {"loss": loss, "error": error, "examples": examples}
