"""Pruning: weights go for good."""

from prunescope.base import tree
from prunescope.base.errors import PrunescopeError
from prunescope.base.state import TrainState
from prunescope.base.steps import Clock
from prunescope.base.tree import Masks, Tree
from prunescope.sparsity.scores import Magnitude, Score
from prunescope.sparsity.select import Amount, Remaining, Scope, Target, Ties, choose, remove_count
from prunescope.training.interventions.intervention import Context, Intervention
from prunescope.training.interventions.when import At, When


class Prune(Intervention):
    """Removes weights by score at every event.

    amount: how many; scope: ranked over what; target: which end of the ranking goes; exclude: maskable tensors
    that are counted but never pruned.
    """

    amount: Amount = Remaining(fraction=0.2)
    score: Score = Magnitude()
    scope: Scope = "global"
    target: Target = "smallest"
    ties: Ties = "exact"
    exclude: tuple[str, ...] = ()
    allow_collapse: bool = False
    when: When = At()

    def events(self, clock: Clock) -> tuple[int, ...]:
        """The steps of `when`."""
        return self.when.steps(clock)

    def apply(self, state: TrainState, context: Context) -> TrainState:
        """The state with fewer weights; their values and moments are 0.

        Raises Unreachable or LayerCollapse when there is not enough to remove.
        """
        return self.once(state, context, event=context.event + 1, events=context.events)

    def once(self, state: TrainState, context: Context, *, event: int, events: int) -> TrainState:
        """The state after event number `event` (from 1) of `events`; see `apply`."""
        before = state.weights.masks
        count = remove_count(self.amount, before, event, events)
        if count == 0:
            return state
        masks = choose(
            self.score.scores(state.weights, context),
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
        return remove(state, masks, context.moments)


def remove(state: TrainState, masks: Masks, moments: tuple[str, ...]) -> TrainState:
    """The state under new masks: what they remove has weight 0 and optimizer moments 0."""
    weights = state.weights.replace(params=tree.masked(state.weights.params, masks), masks=masks)
    cleared: dict[str, Tree] = {
        name: tree.masked(part, masks) if name in moments else part for name, part in state.opt.items()
    }
    return state.replace(weights=weights, opt=cleared)
