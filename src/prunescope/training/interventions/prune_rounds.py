"""Pruning in rounds: many small cuts between two steps, the score taken anew before each."""

from typing import Self

from pydantic import Field, model_validator

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.sparsity.select import Sparsity
from prunescope.sparsity.synflow import SynFlow
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.prune import Prune


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
