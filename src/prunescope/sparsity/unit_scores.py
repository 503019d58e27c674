"""Scores of units: how much a filter or neuron is worth keeping.

Belongs here: one number for every unit of a layer. Does not belong here: how many units go and which
(`training/interventions/`), scores of single weights (`scores.py`), what a unit is (`structure.py`).
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.base.value import Value
from prunescope.sparsity.structure import Units


class UnitScore(Value):
    """A number for every unit of a layer; only the order within a layer matters.

    A score may watch the network train: `needs` names modules, `observe` sees their outputs, and what it makes of
    them is kept in the memory of the intervention that uses the score. Nothing of it is ever mutated.
    """

    watches: ClassVar[bool] = False

    @abstractmethod
    def scores(self, weights: Weights, units: Units, memory: Tree) -> Tensor:
        """The scores [N] of the units of one layer, float64. memory: what `observe` has made so far."""

    def check(self, units: Units) -> None:
        """Raises UsageError for a layer that cannot be scored; called before training."""

    def init(self, weights: Weights, layers: Sequence[str]) -> Tree:
        """The memory before training, for the layers that will be scored."""
        return {}

    def needs(self, step: int) -> frozenset[str]:
        """Modules whose outputs `observe` wants in the training pass of this step of the run."""
        return frozenset()

    def observe(self, memory: Tree, captured: Tree) -> Tree:
        """The memory after a training pass with the captured outputs [B, N, ...]."""
        return memory


class FilterNorm(UnitScore):
    """The norm of a unit's weights, the bias left out: sum |w| (order 1) or sqrt(sum w^2) (order 2), units of weight.

    Source: Li et al. 2017 (order 1); Bartoldson et al. 2019 and 2020, section 2 (both; order 2 for VGG11).
    """

    order: Literal[1, 2] = 2

    def scores(self, weights: Weights, units: Units, memory: Tree) -> Tensor:
        """See `UnitScore.scores`; removed weights count as 0."""
        filters = weights.params[units.weight].detach().double().flatten(1)
        norm: Tensor = torch.linalg.vector_norm(filters, ord=self.order, dim=1)
        return norm


class ExpectedActivation(UnitScore):
    """E[BN], the mean of relu(x) for x ~ N(beta, gamma^2): beta (1 - Phi(a)) + |gamma| phi(a), a = -beta / |gamma|.

    beta and gamma are those of the BatchNorm after the layer; beta = gamma = 0 scores 0. signed: with gamma in place
    of |gamma|, which for a negative gamma is the mean of min(x, 0) instead ("EBN_alt").

    Source: Bartoldson et al. 2019, section 2 (E[BN]); the authors' code of 2020 for the signed form (ResNet18).
    """

    signed: bool = False

    def check(self, units: Units) -> None:
        """Raises UsageError for a layer without BatchNorm."""
        if not units.norm:
            raise UsageError(
                f"no BatchNorm follows {units.layer}, so it has no expected activation; score it by FilterNorm"
            )

    def scores(self, weights: Weights, units: Units, memory: Tree) -> Tensor:
        """See `UnitScore.scores`. Raises UsageError for a layer without BatchNorm."""
        self.check(units)
        gamma, beta = (weights.params[name].detach().double() for name in units.affine)
        scale = gamma if self.signed else gamma.abs()
        turn = beta / scale  # -a; infinite where scale is 0, not a number where both are
        density = torch.exp(-turn.square() / 2) / (2 * torch.pi) ** 0.5
        return torch.nan_to_num(beta * torch.special.ndtr(turn) + scale * density, nan=0.0)


class MeanActivation(UnitScore):
    """A moving average of how much a unit puts out in training batches.

    a <- decay a + (1 - decay) * sum over batch and positions of |z|, from a = 0, in every batch whose number in the
    run is a multiple of `every`. z is the input of the unit's activation: the output of the module that `outputs`
    names for its layer, which is the BatchNorm after it, or the gate where a shortcut is added first
    (`Units.output`). warm_up: updates that an average must have had before it is used.

    Source: Bartoldson et al. 2020, the authors' code (ResNet18; decay 0.9, every 10).
    Differs from the source: it has no check of the warm-up; there, pruning just starts later with this score.
    """

    watches: ClassVar[bool] = True
    outputs: dict[str, str]
    decay: float = Field(default=0.9, ge=0, lt=1)
    every: int = Field(default=10, ge=1)
    warm_up: int = Field(default=1, ge=1)

    @field_validator("outputs")
    @classmethod
    def _in_order(cls, outputs: dict[str, str]) -> dict[str, str]:
        return {layer: outputs[layer] for layer in sorted(outputs)}

    def check(self, units: Units) -> None:
        """Raises UsageError for a layer that `outputs` leaves out, or whose activation has another input."""
        named = self.outputs.get(units.layer)
        if named != units.output:
            raise UsageError(
                f"the activation after {units.layer} has the output of {units.output} as its input, but outputs "
                f"names {named!r}; write outputs={{{units.layer!r}: {units.output!r}, ...}}"
            )

    def init(self, weights: Weights, layers: Sequence[str]) -> Tree:
        """Averages [N] of 0 by layer, and a count of updates."""
        names = {layer: weights.params[f"{layer}.weight"] for layer in sorted(layers)}
        zeros = {f"average/{layer}": weight.new_zeros(len(weight)) for layer, weight in names.items()}
        return {**zeros, "updates": torch.zeros((), dtype=torch.int64)}

    def needs(self, step: int) -> frozenset[str]:
        """The named modules in every batch whose number is a multiple of `every`."""
        return frozenset(self.outputs.values() if step % self.every == 0 else ())

    def observe(self, memory: Tree, captured: Tree) -> Tree:
        """See `UnitScore.observe`."""
        moved: Tree = {}
        for layer, name in self.outputs.items():
            if f"average/{layer}" in memory:
                out = captured[name].detach().float()
                total = out.abs().sum([axis for axis in range(out.ndim) if axis != 1])
                average = memory[f"average/{layer}"]
                moved[f"average/{layer}"] = self.decay * average + (1 - self.decay) * total
        return {**memory, **moved, "updates": memory["updates"] + 1}

    def scores(self, weights: Weights, units: Units, memory: Tree) -> Tensor:
        """See `UnitScore.scores`. Raises UsageError before the warm-up is over."""
        updates = int(memory["updates"]) if "updates" in memory else 0
        if updates < self.warm_up:
            raise UsageError(
                f"activations were averaged {updates} times, and warm_up={self.warm_up}; prune later, or lower "
                f"warm_up or every={self.every}"
            )
        return memory[f"average/{units.layer}"].double()
