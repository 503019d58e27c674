"""Scores of units: how much a filter or neuron is worth keeping.

Belongs here: one number for every unit of a layer. Does not belong here: how many units go and which
(`training/interventions/`), scores of single weights (`scores.py`), what a unit is (`structure.py`).
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.base.value import Value
from prunescope.sparsity.structure import Part, Units


class UnitScore(Value):
    """A number for every unit of a layer; only the order within a layer matters.

    A score may watch the network train: `needs` names modules and `observe` receives their outputs. The memory that
    `observe` returns is kept by the intervention that uses the score, and never mutated.
    """

    @property
    def watches(self) -> bool:
        """Whether the score does so: whether its class names modules in `needs`."""
        return type(self).needs is not UnitScore.needs

    @abstractmethod
    def scores(self, weights: Weights, units: Units, memory: Tree) -> Tensor:
        """The scores of the units of one layer, float64 [N]. memory: the last one that `observe` returned."""

    def check(self, units: Units) -> None:
        """Raises UsageError for a layer that cannot be scored; called before training."""

    def init(self, weights: Weights, layers: Sequence[str]) -> Tree:
        """The memory before training; layers: names of those that will be scored."""
        return {}

    def needs(self, step: int) -> frozenset[str]:
        """Names of the modules whose outputs `observe` receives from the training pass of this step of the run."""
        return frozenset()

    def observe(self, memory: Tree, captured: Tree) -> Tree:
        """The memory after a training pass; captured: outputs [B, N, ...] by module."""
        return memory


class FilterNorm(UnitScore):
    """The norm of a unit's weights without its bias, in units of weight.

    order: 1 for sum |w|, 2 for sqrt(sum w^2).

    Source: Li et al. 2017 (order 1); Bartoldson et al. 2019 and 2020, section 2 (both; order 2 for VGG11).
    """

    order: Literal[1, 2] = 2

    def scores(self, weights: Weights, units: Units, memory: Tree) -> Tensor:
        """See `UnitScore.scores`; removed weights count as 0."""
        norms = [_row_norms(weights.params[part.name], part, self.order) for part in units.weights]
        if units.are_rows and len(norms) == 1:
            return norms[0]
        total = norms[0].new_zeros(units.count)
        for part, norm in zip(units.weights, norms, strict=True):
            places = torch.tensor(part.units, device=norm.device)
            total.index_add_(0, places[places >= 0], norm[places >= 0] ** self.order)
        return total ** (1 / self.order)


def _row_norms(weight: Tensor, part: Part, order: int) -> Tensor:
    rows = weight.detach().double().movedim(part.axis, 0).flatten(1)
    norms: Tensor = torch.linalg.vector_norm(rows, ord=order, dim=1)
    return norms


class ExpectedActivation(UnitScore):
    """E[BN], the mean of relu(x) for x ~ N(beta, gamma^2): beta (1 - Phi(a)) + |gamma| phi(a), a = -beta / |gamma|.

    beta and gamma are those of the BatchNorm after the layer; the score is 0 where both are 0.

    signed: whether gamma stands in place of |gamma|, which for a negative gamma gives the mean of min(x, 0)
        ("EBN_alt").

    Source: Bartoldson et al. 2019, section 2 (E[BN]); the authors' code of 2020 for the signed form (ResNet18).
    """

    signed: bool = False

    def check(self, units: Units) -> None:
        """Raises UsageError for a layer without BatchNorm."""
        if not (units.norm and units.are_rows):
            why = f"units of {units.layer} are several rows" if units.norm else f"no BatchNorm follows {units.layer}"
            raise UsageError(f"{why}, so it has no expected activation; score it by FilterNorm")

    def scores(self, weights: Weights, units: Units, memory: Tree) -> Tensor:
        """See `UnitScore.scores`. Raises UsageError for a layer without BatchNorm."""
        self.check(units)
        gamma, beta = (weights.params[name].detach().double() for name in units.affine)
        scale = gamma if self.signed else gamma.abs()
        turn = beta / scale  # -a; infinite where scale is 0, not a number where both are
        density = torch.exp(-turn.square() / 2) / (2 * torch.pi) ** 0.5
        return torch.nan_to_num(beta * torch.special.ndtr(turn) + scale * density, nan=0.0)


class MeanActivation(UnitScore):
    """A moving average of a unit's output in training batches.

    a <- decay a + (1 - decay) * sum over batch and positions of |z|, from a = 0, where z is the input of the unit's
    activation: [B, N, ...] after a convolution, [B, ..., N] after a linear layer (tokens are positions).

    outputs: for each layer the module whose output is z: the BatchNorm after the layer, or the gate where a shortcut
        is added first (`Units.output`).
    decay: weight of the previous average.
    every: the average is updated in the batches whose number in the run is a multiple of this.
    warm_up: updates that an average needs before it is used.

    Source: Bartoldson et al. 2020, the authors' code (ResNet18; decay 0.9, every 10).
    Differs from the source: it has no check of the warm-up; there, pruning just starts later with this score.
    """

    outputs: dict[str, str]
    decay: float = Field(default=0.9, ge=0, lt=1)
    every: int = Field(default=10, ge=1)
    warm_up: int = Field(default=1, ge=1)

    @field_validator("outputs")
    @classmethod
    def _in_order(cls, outputs: dict[str, str]) -> dict[str, str]:
        return {layer: outputs[layer] for layer in sorted(outputs)}

    def check(self, units: Units) -> None:
        """Raises UsageError for a layer that `outputs` leaves out, and for one whose units have no activation each."""
        if not units.are_rows:
            raise UsageError(f"the outputs of {units.output} are no units of {units.layer}; score them by FilterNorm")
        named = self.outputs.get(units.layer)
        if named != units.output:
            raise UsageError(
                f"the activation after {units.layer} has the output of {units.output} as its input, but outputs "
                f"names {named!r}; write outputs={{{units.layer!r}: {units.output!r}, ...}}"
            )

    def init(self, weights: Weights, layers: Sequence[str]) -> Tree:
        """A 0 by layer, which becomes an average [N], or [1, N] for units along the last axis; a count of updates."""
        names = {layer: weights.params[f"{layer}.weight"] for layer in sorted(layers)}
        zeros = {f"average/{layer}": w.new_zeros((1, 1) if w.ndim == 2 else 1) for layer, w in names.items()}
        return {**zeros, "updates": torch.zeros((), dtype=torch.int64)}

    def needs(self, step: int) -> frozenset[str]:
        """The named modules in every batch whose number is a multiple of `every`."""
        return frozenset(self.outputs.values() if step % self.every == 0 else ())

    def observe(self, memory: Tree, captured: Tree) -> Tree:
        """See `UnitScore.observe`."""
        averages: Tree = {}
        for layer, name in self.outputs.items():
            if f"average/{layer}" in memory:
                out = captured[name].detach().float()
                average = memory[f"average/{layer}"]
                units = 1 if average.ndim == 1 else out.ndim - 1
                total = out.abs().sum([axis for axis in range(out.ndim) if axis != units])
                averages[f"average/{layer}"] = self.decay * average + (1 - self.decay) * total
        return {**memory, **averages, "updates": memory["updates"] + 1}

    def scores(self, weights: Weights, units: Units, memory: Tree) -> Tensor:
        """See `UnitScore.scores`. Raises UsageError before the warm-up is over."""
        updates = int(memory["updates"]) if "updates" in memory else 0
        if updates < self.warm_up:
            raise UsageError(
                f"activations were averaged {updates} times, and warm_up={self.warm_up}; prune later, or lower "
                f"warm_up or every={self.every}"
            )
        return memory[f"average/{units.layer}"].flatten().double()
