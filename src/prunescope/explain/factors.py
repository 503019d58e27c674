"""What pruning consists of: parts of the treatment that can be given without the others, and who gets them.

Another part is another `Factor`, in a file of its own, handed to `explain(factors=...)`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.steps import Duration
from prunescope.explain.claims import WHOLE
from prunescope.runs.graph.families import final
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.checked import Checked, require_all
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
            total = self.base.steps
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


@dataclass(frozen=True)
class Factor(Checked):
    """A part of what pruning does to a network. All factors together are pruning itself.

    name: one word, in tables, sentences and the names of claims.
    says: what it is, for the report.
    given: from an arm to the arm with this part of the treatment.
    needs: names of other factors of which at least one has to be there; none: it can be given alone.
    """

    name: str
    says: str
    given: Callable[[Arm], Arm]
    needs: frozenset[str] = frozenset()


def require_factors(factors: object) -> None:
    """Raises UsageError for what are no factors, for two of one name, and for a need that nothing meets."""
    require_all(factors, Factor, "factors")
    assert isinstance(factors, tuple | list)
    names = [factor.name for factor in factors]
    if len({WHOLE, *names}) <= len(names):
        raise UsageError(f"factors are called {', '.join(names)}; give each a name of its own, other than {WHOLE!r}")
    if unknown := frozenset().union(*(factor.needs for factor in factors)) - set(names):
        raise UsageError(f"a factor needs {', '.join(sorted(unknown))}, and there are {', '.join(names)}")


FACTORS = (
    # Source: Jin et al. 2022, section 4 (extended dense training).
    Factor(
        "time", "the schedule is replayed as often as for the pruned network", lambda arm: replace(arm, replayed=True)
    ),
    # Alone: small from the start. Beside disturbance: what is set to zero stays away, so that it says whether removal
    # has to be permanent. Source: Jin et al. 2022, section 5 (width); Bartoldson et al. 2020, section 4.3 (permanence).
    Factor("size", "the network ends with as few weights as the pruned one", lambda arm: replace(arm, small=True)),
    # Alone: weights are released at once. Beside size: they are gone from the events on and not from the start, so that
    # it says whether it matters when a network becomes small. Source: Bartoldson et al. 2020, section 4.3 (zeroing).
    Factor(
        "disturbance",
        "weights become zero while the network trains, at the events of pruning",
        lambda arm: replace(arm, disturbed=True),
    ),
    # Source: Frankle et al. 2021, section 5 (masks shuffled within layers).
    Factor(
        "choice",
        "the score chooses the weights, not chance within the same layers",
        lambda arm: replace(arm, chosen=True),
        needs=frozenset({"size", "disturbance"}),
    ),
)
"""Pruning, taken apart."""
