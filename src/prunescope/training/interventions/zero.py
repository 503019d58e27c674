"""Temporary zeroing of weights."""

from typing import Literal

from prunescope.base.state import TrainState
from prunescope.base.steps import Clock, Duration
from prunescope.sparsity.scores import Magnitude, Score
from prunescope.sparsity.select import Amount, Remaining, Scope, Target, choose, remove_count
from prunescope.training.interventions.intervention import Context, ScheduledIntervention, with_memory


class Zero(ScheduledIntervention):
    """Sets chosen weights to 0 at every event and holds them there for a while.

    The weights are chosen as in `Prune`. Masks and optimizer state do not change.

    hold: duration of the hold; the last one ends within the run.
    reentry: whether the weights return at 0 or with the values that they had ("saved").

    Source: Bartoldson et al. 2020, section 4.3 (zeroing noise).
    Differs from the source: counted in training batches, never applied to test batches.
    """

    amount: Amount = Remaining(fraction=0.2)
    score: Score = Magnitude()
    scope: Scope = "global"
    target: Target = "smallest"
    exclude: tuple[str, ...] = ()
    hold: Duration = "1it"
    reentry: Literal["zero", "saved"] = "zero"

    def events(self, clock: Clock) -> tuple[int, ...]:
        """Every zeroing and every release, in order. Raises UsageError for a hold that outlasts the run."""
        return tuple(sorted({step for span in self.when.spans(clock, hold=self.hold) for step in span}))

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state after the releases, and then the zeroings, that are due."""
        spans = self.when.spans(context.clock, hold=self.hold)
        for number, (_, end) in enumerate(spans):
            if end == context.local:
                state = self._release(state, context.key, str(number))
        for number, (start, _) in enumerate(spans):
            if start == context.local:
                state = self._zero(state, context, str(number))
        return state

    def _zero(self, state: TrainState, context: Context, number: str) -> TrainState:
        free = state.free
        kept = choose(
            self.score.numbers(state.weights, context),
            free,
            count=remove_count(self.amount, free, 1, 1),
            scope=self.scope,
            target=self.target,
            exclude=frozenset(self.exclude),
            generator=context.stream("target"),
            allow_collapse=True,
        )
        held = {name: free[name] & ~mask for name, mask in kept.items()}
        memory = dict(state.memory[context.key])
        for name, where in held.items():
            memory[f"{number}/held/{name}"] = where
            if self.reentry == "saved":
                memory[f"{number}/saved/{name}"] = state.weights.params[name] * where
        return with_memory(state, context.key, memory)

    def _release(self, state: TrainState, key: str, number: str) -> TrainState:
        memory, params = dict(state.memory[key]), dict(state.weights.params)
        for name in state.weights.masks:
            where = memory.pop(f"{number}/held/{name}", None)
            saved = memory.pop(f"{number}/saved/{name}", None)
            if where is not None and saved is not None:
                params[name] = saved.where(where & state.weights.masks[name], params[name])
        return with_memory(state.replace(weights=state.weights.replace(params=params)), key, memory)
