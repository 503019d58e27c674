"""How the claims of the two papers are made, and those that several figures make."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

import prunescope as ps
from prunescope.papers.bartoldson.comparison import Compared, Comparison
from prunescope.papers.bartoldson.scales import Size, TraceSize
from prunescope.studies import correlation, statistics
from prunescope.studies.claim import Basis
from prunescope.studies.correlation import Points
from prunescope.studies.events import SOON

Claims = Iterable[ps.Claim]
LESS, MORE = ps.Direction("less"), ps.Direction("greater")
Side = Literal["less", "greater"]


@dataclass(frozen=True)
class Says:
    """Makes the claims of one place of a paper.

    place: where the paper says so.
    basis: whether the paper says so.
    """

    place: str
    basis: Basis = "paper"

    def __call__(
        self,
        name: str,
        says: str,
        quantity: ps.Quantity,
        region: ps.Region,
        *also: ps.Precondition,
        needs: tuple[ps.Precondition, ...] | None = None,
        basis: Basis | None = None,
        place: str = "",
    ) -> ps.Claim:
        """One claim.

        also: what must hold besides what the quantity needs.
        needs: what must hold instead of that.
        basis, place: others than those of this maker.
        """
        if needs is None:
            needs = quantity.needs if isinstance(quantity, Compared) else ()
        margin = " (the margin is proposed here)" if isinstance(region, ps.Equivalence) else ""
        place, ready = place or f"{self.place}{margin}", (*also, *needs)
        return ps.Claim(name, says, quantity, region, basis=basis or self.basis, place=place, preconditions=ready)

    def gone(self, name: str, runs: Comparison, arm: str, percent: float, count: str, size: Size) -> ps.Claim:
        """So many percent of the parameters are gone, to the digits that are published.

        count: "own" or "structural", see `UnitsGone`; which of them a number is follows from its value.
        """
        paper, width = type(size)().width, ps.constant(size.width)
        widths = ps.Precondition("widths are the paper's", width, at_least=paper, at_most=paper)
        says = f"{arm} removes {percent:g} % of the parameters (to the published digits)."
        return self(name, says, runs.value(arm, count), ps.Near(percent, 0.5), needs=(widths,))

    def recovers(self, name: str, runs: Comparison, arm: str) -> ps.Claim:
        """Accuracy is back within a few epochs of most events; of events without recovery it is not."""
        cost = runs.value(arm, "worst_drop").named("", "percentage points at the worst event")
        says = (
            f"After most events of {arm}, accuracy is back within a few epochs (proposed: {SOON}, and half of the "
            "events)."
        )
        # Without an event that costs a point (proposed) there is nothing to recover from.
        needs = (runs.only(arm).fits(), ps.Precondition(f"events of {arm} cost accuracy", cost, at_least=1.0))
        soon, half = runs.value(arm, "recovered_soon"), ps.Direction("greater", than=50.0)
        place = f"{self.place} (the numbers are proposed here)"
        return self(name, says, soon, half, needs=needs, place=place)


def as_published(size: TraceSize, *more: str) -> ps.Precondition:
    """The paper's own network, data and length of training: a published number means nothing for another.

    more: further settings that the number depends on, such as flat_images.
    """
    paper = type(size)()
    names = ("data", "share", "width", "compress", "batch", "test_limit", *more)
    others = [name for name in names if getattr(size, name) != getattr(paper, name)]
    which = f" (here others: {', '.join(others)})" if others else ""
    says = f"the network, the data and the schedule are the paper's{which}"
    return ps.Precondition(says, ps.constant(len(others)), at_most=0)


def falls(runs: Comparison, x: str, y: str) -> ps.Precondition:
    """Y falls with x: the upper end of the jackknife's 95 % interval of their correlation is below 0.

    Otherwise there is nothing that a mediator could explain.
    """

    def upper(values: ps.Numbers) -> float:
        return statistics.t_interval(values).high if np.isfinite(values).all() else float("nan")

    end = runs.correlation(x, y).map(upper, unit="upper end of the correlation's interval")
    return ps.Precondition(f"{y.replace('_', ' ')} falls with {x.replace('_', ' ')}", end, at_most=-1e-9)


def from_ends(runs: Comparison, low: float, high: float) -> Compared:
    """Distances of the best accuracy of every arm from both ends of a plot's axis, positive between: [R, 2 arms]."""
    best = runs.values("best").map(lambda values: np.concatenate([values - low, high - values], axis=1))
    label = f"distances of {len(runs.names)} arms from {low:g} and {high:g}"
    return Compared(label, best.unit, best.nodes, best.of, (runs.fits("best"),))


def log_p(points: Points, weights: ps.Numbers, *, side: Side, runs: int) -> ps.Numbers:
    """log10 of the two-sided p-value that Pearson's correlation has over `runs` points: a `correlation.Statistic`.

    Student's t on runs - 2 degrees of freedom. Where the correlation is on the other side of 0, minus that logarithm:
    it passes through 0 without a corner or a plateau, on which a jackknife would find no error. NaN where the
    correlation is not defined.
    """
    from scipy import stats

    r = correlation.r(points, weights) * (1 if side == "greater" else -1)
    size = np.minimum(np.abs(r), 1 - 1e-15)
    t = size * np.sqrt((runs - 2) / (1 - size**2))
    return np.asarray(np.where(r < 0, -1, 1) * (np.log(2) + stats.t.logsf(t, runs - 2)) / np.log(10))


def p_value(compared: Comparison, x: str, y: str, side: Side, *, runs: int) -> Compared:
    """The p-value that Pearson's correlation has over as many runs as in the paper, on a scale of log10.

    It says nothing more than the correlation. side: of 0, on which the correlation is.
    """
    what = f"log10 of the p-value of Pearson's correlation over {runs} runs"
    unit = f"{what} (its sign turned where the correlation is not {side} than 0)"
    return compared.correlation(x, y, partial(log_p, side=side, runs=runs), unit=unit)
