"""What an audit claims of every pruned network, and what it is judged by.

Two kinds of claims are kept apart. That these two networks differ is judged over examples like those of the test set.
That pruning did it, and not another seed, needs twins: the claim is then about the excess over all dense networks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from prunescope.audit.gate import BOUNDS, POINTS, WORDS, would
from prunescope.audit.tables import Findings
from prunescope.base.errors import PrunescopeError
from prunescope.studies.claim import Claim
from prunescope.studies.contrast import Contrast
from prunescope.studies.paired import examples_needed
from prunescope.studies.quantity import Estimate, Estimated
from prunescope.studies.region import Direction
from prunescope.studies.results import Node, Results

HARM = ("shown", "ruled out", "cannot tell")


class NoTwin(PrunescopeError):
    """Nobody can tell pruning from another seed where no other seed is given."""


@dataclass(frozen=True, eq=False)
class Claims:
    """The claims of an audit.

    read: from results to findings. nodes: what findings are read from.
    groups: whether there are groups of the user's. gate: bounds by name.
    """

    read: Callable[[Results], Findings]
    nodes: tuple[Node, ...]
    groups: bool
    gate: Mapping[str, float]

    def of_all(self, names: Sequence[str]) -> list[Claim]:
        """The claims about all pruned networks, in the order of their names."""
        return [claim for number, name in enumerate(names) for claim in self._of(number, name)]

    def _of(self, number: int, name: str) -> Iterator[Claim]:
        harm = partial(Claim, region=Direction("greater"), words=HARM, unwelcome=True)
        says = f"{name} is wrong more often than the dense network, on examples like these."
        change = self._estimated(number, lambda one: Estimate(one.overall.times(100), len(one.evidence)))
        yield harm(f"differs-{number}", says, change)
        harms = [("overall", "all", f"{name} is wrong more often than another seed of the dense network would be.")]
        harms += [("classes", "class", f"Some class loses more by {name} than by another seed.")]
        harms += [("groups", "", f"Some group loses more by {name} than by another seed.")] * self.groups
        for slug, family, says in harms:
            excess = self._estimated(number, partial(_excess, family=family))
            yield harm(f"beyond-seeds-{slug}-{number}", says, excess)
        for kind, bound in self.gate.items():
            yield Claim(
                f"gate-{kind}-{number}",
                f"{name}: {BOUNDS[kind].sentence(bound)}",
                self._estimated(number, partial(_bounded, kind=kind, bound=bound), BOUNDS[kind].unit),
                Direction("less", than=bound),
                words=WORDS,
            )

    def _estimated(self, number: int, of: Callable[[Contrast], Estimate], unit: str = POINTS) -> Estimated:
        return Estimated("", unit, self.nodes, lambda results: of(self.read(results).pruned[number]))


def _excess(one: Contrast, family: str) -> Estimate:
    if not one.evidence.twins:
        raise NoTwin("no twin is given, so nothing says what another seed changes; give networks of other seeds")
    places = one.places(*filter(None, [family]))
    excess = one.floor.excess.at(places)
    worst = one.parts[places[int(excess.estimate.argmax())]]
    over = f"examples, {len(one.evidence.seeds)} dense networks"
    about = "excess over dense networks" + ("" if family == "all" else f", worst: {worst.title}")
    return Estimate(excess.worst.times(100), len(one.evidence), over, about)


def _bounded(one: Contrast, kind: str, bound: float) -> Estimate:
    family, _ = BOUNDS[kind].of(one)
    worst, enough = family.worst.times(100), examples_needed(family, bound / 100, len(one.evidence))
    return Estimate(worst, len(one.evidence), about=would(enough) if worst.low <= bound <= worst.high else "")
