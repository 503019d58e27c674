"""What it costs to prune one layer only, as it is pruned in another state: measured, not estimated."""

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.tree import masked
from prunescope.measures.comparison import Comparison, State, same_examples
from prunescope.measures.measure import SplitName
from prunescope.tasks.evaluation import Evaluation, evaluate


class LayerSensitivity(Comparison):
    """The first state with one prunable tensor of the second, for every tensor in turn, float64 0-D.

    removed_loss of TENSOR, removed_error of TENSOR: mean rise over the first state's loss (nats) and error where the
        tensor loses what the second state lacks, and what stays keeps its value.
    exchanged_loss of TENSOR, exchanged_error of TENSOR: the same where the tensor is that of the second state.
    QUANTITY_se of TENSOR: standard error of that mean over the examples, which are paired.

    Only tensors that differ are measured; running statistics of normalization stay those of the first state.

    split: which examples.
    examples: the first so many of the split; every tensor takes two passes over them.
    """

    split: SplitName = "test"
    examples: int = Field(default=1000, ge=2)

    def compare(self, first: State, second: State) -> dict[str, Tensor]:
        """Four rises, and their standard errors, of every tensor that differs."""
        split = same_examples(first, second, self.split, self.examples)
        weights, other = first.weights, second.weights
        whole = evaluate(first.problem, weights, split)
        values: dict[str, Tensor] = {}
        for name, mask in weights.masks.items():
            if torch.equal(weights.params[name], other.params[name]):
                continue
            kept = mask & other.masks[name]
            leaf = masked({name: weights.params[name]}, {name: kept})[name]
            variants = {"removed": (leaf, kept), "exchanged": (other.params[name], other.masks[name])}
            for kind, (tensor, its_mask) in variants.items():
                changed = weights.replace(
                    params={**weights.params, name: tensor}, masks={**weights.masks, name: its_mask}
                )
                values |= _rises(f"{kind}_", name, whole, evaluate(first.problem, changed, split))
        return values


def _rises(kind: str, name: str, before: Evaluation, after: Evaluation) -> dict[str, Tensor]:
    rises = {"loss": after.loss.double() - before.loss.double(), "error": after.wrong - before.wrong}
    root = len(before.wrong) ** 0.5
    return {f"{kind}{part} of {name}": rise.mean() for part, rise in rises.items()} | {
        f"{kind}{part}_se of {name}": rise.std() / root for part, rise in rises.items()
    }
