"""How far apart two states are, layer by layer, and where each has its zeros."""

import torch
from torch import Tensor

from prunescope.measures.comparison import Comparison, State


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
