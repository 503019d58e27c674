"""The kinds of claims that the two papers make of any comparison, and what must hold before one is judged.

Belongs here: claims on arms and correlations, and preconditions. Does not belong here: sentences, places and published
numbers (the file of each figure).
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Literal, TypedDict, Unpack

import numpy as np

from prunescope.papers.bartoldson.quantities import Comparison
from prunescope.papers.bartoldson.scales import Size, TraceSize
from prunescope.studies import correlation, statistics
from prunescope.studies.claim import Basis, Claim, Precondition
from prunescope.studies.correlation import Points
from prunescope.studies.events import SOON
from prunescope.studies.quantity import Quantity, combined, constant, side_by_side
from prunescope.studies.region import Direction, Equivalence, Near, Region
from prunescope.studies.results import Numbers

LESS, MORE = Direction("less"), Direction("greater")
POINTS = "percentage points"
MOVES: Mapping[str, float] = {"mean_stability": 1.0, "recalibrated_stability": 1.0, "mean_drop": 1.0}
"""By how many points the arms' means must differ (proposed)."""


def fits(
    comparison: Comparison, *quantities: str, arms: Sequence[str] = (), at_least: float = 99.9
) -> Precondition:
    """Every run fits its training set in the states that these quantities are of; none named means at the end.

    Source: Bartoldson et al. 2020, section 2 ("all training accuracies at the time of evaluation are 100%"). That
    99.9 % counts as 100 % is proposed here.
    """
    states = {"best": "train_at_best", "gap": "train_at_best"}
    states |= dict.fromkeys(comparison.observables.measures, "train_at_moment")
    where = sorted({states.get(quantity, "train") for quantity in quantities or ("train",)})
    return Precondition(
        "every network fits its training set where it is evaluated",
        comparison.all(where, arms=arms).named(unit="% training accuracy"),
        at_least=at_least,
    )


def moves(
    comparison: Comparison,
    x: str = "mean_stability",
    *,
    arms: Sequence[str] = (),
    least: Mapping[str, float] = MOVES,
) -> Precondition:
    """Arms differ in x by enough for a correlation with it to mean anything.

    least: by quantity, how much; of what it does not name, any spread at all.
    """

    def spread(*values: Numbers) -> float:
        centres = [float(some.mean()) for some in values if np.isfinite(some).all()]
        return max(centres) - min(centres) if centres else 0.0

    return Precondition(
        f"arms differ in {x.replace('_', ' ')}",
        combined(
            spread,
            *(comparison.value(name, x) for name in arms or comparison.by_name),
            unit="between arms' means",
        ),
        at_least=least.get(x, 1e-9),
    )


def falls(comparison: Comparison, x: str, y: str) -> Precondition:
    """Without anything held fixed, y falls with x: the upper end of the jackknife's 95 % interval is below 0.

    Without it there is nothing that a mediator could explain.
    """

    def upper(values: Numbers) -> float:
        return statistics.t_interval(values).high if np.isfinite(values).all() else float("nan")

    end = comparison.correlation(x, y).map(upper, unit="upper end of the correlation's interval")
    return Precondition(f"{y.replace('_', ' ')} falls with {x.replace('_', ' ')}", end, at_most=-1e-9)


def as_published(size: TraceSize, *more: str) -> Precondition:
    """The paper's own network, data and length of training: a published number means nothing for another.

    more: further settings that the number depends on, such as flat_images.
    """
    paper = type(size)()
    names = ("data", "share", "width", "compress", "batch", "test_limit", *more)
    others = [name for name in names if getattr(size, name) != getattr(paper, name)]
    which = f" (here others: {', '.join(others)})" if others else ""
    return Precondition(
        f"the network, the data and the schedule are the paper's{which}", constant(len(others)), at_most=0
    )


def log_p(points: Points, *, side: Literal["less", "greater"], runs: int) -> float:
    """log10 of the two-sided p-value that Pearson's correlation of these points has over `runs` of them.

    Student's t on runs - 2 degrees of freedom; 0 where the correlation is on the other side of 0, NaN where it is not
    defined.
    """
    from scipy import stats

    r = np.clip(correlation.r(points) * (1 if side == "greater" else -1), 0.0, 1 - 1e-15)
    t = r * np.sqrt((runs - 2) / (1 - r**2))
    return float((np.log(2) + stats.t.logsf(t, runs - 2)) / np.log(10))


