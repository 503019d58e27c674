"""The kinds of claim that the two papers make of any comparison.

Belongs here: preconditions, and claims over arms and correlations as functions. Does not belong here: the papers'
own sentences with their places (each study's file).
"""

from collections.abc import Sequence

import numpy as np

from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.sizes import Size
from prunescope.studies import correlation
from prunescope.studies.claim import Basis, Claim, Precondition
from prunescope.studies.correlation import Points
from prunescope.studies.region import Direction, Equivalence, Region, Value
from prunescope.studies.results import Numbers, Results

POINTS = "percentage points"
PSEUDO = "jackknife pseudo-values, one a replicate, of"


def fits(comparison: Comparison, *, arms: Sequence[str] = (), at_least: float = 99.9) -> Precondition:
    """Every run fits its training set at the end, which the papers say of theirs.

    Source: Bartoldson et al. 2020, section 2 ("all training accuracies at the time of evaluation are 100%"). That
    99.9 % counts as 100 % is proposed here.
    """
    names = list(arms or comparison.by_name)
    return Precondition(
        "every network fits its training set",
        lambda r: np.concatenate([comparison.values(r, name, "train") for name in names]),
        at_least=at_least,
        unit="% training accuracy",
    )


def whole(size: Size) -> Precondition:
    """The paper's own network, data and length of training: a published accuracy means nothing for another."""
    same = size.width == 1 and size.share == 1 and size.compress == 1 and size.data == "paper"
    return Precondition(
        "the network, the training set and the schedule are the paper's", lambda r: float(same), at_least=1
    )


def moves(comparison: Comparison, x: str = "mean_stability", *, at_least: float = 1.0) -> Precondition:
    """Arms differ in x by enough for a correlation with it to mean anything (the threshold is proposed)."""

    def spread(results: Results) -> float:
        values = [comparison.values(results, name, x) for name in comparison.by_name]
        centres = [float(some.mean()) for some in values if np.isfinite(some).all()]
        return max(centres) - min(centres) if centres else 0.0

    return Precondition(
        f"arms differ in {x.replace('_', ' ')}", spread, at_least=at_least, unit="between arms' means"
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

    given: a quantity that is held fixed. preconditions: by default that every run fits its training set, and that
    arms differ in x.
    """

    def sample(results: Results) -> Numbers:
        points = comparison.points(results, x, y, arms=arms)
        if not given:
            return correlation.pseudo_values(points, correlation.r)
        mediator = comparison.points(results, given, y, arms=arms).x
        places = {(a, s): m for a, s, m in zip(points.arm, points.seed, mediator, strict=True)}

        def fixed(some: Points) -> float:
            held = [places[a, s] for a, s in zip(some.arm, some.seed, strict=True)]
            return correlation.partial(some, held).estimate

        return correlation.pseudo_values(points, fixed)

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
        else (fits(comparison), moves(comparison, x)),
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

    unit: of the difference, if it is not that of accuracies. preconditions: by default that every run fits its
    training set.
    """
    return Claim(
        name,
        says,
        basis=basis,
        place=place,
        region=region or Direction("greater"),
        sample=lambda r: comparison.gain(r, arm, quantity, over=over),
        preconditions=tuple(preconditions) if preconditions is not None else (fits(comparison),),
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
        preconditions=tuple(preconditions) if preconditions is not None else (fits(comparison),),
        unit=quantity.replace("_", " "),
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
    )
