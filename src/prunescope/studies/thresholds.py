"""Where a curve over sparsity begins to suffer."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from prunescope.base.errors import UsageError


def first_crossing(densities: Sequence[float], errors: Sequence[float], limit: float) -> float:
    """The density at which a curve of errors first leaves `limit`, coming from the densest.

    densities: descending, in (0, 1], the densest first; errors: at each, the first within the limit. Between the last
    point before it leaves and the next, the curve is a straight line over the logarithm of the density. A curve that
    is within the limit to its end gives its last density: the true one is no larger. What comes after it has left plays
    no part, see `comes_back`.

    Raises UsageError for fewer than two points, and for a first error beyond the limit.

    >>> round(first_crossing([1.0, 0.1, 0.01], [1.0, 2.0, 6.0], 4.0), 4)
    0.0316
    """
    if len(densities) < 2:
        raise UsageError(f"{len(densities)} densities and {len(errors)} errors are no curve; give 2 or more pairs")
    if errors[0] > limit:
        raise UsageError(f"the first error, {errors[0]:g}, is beyond the limit {limit:g}; nothing is left to cross it")
    outside = [place for place, error in enumerate(errors) if error > limit]
    if not outside:
        return float(densities[-1])
    last = outside[0] - 1
    share = (limit - errors[last]) / (errors[last + 1] - errors[last])
    ends = np.log([densities[last], densities[last + 1]])
    return float(np.exp(ends[0] + share * (ends[1] - ends[0])))


def comes_back(errors: Sequence[float], limit: float) -> bool:
    """Whether a curve of errors is within `limit` again after it has left it, so that no one place is a threshold.

    >>> comes_back([1.0, 5.0, 2.0], 4.0), comes_back([1.0, 2.0, 6.0], 4.0)
    (True, False)
    """
    within = [error <= limit for error in errors]
    return any(later and not earlier for earlier, later in pairwise(within))


def threshold(
    dense: Sequence[float], curve: Iterable[tuple[float, float]], *, margin: float
) -> tuple[float, bool, bool]:
    """The largest sparsity at which a network errs as the dense one does; whether it suffers, and recovers afterwards.

    Within the limit means an error of at most the replicate's own dense network's plus the larger of one standard
    deviation of dense networks over replicates and `margin`.

    dense: errors of the dense network of every replicate. curve: of one replicate the sparsity and the error, a
    fraction each, of the dense network and of each sparser one. margin: a fraction; it keeps a dense network without
    any spread from making single examples count.

    A curve that ends within the limit has a threshold of at least its last sparsity; one that comes back into it has no
    one threshold. A network that is no sparser than the one before it, or has no weight left, tells nothing and is left
    out. Raises UsageError when that leaves no curve.

    Source: proposed here, after Jin et al. 2022's rule that results differ by one standard deviation.
    """
    spread = float(np.std(dense, ddof=1)) if len(dense) > 1 else 0.0
    densities: list[float] = []
    errors: list[float] = []
    for sparsity, error in curve:
        if 0 < 1 - sparsity < (densities or [2.0])[-1]:
            densities.append(1 - sparsity)
            errors.append(error)
    limit = errors[0] + max(spread, margin)
    return 1 - first_crossing(densities, errors, limit), max(errors) > limit, comes_back(errors, limit)