def log10_p(
    comparison: Comparison,
    x: str,
    y: str,
    side: Literal["less", "greater"],
    *,
    p: float,
    tolerance: float,
    runs: int,
    arms: Sequence[str],
) -> tuple[Quantity, Near]:
    """The p-value that Pearson's correlation has over as many runs as in the paper, and where it is claimed to be.

    On a scale of log10; it says nothing more than the correlation. side: of 0, on which the correlation is.
    """
    unit = f"log10 of the p-value of Pearson's correlation over {runs} runs"
    statistic = partial(log_p, side=side, runs=runs)
    found = comparison.correlation(x, y, statistic, arms=arms, unit=unit)
    return found, Near(round(float(np.log10(p)), 2), tolerance)


def from_ends(comparison: Comparison, arms: Sequence[str], low: float, high: float) -> Quantity:
    """Distances of the best accuracy of every arm from both ends of a plot's axis: [R, 2 arms], positive between them."""
    best = side_by_side([comparison.value(name, "best").named("") for name in arms])
    return best.map(
        lambda values: np.concatenate([values - low, high - values], axis=1),
        label=f"distances of {len(arms)} arms from {low:g} and {high:g}",
    )


class Also(TypedDict, total=False):
    """What a claim has besides its quantity.

    needs: what must hold before it is judged.
    basis, place: others than those of `Says`.
    """

    needs: Sequence[Precondition]
    basis: Basis
    place: str


@dataclass(frozen=True)
class Says:
    """Makes the claims that one place of a paper makes of a comparison.

    place: where the paper says so.
    arms: those that correlations are over; none means all.
    basis: whether the paper says so.

    Unless `needs` says otherwise, all runs of a claim's arms must fit their training set in the state that is compared,
    and arms of a correlation must differ in what they are correlated with.
    """

    comparison: Comparison
    _: KW_ONLY
    place: str
    arms: tuple[str, ...] = ()
    basis: Basis = "paper"

    def __call__(
        self, name: str, says: str, quantity: Quantity, region: Region, **also: Unpack[Also]
    ) -> Claim:
        """The claim that a quantity lies in a region; it needs nothing by default."""
        return Claim(
            name,
            says,
            quantity,
            region,
            basis=also.get("basis", self.basis),
            place=also.get("place", self.place),
            preconditions=tuple(also.get("needs", ())),
        )

    def gap(
        self,
        name: str,
        says: str,
        arm: str,
        over: str,
        quantity: str = "best",
        region: Region = MORE,
        **also: Unpack[Also],
    ) -> Claim:
        """A quantity of one arm minus that of another at the same seeds; by default it is greater."""
        also.setdefault("needs", (fits(self.comparison, quantity, arms=(arm, over)),))
        return self(name, says, self.comparison.gap(arm, over, quantity), region, **also)

    def same(
        self,
        name: str,
        says: str,
        arm: str,
        over: str,
        quantity: str = "best",
        *,
        margin: float,
        **also: Unpack[Also],
    ) -> Claim:
        """Two arms differ by no more than `margin`, which is proposed."""
        also["place"] = f"{self.place} (the margin is proposed here)"
        return self.gap(name, says, arm, over, quantity, Equivalence(margin), **also)

    def correlation(
        self, name: str, says: str, x: str, y: str, region: Region, **also: Unpack[Also]
    ) -> Claim:
        """Pearson's correlation of two quantities over all runs of the arms."""
        ready = (fits(self.comparison, x, y, arms=self.arms), moves(self.comparison, x, arms=self.arms))
        also.setdefault("needs", ready)
        return self(name, says, self.comparison.correlation(x, y, arms=self.arms), region, **also)

    def gone(self, name: str, arm: str, percent: float, *, count: str, size: Size, place: str = "") -> Claim:
        """So many percent of the parameters are gone, to the digits that are published.

        count: "own" or "structural", see `UnitsGone`; which of them a number is follows from its value.
        """
        paper = type(size)().width
        widths = Precondition(
            "widths are the paper's", constant(size.width), at_least=paper, at_most=paper
        )
        return self(
            name,
            f"{arm} removes {percent:g} % of the parameters (to the published digits).",
            self.comparison.value(arm, count),
            Near(percent, 0.5),
            needs=(widths,),
            place=place or self.place,
        )

    def recovers(self, name: str, arm: str, *, place: str = "") -> Claim:
        """Accuracy is back within a few epochs of most events; of events without recovery it is not."""
        cost = self.comparison.value(arm, "worst_drop").named("", "percentage points at the worst event")
        return self(
            name,
            f"After most events of {arm}, accuracy is back within a few epochs (proposed: {SOON}, and half of the "
            "events).",
            self.comparison.value(arm, "recovered_soon"),
            Direction("greater", than=50.0),
            # Without an event that costs a point (proposed) there is nothing to recover from.
            needs=(
                fits(self.comparison, arms=(arm,)),
                Precondition(f"events of {arm} cost accuracy", cost, at_least=1.0),
            ),
            place=f"{place or self.place} (the numbers are proposed here)",
        )
