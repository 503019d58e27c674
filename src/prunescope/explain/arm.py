"""From the part of pruning that a network gets to its recipes.

Belongs here: what an arm is. Does not belong here: which arms there are (`design.py`), the parts by name (`factors/`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from prunescope.base.errors import UsageError
from prunescope.base.reference import StateRef
from prunescope.base.steps import Duration
from prunescope.runs.graph.families import final
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.model import Model
from prunescope.tasks.network import Network
from prunescope.training.interventions import At, Intervention, KeepAsMany, Prune, Release, TakeMasks


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
        """Its recipes up to the one that stands beside `level` of pruning; the last is the arm.

        Without replays it has one recipe; level 0 is the dense network.
        """
        if not level:
            return [self.base]
        if self.is_pruning:
            return list(self.pruned[: level + 1])
        chain = [self._first(level)]
        again = chain[0].replace(begin=self.rewind, interventions=())
        for number in range(1, level + 1) if self.replayed else ():
            events = self._event(number, "0it") if self.disturbed else ()
            chain.append(again.replace(start=final(chain[-1]), interventions=(*events, *self.also)))
        return chain

    @property
    def is_pruning(self) -> bool:
        """Whether it is the pruned network itself."""
        return self.replayed and self.small and self.disturbed and self.chosen and not self.also

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


def remaining(prune: Prune, levels: int) -> dict[int, float]:
    """The share of weights that remains, by level. Raises UsageError for levels that remove nothing or everything."""
    many = 10**9
    counts = [many]
    for level in range(1, levels + 1):
        counts.append(prune.amount.remaining_after(counts[-1], total=many, event=1, events=1))
        if not 0 < counts[-1] < counts[-2]:
            raise UsageError(
                f"level {level} cannot be reached: {prune.amount!r} leaves a share of {counts[-1] / many:.3g} after "
                f"{counts[-2] / many:.3g}; give levels={level - 1}, or another amount"
            )
    return {level: count / many for level, count in enumerate(counts)}


def narrower(recipe: Recipe, left: Mapping[int, float]) -> dict[int, Network]:
    """The network of a recipe so narrow that at most a share of its prunable weights is left: by level.

    The factory's argument `scale` multiplies the widths. Raises UsageError where the factory has no such argument, and
    where the narrowest network has over a tenth too many weights.
    """
    net = recipe.task.network
    scale = net.args.get("scale")
    fix = "leave size='narrower' out: then the small network is the full one under a random mask"
    if not isinstance(scale, int | float):
        raise UsageError(f"{net.path} has no argument 'scale' to multiply its widths with; add one, or {fix}")

    @cache
    def weights(parts: int) -> int:
        model = Model(net.with_args(scale=scale * parts / 1024))
        return sum(model.parameters[name].numel() for name in model.maskable)

    def scaled(share: float) -> Network:
        low, high, count = 1, 1025, share * weights(1024)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if weights(middle) <= count else (low, middle)
        if weights(low) > 1.1 * count:
            raise UsageError(
                f"the narrowest {net.path} has {weights(low)} prunable weights, the pruned network {count:.0f}; prune "
                f"less, or {fix}"
            )
        return net.with_args(scale=scale * low / 1024)

    return {level: scaled(share) for level, share in left.items() if level}
