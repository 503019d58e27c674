"""Interventions that give weights other values and leave masks alone."""

from typing import Literal

import torch
from pydantic import Field

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.state import TrainState
from prunescope.base.steps import Clock, Duration
from prunescope.sparsity.structure import gates
from prunescope.training.interventions.intervention import Context, ScheduledIntervention
from prunescope.training.interventions.when import At, When
from prunescope.training.optimizers.wrapper import AVERAGE, COUNT


class Rewind(ScheduledIntervention):
    """Gives the weights the values that they had in another state; masks, gates and holds stay.

    to: the other state.
    what: "all" restores BatchNorm statistics too, "weights" does not.

    Source: Frankle et al. 2020, Algorithm 2 (rewinding to iteration k); Renda et al. 2020 (weight rewinding).
    """

    to: StateRef
    what: Literal["all", "weights"] = "all"

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with the referenced values under its own masks."""
        source = context.reference(self.to)
        weights = state.weights.replace(params=tree.masked(source.params, state.movable))
        if self.what == "all":
            weights = weights.replace(buffers=source.buffers | gates(weights.buffers))
        return state.replace(weights=weights)


class Reinit(ScheduledIntervention):
    """Draws all weights and statistics anew; masks, gates and holds stay, and optimizer state starts again at 0.

    Source: Frankle and Carbin 2019, the random-reinitialization control.
    """

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with fresh values."""
        fresh = context.fresh()
        weights = fresh.replace(
            params=tree.masked(fresh.params, state.movable),
            buffers=fresh.buffers | gates(state.weights.buffers),
            masks=state.weights.masks,
        )
        opt = {name: tree.tree_map(lambda leaf: leaf * 0, part) for name, part in state.opt.items()}
        return state.replace(weights=weights, opt=opt)


class Rescale(ScheduledIntervention):
    """Multiplies all maskable weights by one number; removed weights stay 0, and other parameters do not change.

    by: the factor. After random pruning to density p, p^(-1/2) restores the variance of the sums that reach a neuron.

    Source: proposed here, as a control of pruning at initialization.
    """

    by: float = Field(gt=0, allow_inf_nan=False)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with the multiplied weights."""
        before = state.weights
        params = before.params | {name: before.params[name] * self.by for name in before.masks}
        return state.replace(weights=before.replace(params=params))


class UseAverage(ScheduledIntervention):
    """Gives the weights the values of the average that the optimizer `Averaged` keeps; masks and buffers stay.

    BatchNorm statistics stay those of training, as torch's AveragedModel leaves them to its user.

    when: by default at the end of the run, so that its final state is the average.
    """

    when: When = At(at="100%")

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with the averaged parameters. Raises UsageError where no average is kept."""
        return state.replace(weights=state.weights.replace(params=averaged_params(state)))


def averaged_params(state: TrainState) -> tree.Tree:
    """The averaged parameters of a state, 0 where weights are removed or held; the parameters before the first step.

    Raises UsageError where no average is kept.
    """
    if AVERAGE not in state.opt:
        raise UsageError(
            "this run keeps no average of its weights; wrap its optimizer, as in Averaged(optimizer=SGD(), decay=0.999)"
        )
    if int(state.opt[COUNT][""]) == 0:
        return state.weights.params
    return tree.masked(state.opt[AVERAGE], state.movable)


class Noise(ScheduledIntervention):
    """Adds N(0, s^2) to every kept maskable weight before each of `length` steps, from each event on.

    s = std * (the standard deviation of the kept weights of the same tensor), so that one number suits every
    layer. Removed and held weights stay at 0. The state of the optimizer does not change.

    std: the noise relative to the weights, dimensionless.
    length: duration of the noise from each event on.
    """

    std: float = Field(gt=0)
    length: Duration = "1it"

    def events(self, clock: Clock) -> tuple[int, ...]:
        """Every step before which noise is added. Raises UsageError for noise that would outlast the run."""
        spans = self.when.spans(clock, length=self.length)
        return tuple(sorted({k for start, end in spans for k in range(start, end)}))

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with noisy weights."""
        generator = context.stream("noise")
        params = dict(state.weights.params)
        for name, free in sorted(state.free.items()):
            weight = params[name]
            draw = torch.randn(weight.shape, generator=generator).to(weight)
            scale = self.std * weight[free].std() if int(free.sum()) > 1 else weight.new_zeros(())
            params[name] = weight + scale * draw * free
        return state.replace(weights=state.weights.replace(params=params))
