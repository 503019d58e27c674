"""Whether weak classes lose more than strong ones."""

import numpy as np
from numpy.typing import ArrayLike


def recall_distortion(before: ArrayLike, after: ArrayLike) -> float:
    """Least-squares slope of the classes' change in accuracy on their accuracy before; 0 where all are equal before.

    before, after: accuracy of each class, [C]. Positive where weak classes lose more than strong ones. Of two networks
    that differ by seed it is mostly negative, since a class that was unlucky once recovers.

    Source: Good et al. 2022 (recall distortion).
    Differs from the source: it measures how far each recall moves from the mean one; here the slope sums that up.
    """
    first, change = np.asarray(before, dtype=np.float64), np.subtract(after, before)
    spread = first - first.mean()
    return float(spread @ change / (spread @ spread)) if spread.any() else 0.0
