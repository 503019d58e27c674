"""Two states layer by layer: how far apart they are, and what it costs to prune one layer as in the other."""

import torch
from pydantic import Field
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.tree import masked
from prunescope.measures.measure import Comparison, SplitName, State, same_examples
from prunescope.tasks.evaluation import Evaluation, evaluate
from prunescope.tasks.recalibration import with_singular_vectors


class LayerDistance(Comparison):
    """Of every prunable tensor, a in the first state and b in the second, float64 0-D, named "QUANTITY of TENSOR".

    distance: |b - a|, and relative: |b - a| / |a|.
    removed: |a on what only the second state lacks| / |a|: the size of what was pruned.
    moved: |b - a on what both keep| / |a|: how far the rest went.
    cosine: <a, b> / |a||b|, 1 for the same direction.
    first_sparsity, second_sparsity: shares of removed weights.
    The same without "of TENSOR": over all prunable tensors taken as one vector.

    A quantity that divides by a layer without any weight left is not a number.
    """

    def compare(self, first: State, second: State) -> dict[str, Tensor]:
        """Of each tensor, and of all together."""
        a, b = first.weights, second.weights
        layers = {
            name: (
                a.params[name].double().flatten(),
                b.params[name].double().flatten(),
                a.masks[name].flatten(),
                b.masks[name].flatten(),
            )
            for name in a.masks
        }
        whole = _quantities(*(torch.cat(part) for part in zip(*layers.values(), strict=True)))
        return whole | {
            f"{quantity} of {name}": value
            for name, parts in layers.items()
            for quantity, value in _quantities(*parts).items()
        }


def _quantities(a: Tensor, b: Tensor, kept_a: Tensor, kept_b: Tensor) -> dict[str, Tensor]:
    length = a.norm()
    return {
        "distance": (b - a).norm(),
        "relative": (b - a).norm() / length,
        "removed": a[kept_a & ~kept_b].norm() / length,
        "moved": (b - a)[kept_a & kept_b].norm() / length,
        "cosine": a.dot(b) / (length * b.norm()),
        "first_sparsity": 1 - kept_a.double().mean(),
        "second_sparsity": 1 - kept_b.double().mean(),
    }


class LayerSensitivity(Comparison):
    """The first state with one prunable tensor of the second, for every tensor in turn, float64 0-D.

    removed_loss of TENSOR, removed_error of TENSOR: mean rise over the first state's loss (nats) and error where the
        tensor loses what the second state lacks, and what stays keeps its value.
    exchanged_loss of TENSOR, exchanged_error of TENSOR: the same where the tensor is that of the second state.
    QUANTITY_se of TENSOR: standard error of that mean over the examples, which are paired.

    Only tensors that differ are measured; running statistics of normalization stay those of the first state, and
    spectral normalization divides by the norm of the tensor that is there.

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
                changed = with_singular_vectors(first.problem, changed)
                values |= _rises(f"{kind}_", name, whole, evaluate(first.problem, changed, split))
        if not values:
            raise UsageError("both states have the same prunable tensors; compare a state with another one")
        return values


def _rises(kind: str, name: str, before: Evaluation, after: Evaluation) -> dict[str, Tensor]:
    rises = {"loss": after.loss.double() - before.loss.double(), "error": after.wrong - before.wrong}
    root = len(before.wrong) ** 0.5
    return {f"{kind}{part} of {name}": rise.mean() for part, rise in rises.items()} | {
        f"{kind}{part}_se of {name}": rise.std() / root for part, rise in rises.items()
    }
