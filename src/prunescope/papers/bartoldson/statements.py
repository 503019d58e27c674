"""The kinds of claim that the two papers make of any comparison.

Belongs here: preconditions, and claims over arms and correlations as functions. Does not belong here: the papers'
own sentences with their places (each study's file).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.sizes import Size, TraceSize
from prunescope.studies import correlation, statistics
from prunescope.studies.claim import Basis, Claim, Precondition
from prunescope.studies.events import SOON
from prunescope.studies.region import Direction, Equivalence, Region, Value
from prunescope.studies.results import Numbers, Results

POINTS = "percentage points"
TRAINED: Mapping[str, str] = {"best": "train_at_best", "gap": "train_at_best"}
"""Training accuracy at the state that a quantity is of; of a measure it is that at its moment, else that at the end."""
MOVES: Mapping[str, float] = {"mean_stability": 1.0, "recalibrated_stability": 1.0, "mean_drop": 1.0}
"""By how many points the arms' means must differ."""
PSEUDO = "jackknife pseudo-values, one a replicate, of"


def fits(
    comparison: Comparison, *quantities: str, arms: Sequence[str] = (), at_least: float = 99.9
) -> Precondition:
    """Every run fits its training set in the states that these quantities are of; none named means at the end.

    Source: Bartoldson et al. 2020, section 2 ("all training accuracies at the time of evaluation are 100%"). That
    99.9 % counts as 100 % is proposed here.
    """
    names = list(arms or comparison.by_name)
    flat = {**comparison.look.measures, **comparison.look.combined}
    seen = {"train_at_moment" if q in flat else TRAINED.get(q, "train") for q in quantities or ("train",)}
    return Precondition(
        "every network fits its training set where it is evaluated",
        lambda r: np.concatenate([comparison.values(r, name, of) for name in names for of in sorted(seen)]),
        at_least=at_least,
        unit="% training accuracy",
    )


def whole(size: TraceSize, *more: str) -> Precondition:
    """The paper's own network, data and length of training: a published number means nothing for another.

    more: further settings that the number depends on, such as flat_images.
    """
    paper = type(size)()
    names = ("data", "share", "width", "compress", "batch", "test_limit", *more)
    others = [name for name in names if getattr(size, name) != getattr(paper, name)]
    which = f" (here others: {', '.join(others)})" if others else ""
    return Precondition(
        f"the network, the data and the schedule are the paper's{which}", lambda r: len(others), at_most=0
    )


def moves(
    comparison: Comparison,
    x: str = "mean_stability",
    *,
    arms: Sequence[str] = (),
    least: Mapping[str, float] = MOVES,
) -> Precondition:
    """Arms differ in x by enough for a correlation with it to mean anything (thresholds are proposed).

    least: by quantity, how much; of what it does not name, any spread at all.
    """

    def spread(results: Results) -> float:
        values = [comparison.values(results, name, x) for name in arms or comparison.by_name]
        centres = [float(some.mean()) for some in values if np.isfinite(some).all()]
        return max(centres) - min(centres) if centres else 0.0

    return Precondition(
        f"arms differ in {x.replace('_', ' ')}",
        spread,
        at_least=least.get(x, 1e-9),
        unit="between arms' means",
    )


def falls(comparison: Comparison, x: str, y: str, *, arms: Sequence[str] = ()) -> Precondition:
    """Without anything held fixed, y falls with x: the upper end of the jackknife's 95 % interval is below 0.

    Without it there is nothing that a mediator could explain.
    """

    def upper(results: Results) -> float:
        found = correlation.pseudo_values(comparison.points(results, x, y, arms=arms), correlation.r)
        return statistics.t_interval(found).high if np.isfinite(found).all() else float("nan")

    return Precondition(
        f"{y.replace('_', ' ')} falls with {x.replace('_', ' ')}",
        upper,
        at_most=-1e-9,
        unit="upper end of the correlation's interval",
    )


def disrupts(comparison: Comparison, arm: str, *, at_least: float = 1.0) -> Precondition:
    """Some event of every run of an arm costs accuracy: else there is nothing to recover from (proposed: a point)."""
    return Precondition(
        f"events of {arm} cost accuracy",
        lambda r: comparison.values(r, arm, "worst_drop"),
        at_least=at_least,
        unit="percentage points at the worst event",
    )


