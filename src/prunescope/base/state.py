"""What a run is at one moment."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from torch import Tensor

from prunescope.base.tree import Masks, Tree, sparsity


@dataclass(frozen=True)
class Weights:
    """A network's tensors: parameters, buffers (BatchNorm statistics) and masks (bool, True = kept)."""

    params: Tree
    buffers: Tree
    masks: Masks

    @property
    def sparsity(self) -> float:
        """Zeros over maskable weights."""
        return sparsity(self.masks)

    def replace(self, **changes: Any) -> Self:
        """A copy with some trees exchanged."""
        return replace(self, **changes)


@dataclass(frozen=True)
class TrainState:
    """A run between two steps.

    step: steps since the very first initialization, over all ancestors; keys all randomness.
    schedule_step: position in the learning-rate schedule; a rewind moves it back.
    opt: optimizer state by name ("momentum"), keyed like the parameters inside.
    memory: trees owned by one intervention each, by its key.
    held: parameters at zero for a while (bool, True = held); masks say what is gone for good. What has no mask (a
    bias, BatchNorm's gamma and beta) is held for as long as its unit is gone.
    """

    step: int
    schedule_step: int
    weights: Weights
    opt: dict[str, Tree] = field(default_factory=dict)
    memory: dict[str, Tree] = field(default_factory=dict)
    held: dict[str, Tensor] = field(default_factory=dict)

    @property
    def free(self) -> Masks:
        """Bool masks of the maskable weights that may be other than 0: kept and not held."""
        return {
            name: mask & ~self.held[name] if name in self.held else mask
            for name, mask in self.weights.masks.items()
        }

    @property
    def movable(self) -> Masks:
        """Bool masks of all parameters that have entries kept at 0: `free`, and what is held without a mask."""
        others = self.held.keys() - self.weights.masks.keys()
        return self.free | {name: ~self.held[name] for name in sorted(others)}

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields exchanged."""
        return replace(self, **changes)
