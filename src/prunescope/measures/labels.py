"""The labels of every example, before and after noise."""

from torch import Tensor

from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.tasks.task import Problem


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
