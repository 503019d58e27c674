"""From the part of pruning that a network gets to its recipes."""

from collections.abc import Mapping
from dataclasses import dataclass

from prunescope.base.reference import StateRef
from prunescope.base.steps import Duration
from prunescope.runs.graph.families import final
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.network import Network
from prunescope.training.interventions import At, Intervention, KeepAsMany, Release, TakeMasks


@dataclass(frozen=True)
class Arm:
    """One network between the dense and the pruned one, of one replicate.

    Its weights go as in the pruned network of the same replicate: as many in each layer, at the same events.

    base: the dense recipe.
    pruned: the pruned network, level by level, the dense one first.
    rewind: the position of the schedule from which a level replays it.
    smaller: the narrower network by level; None where a random mask makes the network small.
    replayed: whether it trains for as long as the pruned network; if not, all happens within one schedule, with the
        events at equal distances.
    small: whether weights that are gone stay away.
    disturbed: whether they go at the events; if not, they are gone from the start.
    chosen: whether the same weights go, or random ones.
    also: what else happens at the start of every level, such as an intervention of a factor of your own.
    """

    base: Recipe
    pruned: tuple[Recipe, ...]
    rewind: Duration
    smaller: Mapping[int, Network] | None = None
    replayed: bool = False
    small: bool = False
    disturbed: bool = False
    chosen: bool = False
    also: tuple[Intervention, ...] = ()

    def chain(self, level: int) -> list[Recipe]:
        """Its recipes up to the arm, which stands beside `level` of pruning; one without replays; level 0 is dense."""
        if not level:
            return [self.base]
        if self.replayed and self.small and self.disturbed and self.chosen and not self.also:
            return list(self.pruned[: level + 1])
        chain = [self._first(level)]
        again = chain[0].replace(begin=self.rewind, interventions=())
        for number in range(1, level + 1) if self.replayed else ():
            events = self._event(number, "0it") if self.disturbed else ()
            chain.append(again.replace(start=final(chain[-1]), interventions=(*events, *self.also)))
        return chain

    def _first(self, level: int) -> Recipe:
        if self.disturbed and not self.replayed:
            total = self.base.clock().total
            places = [f"{number * total // (level + 1)}it" for number in range(1, level + 1)]
            events = [part for number, at in enumerate(places, 1) for part in self._event(number, at)]
            return self.base.replace(interventions=tuple(events))
        if self.small and not self.disturbed:
            if self.smaller and not self.chosen:
                return self.base.replace(task=self.base.task.replace(network=self.smaller[level]))
            return self.base.replace(interventions=(self._gone(level, "0it"),))
        return self.base

    def _event(self, number: int, at: Duration) -> tuple[Intervention, ...]:
        gone = self._gone(number, at)
        return (gone,) if self.small else (gone, Release(when=At(at=at)))

    def _gone(self, level: int, at: Duration) -> Intervention:
        state = StateRef(run=self.pruned[level])
        return (TakeMasks if self.chosen else KeepAsMany)(of=state, when=At(at=at))
