"""Pruning: weights are removed for good, at once or in rounds."""

from typing import Self

from pydantic import Field, model_validator

from prunescope.base import tree
from prunescope.base.errors import PrunescopeError, Unreachable
from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.base.tree import Masks
from prunescope.sparsity.derivative_scores import SynFlow
from prunescope.sparsity.scores import Magnitude, Score
from prunescope.sparsity.select import Amount, Remaining, Scope, Sparsity, Target, Ties, choose, remove_count
from prunescope.training.interventions.intervention import Context, Intervention, ScheduledIntervention


class Prune(ScheduledIntervention):
    """Removes weights by score at every event.

    amount: the number of weights to remove.
    score: the value of a weight.
    scope: the sets of layers that are ranked together; see `choose`.
    target: the end of the ranking that is removed.
    ties: see `choose`.
    exclude: names of maskable tensors that are counted but never pruned.
    allow_collapse: whether a layer may lose its last weight.
    """

    amount: Amount = Remaining(fraction=0.2)
    score: Score = Magnitude()
    scope: Scope = "global"
    target: Target = "smallest"
    ties: Ties = "exact"
    exclude: tuple[str, ...] = ()
    allow_collapse: bool = False

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with fewer weights; the removed ones and their optimizer state are 0.

        Raises Unreachable or LayerCollapse when too few weights remain.
        """
        return self.once(state, context, event=context.event + 1, events=context.events)

    def once(self, state: TrainState, context: Context, *, event: int, events: int) -> TrainState:
        """The state after event number `event` (from 1) of `events`; see `apply`."""
        before = state.weights.masks
        count = remove_count(self.amount, before, event, events)
        if count == 0:
            self._check_removal(before, event, events)
            return state
        masks = choose(
            self.score.numbers(state.weights, context),
            before,
            count=count,
            scope=self.scope,
            target=self.target,
            exclude=frozenset(self.exclude),
            ties=self.ties,
            generator=context.stream("target"),
            allow_collapse=self.allow_collapse,
        )
        removed = tree.kept(before) - tree.kept(masks)
        if self.ties == "exact" and removed != count:
            raise PrunescopeError(f"asked to remove {count} weights, {removed} went; please report this")
        return remove(state, masks, context.slots)

    def _check_removal(self, masks: Masks, event: int, events: int) -> None:
        """Raises Unreachable where the last event leaves a dense network, although something was to be removed."""
        total, many = tree.size(masks), 10**9
        asked = self.amount.remaining_after(many, total=many, event=events, events=events) < many
        if asked and event == events and tree.kept(masks) == total:
            raise Unreachable(
                f"{self.amount!r} removes none of the {total} prunable weights, so nothing would be pruned; ask for a "
                "larger share, or name more tensors with prunable="
            )


class PruneRounds(Intervention):
    """Prunes in several rounds at each event, with new scores in every round.

    prune: the pruning and its events.
    rounds: number of rounds at each event.

    With the amount `Sparsity(final)`, the curve "geometric" is the exponential schedule: density (1 - final)^(k /
    rounds) after round k. Several events share the curve. The gradients of all rounds are over the same batches.

    Source: Tanaka et al. 2020, algorithm 1 (SynFlow, 100 rounds); de Jorge et al. 2021 (iterative SNIP).
    """

    prune: Prune = Prune(amount=Sparsity(final=0.9), score=SynFlow())
    rounds: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _ranks(self) -> Self:
        if self.prune.target == "random":
            raise ValueError("target='random' ranks nothing, so rounds change nothing; use Prune alone")
        return self

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `prune`."""
        return self.prune.events(clock)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state after the last round. Raises what `Prune.apply` raises."""
        for number in range(1, self.rounds + 1):
            event = context.event * self.rounds + number
            state = self.prune.once(state, context, event=event, events=context.events * self.rounds)
        return state


def remove(state: TrainState, masks: Masks, slots: tuple[str, ...]) -> TrainState:
    """The state under new masks, in which the removed weights and their optimizer state are 0."""
    state = zero_outside(state, masks, slots)
    return state.replace(weights=state.weights.replace(masks=masks))


def zero_outside(state: TrainState, masks: Masks, slots: tuple[str, ...]) -> TrainState:
    """The state with 0 in parameters, and in the optimizer's `slots`, where the mask of their name is False."""
    weights = state.weights.replace(params=tree.masked(state.weights.params, masks))
    opt = {name: tree.masked(part, masks) if name in slots else part for name, part in state.opt.items()}
    return state.replace(weights=weights, opt=opt)
