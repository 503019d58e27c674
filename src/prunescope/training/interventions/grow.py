"""Dynamic sparse training: weights are dropped and others grow, at constant sparsity."""

import math
from typing import Literal

from pydantic import Field

from prunescope.base.errors import UsageError
from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock, Duration
from prunescope.base.tree import Masks, Tree
from prunescope.sparsity.scores import Magnitude, Random
from prunescope.sparsity.select import choose, prunable
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.prune import remove
from prunescope.training.interventions.when import Every


class Grow(Intervention):
    """Drops the smallest weights of each layer every `period` before `end`, and grows as many others there.

    A weight that was just dropped may grow again. Grown weights and their optimizer state start at 0.

    by: where weights grow: "gradient", where the dense gradient is largest (RigL), or "random" (SET).
    fraction: share of the remaining weights of each layer that is exchanged, rounded to a whole number.
    decay: "cosine" multiplies the share by (1 + cos(pi t / end)) / 2 at step t of the run; "constant" does not.
    period, end: the exchanges are `period` apart, and all before `end`.
    batches: training batches that the gradient is taken over.
    exclude: names of layers that are left alone.

    Source: Evci et al. 2020, algorithm 1 (RigL); Mocanu et al. 2018 (SET, constant fraction).
    Differs from the source: the step at which weights are exchanged is taken too, under the new masks. SET drops
    the smallest positive and the largest negative weights; here, as in Evci et al., the smallest magnitudes go.
    """

    by: Literal["gradient", "random"] = "gradient"
    fraction: float = Field(default=0.3, gt=0, lt=1)
    decay: Literal["cosine", "constant"] = "cosine"
    period: Duration = "100it"
    end: Duration = "75%"
    batches: int = Field(default=1, ge=1)
    exclude: tuple[str, ...] = ()

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The end of every period before `end`. Raises UsageError where there is none."""
        if clock.steps(self.period) >= clock.steps(self.end):
            raise UsageError(f"period={self.period!r} leaves no exchange before end={self.end!r}; give a shorter one")
        steps = Every(start=self.period, end=self.end, period=self.period).steps(clock)
        return tuple(step for step in steps if step < clock.steps(self.end))

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with other weights, as many in each layer. Raises UsageError when nothing is pruned."""
        before = state.weights.masks
        names = prunable(before, frozenset(self.exclude))
        if state.weights.sparsity == 0:
            raise UsageError("Grow exchanges weights of a sparse network, and nothing is pruned; put Prune first")
        share = self.fraction
        if self.decay == "cosine":
            share *= (1 + math.cos(math.pi * context.local / context.clock.steps(self.end))) / 2
        counts = {name: round(share * int(before[name].sum())) for name in names}
        magnitudes = Magnitude().scores(state.weights, context)
        thinned = before | _without({name: before[name] for name in names}, magnitudes, counts)
        grown = self._grown({name: ~thinned[name] for name in names}, counts, state, context)
        # This sets all that may grow to 0, even a weight that was just dropped.
        state = remove(state, thinned, context.slots)
        after = thinned | {name: thinned[name] | grown[name] for name in names}
        return state.replace(weights=state.weights.replace(masks=after))

    def _grown(self, empty: Masks, counts: dict[str, int], state: TrainState, context: Context) -> Masks:
        """Masks of the places that grow, `counts` of the empty ones in each layer."""
        if self.by == "gradient":
            slope = context.gradient(state.weights, self.batches)
            scores = {name: -slope[name].abs() for name in empty}
        else:
            scores = Random().scores(Weights({}, {}, empty), context)
        still_empty = _without(empty, scores, counts)
        return {name: mask & ~still_empty[name] for name, mask in empty.items()}


def _without(masks: Masks, scores: Tree, counts: dict[str, int]) -> Masks:
    """The masks without the `counts` weights of smallest score in each layer."""
    return {
        name: choose(scores, {name: mask}, count=counts[name], allow_collapse=True)[name]
        for name, mask in masks.items()
    }
