"""Claims that a number of the papers is met, where it is not the value of one arm: windows of plots, p-values.

Belongs here: kinds of claim. Does not belong here: the numbers, and the value of one arm (`statements.is_number`).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from prunescope.papers.bartoldson.arms import Comparison
from prunescope.papers.bartoldson.statements import PSEUDO
from prunescope.studies import correlation
from prunescope.studies.claim import Basis, Claim, Precondition
from prunescope.studies.correlation import Points
from prunescope.studies.region import Among, Direction, Value
from prunescope.studies.results import Numbers, Results

Side = Literal["less", "greater"]


def within(
    comparison: Comparison,
    name: str,
    says: str,
    *,
    arms: Sequence[str],
    quantity: str,
    low: float,
    high: float,
    place: str,
    preconditions: Sequence[Precondition],
) -> Claim:
    """A claim that the mean of every arm lies between the ends of a plot's axis: proposed, as an axis is no statement.

    Judged are the distances of every arm from both ends, all of which must be positive.
    """

    def sample(results: Results) -> Numbers:
        found = np.stack([comparison.values(results, arm, quantity) for arm in arms], axis=1)
        return np.concatenate([found - low, high - found], axis=1)

    return Claim(
        name,
        says,
        basis="proposed",
        place=place,
        region=Among(Direction("greater")),
        sample=sample,
        preconditions=tuple(preconditions),
        unit=f"share of the distances of {len(arms)} arms from {low:g} and {high:g} that are positive",
    )


def has_p_value(
    comparison: Comparison,
    name: str,
    says: str,
    *,
    arms: Sequence[str],
    x: str,
    y: str,
    side: Side,
    p: float,
    runs: int,
    tolerance: float,
    place: str,
    preconditions: Sequence[Precondition],
    basis: Basis = "paper",
) -> Claim:
    """A claim on the p-value that Pearson's correlation has over as many runs as in the paper, on a scale of log10.

    It follows from the correlation and says nothing more. side: of 0, on which the correlation is. p, runs: published.
    tolerance: of log10 p.
    """

    def sample(results: Results) -> Numbers:
        points = comparison.points(results, x, y, arms=arms)
        return correlation.pseudo_values(points, lambda some: log_p(some, side=side, runs=runs))

    return Claim(
        name,
        says,
        basis=basis,
        place=place,
        region=Value(round(float(np.log10(p)), 2), tolerance),
        sample=sample,
        preconditions=tuple(preconditions),
        unit=f"{PSEUDO} log10 of the p-value of Pearson's correlation over {runs} runs",
    )


def log_p(points: Points, *, side: Side, runs: int) -> float:
    """log10 of the two-sided p-value that Pearson's correlation of these points has over `runs` of them.

    Student's t on runs - 2 degrees of freedom; 0 where the correlation is on the other side of 0, NaN where it is not
    defined.
    """
    from scipy import stats

    found = np.clip(correlation.r(points) * (1 if side == "greater" else -1), 0.0, 1 - 1e-15)
    t = found * np.sqrt((runs - 2) / (1 - found**2))
    return float((np.log(2) + stats.t.logsf(t, runs - 2)) / np.log(10))
