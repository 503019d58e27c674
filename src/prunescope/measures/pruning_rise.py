"""What removing the smallest weights does to a network at once, before anything is trained again."""

from pydantic import Field
from torch import Tensor

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.measures.measure import Measure, SplitName
from prunescope.sparsity.select import choose
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem


class PruningRise(Measure):
    """The instability of a pruning that has not happened yet: the rise of error and loss when weights are removed.

    Values, float64 0-D: error, in the unit of the target (a share of wrong answers for classes); loss, nats. Both are
    of the state without the share `fraction` of its remaining weights, smallest magnitude, over all layers but those
    of `exclude`, minus of the state as it is; evaluation mode, running statistics as they are.

    Raises UsageError for layers in `exclude` that are not there, LayerCollapse where a layer would be left empty.

    Source: Bartoldson et al. 2020, section 2 (instability: the drop of test accuracy at a pruning event, over the
    accuracy before it).
    Differs from the source: points, not a share of the accuracy before, and of weights where it removes filters.
    """

    split: SplitName = "test"
    fraction: float = Field(default=0.2, gt=0, lt=1)
    exclude: tuple[str, ...] = ()

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Two rises by name."""
        scores = {name: weights.params[name].abs() for name in weights.masks}
        left = sum(int(mask.sum()) for name, mask in weights.masks.items() if name not in self.exclude)
        count = round(self.fraction * left)
        masks = choose(scores, weights.masks, count=count, exclude=frozenset(self.exclude))
        pruned = weights.replace(params=tree.masked(weights.params, masks), masks=masks)
        split = problem.split(self.split)
        before, after = (evaluate(problem, state, split) for state in (weights, pruned))
        return {
            "error": after.wrong.double().mean() - before.wrong.double().mean(),
            "loss": after.loss.double().mean() - before.loss.double().mean(),
        }
