"""Error and risk of every group of a column of the user's own."""

from typing import Self

import torch
from torch import Tensor

from prunescope.base.errors import DataError, UsageError
from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.data.groups import Grouping, grouping
from prunescope.tasks.data.source import Digest
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem, Task


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
        evaluation = evaluate(problem, weights, split)
        codes = self._codes().to(split.index.device)[split.index]
        size = len(self.names)
        counts = torch.bincount(codes, minlength=size).double()

        def averaged(values: Tensor) -> Tensor:
            return torch.bincount(codes, weights=values.double(), minlength=size) / counts

        return {"loss": averaged(evaluation.loss), "error": averaged(evaluation.wrong), "examples": counts}

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
