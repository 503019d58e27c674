"""The state of a run at one moment."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from torch import Tensor

from prunescope.base.digest import array_digest, text_digest
from prunescope.base.tree import Masks, Tree, clone, sparsity


class _Parameters(dict[str, Tensor]):
    """Trainable parameters, of which frozen ones are no items, but are found by name."""

    def __init__(self, params: Tree, others: Tree) -> None:
        super().__init__(params)
        self._others = others

    def __missing__(self, name: str) -> Tensor:
        return self._others[name]


class Replaceable:
    """A frozen dataclass with copies in which some fields are others."""

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields exchanged."""
        return replace(self, **changes)  # type: ignore[type-var]  # a dataclass


@dataclass(frozen=True)
class Weights(Replaceable):
    """A network's tensors.

    params: trainable parameters, by name.
    buffers: tensors that are not trained, by name: BatchNorm statistics, frozen parameters (requires_grad=False).
    masks: bool tensors of the shape of their parameter, True = kept; what has none is not maskable.
    """

    params: Tree
    buffers: Tree
    masks: Masks

    @property
    def sparsity(self) -> float:
        """Zeros over maskable weights."""
        return sparsity(self.masks)

    @property
    def digest(self) -> str:
        """32 hexadecimal digits of the names and values of all tensors."""
        trees = {"params": self.params, "buffers": self.buffers, "masks": self.masks}
        leaves = (f"{kind} {name} {array_digest(leaf)}" for kind, part in trees.items() for name, leaf in part.items())
        return text_digest("\n".join(sorted(leaves)))

    def with_frozen(self) -> Self:
        """The same, in which `params[name]` is there for frozen parameters, too: for what a user looks up by name."""
        return self.replace(params=_Parameters(self.params, self.buffers))

    def apart(self) -> Self:
        """As `with_frozen`, in tensors of its own, for code that may work in place."""
        own = self.replace(params=clone(self.params), buffers=clone(self.buffers), masks=clone(self.masks))
        return own.with_frozen()


@dataclass(frozen=True)
class TrainState(Replaceable):
    """A run between two steps.

    step: steps since the very first initialization, over all ancestors; all randomness is keyed by it.
    schedule_step: position in the learning-rate schedule; a rewind moves it back.
    weights: parameters, buffers and masks.
    opt: optimizer state by name ("momentum"), each a tree with the names of the parameters.
    memory: one tree for every intervention, by the intervention's key.
    held: bool tensors of the shape of their parameter, True = at zero for a while. Masks say what is removed for
        good. A parameter without a mask (a bias, gamma, beta) is held for as long as its unit is removed.
    """

    step: int
    schedule_step: int
    weights: Weights
    opt: dict[str, Tree] = field(default_factory=dict)
    memory: dict[str, Tree] = field(default_factory=dict)
    held: dict[str, Tensor] = field(default_factory=dict)

    @property
    def free(self) -> Masks:
        """Bool masks of the maskable weights that need not be 0, because they are kept and not held."""
        return {
            name: mask & ~self.held[name] if name in self.held else mask for name, mask in self.weights.masks.items()
        }

    @property
    def movable(self) -> Masks:
        """Bool masks as in `free`, and also of the parameters that are held and have no mask."""
        others = self.held.keys() - self.weights.masks.keys()
        return self.free | {name: ~self.held[name] for name in sorted(others)}