def correlates(
    comparison: Comparison,
    name: str,
    says: str,
    *,
    x: str,
    y: str,
    place: str,
    region: Region,
    basis: Basis = "paper",
    arms: Sequence[str] = (),
    given: str = "",
    preconditions: Sequence[Precondition] | None = None,
) -> Claim:
    """A claim on Pearson's correlation of two quantities over all runs, judged by a jackknife over seeds.

    given: a quantity that is held fixed. preconditions: by default that every run of these arms fits its training set
    where it is evaluated, and that they differ in x.
    """

    def sample(results: Results) -> Numbers:
        points = comparison.points(results, x, y, arms=arms, given=(given,) if given else ())
        return correlation.pseudo_values(points, correlation.r_partial if given else correlation.r)

    kind = f"the partial correlation, {given} held fixed" if given else "Pearson's correlation"
    return Claim(
        name,
        says,
        basis=basis,
        place=place,
        region=region,
        sample=sample,
        preconditions=tuple(preconditions)
        if preconditions is not None
        else (fits(comparison, x, y, arms=arms), moves(comparison, x, arms=arms)),
        unit=f"{PSEUDO} {kind}",
    )


def compares(
    comparison: Comparison,
    name: str,
    says: str,
    *,
    arm: str,
    over: str,
    place: str,
    quantity: str = "best",
    region: Region | None = None,
    basis: Basis = "paper",
    unit: str = "",
    preconditions: Sequence[Precondition] | None = None,
) -> Claim:
    """A claim on a quantity of one arm minus that of another at the same seeds; by default that it is greater.

    unit: of the difference, if it is not that of accuracies. preconditions: by default that every run of both arms
    fits its training set where it is evaluated.
    """
    return Claim(
        name,
        says,
        basis=basis,
        place=place,
        region=region or Direction("greater"),
        sample=lambda r: comparison.gain(r, arm, quantity, over=over),
        preconditions=tuple(preconditions)
        if preconditions is not None
        else (fits(comparison, quantity, arms=(arm, over)),),
        unit=unit or f"{POINTS} of {quantity.replace('_', ' ')}, {arm} minus {over}",
    )


def is_number(
    comparison: Comparison,
    name: str,
    says: str,
    *,
    arm: str,
    quantity: str,
    value: float,
    tolerance: float,
    place: str,
    basis: Basis = "paper",
    preconditions: Sequence[Precondition] | None = None,
) -> Claim:
    """A claim that a quantity of an arm has a published value."""
    return Claim(
        name,
        says,
        basis=basis,
        place=place,
        region=Value(value, tolerance),
        sample=lambda r: comparison.values(r, arm, quantity),
        preconditions=tuple(preconditions)
        if preconditions is not None
        else (fits(comparison, quantity, arms=(arm,)),),
        unit=quantity.replace("_", " "),
    )


def smaller(
    comparison: Comparison, name: str, *, arm: str, percent: float, count: str, size: Size, place: str
) -> Claim:
    """The claim that so many percent of the parameters are gone; count: "own" or "structural", see `UnitsGone`.

    The published numbers are whole; which of two counts they are follows from their value.
    """
    paper = type(size)()
    return Claim(
        name,
        f"{arm} removes {percent:g} % of the parameters (to the published digits).",
        basis="paper",
        place=place,
        region=Value(percent, 0.5),
        sample=lambda r: comparison.values(r, arm, count),
        preconditions=(
            Precondition(
                "widths are the paper's", lambda r: size.width, at_least=paper.width, at_most=paper.width
            ),
        ),
        unit=f"% of the parameters, {count} count",
    )


def recovers(comparison: Comparison, name: str, *, arm: str, place: str) -> Claim:
    """The claim that accuracy is back within a few epochs of an event; of events without recovery it is not."""
    return Claim(
        name,
        f"After most events of {arm}, accuracy is back within a few epochs (proposed: {SOON}, and half of the events).",
        basis="paper",
        place=f"{place} (the numbers are proposed here)",
        region=Direction("greater", than=50.0),
        sample=lambda r: comparison.values(r, arm, "recovered_soon"),
        preconditions=(fits(comparison, arms=(arm,)), disrupts(comparison, arm)),
        unit=f"% of events after which accuracy is back within {SOON} epochs",
    )


def same(
    comparison: Comparison,
    name: str,
    says: str,
    *,
    arm: str,
    over: str,
    margin: float,
    place: str,
    quantity: str = "best",
    basis: Basis = "paper",
) -> Claim:
    """A claim that two arms do not differ by more than `margin` (proposed)."""
    return compares(
        comparison,
        name,
        says,
        arm=arm,
        over=over,
        place=f"{place} (the margin is proposed here)",
        quantity=quantity,
        region=Equivalence(margin),
        basis=basis,
    )
