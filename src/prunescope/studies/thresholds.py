"""Where a curve over sparsity begins to suffer."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.measures.measure import Values


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


def threshold(values: Sequence[Values], *, replicates: int, margin: float) -> dict[str, float]:
    """The largest sparsity at which a network errs as the dense one does.

    Within the limit means an error of at most the replicate's own dense network's plus the larger of one standard
    deviation of dense networks over replicates and `margin`.

    values: `Risk` of the dense network of every replicate; then, of one replicate, `Risk` and `LayerSparsity` of the
    dense network and of each sparser one. margin: a fraction; it keeps a dense network without any spread from making
    single examples count.
    Returns: threshold, the sparsity at which the curve first leaves the limit; reached: 1 if it does, 0 if it ends
    within it; returns: 1 if it comes back into it afterwards, so that it has no one threshold.

    A network that is no sparser than the one before it, or has no weight left, tells nothing and is left out.

    Raises UsageError when that leaves no curve.

    Source: proposed here, after Jin et al. 2022's rule that results differ by one standard deviation.
    """
    dense, curve = values[:replicates], values[replicates:]
    spread = float(np.std([float(v["error"]) for v in dense], ddof=1)) if replicates > 1 else 0.0
    densities: list[float] = []
    errors: list[float] = []
    for risk, layer in zip(curve[::2], curve[1::2], strict=True):
        density = 1 - float(layer["sparsity"])
        if 0 < density < (densities or [2.0])[-1]:
            densities.append(density)
            errors.append(float(risk["error"]))
    limit = errors[0] + max(spread, margin)
    reached, returns = (float(found) for found in (max(errors) > limit, comes_back(errors, limit)))
    return {"threshold": 1 - first_crossing(densities, errors, limit), "reached": reached, "returns": returns}
