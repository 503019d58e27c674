"""Whether a network is right as often as it says."""

import numpy as np
from numpy.typing import NDArray


def calibration_error(confidence: NDArray[np.floating], right: NDArray[np.bool_], *, bins: int = 15) -> float:
    """Root mean square distance between confidence and accuracy over bins of equally many examples, debiased.

    sqrt(max(0, sum_b n_b / N [(mean confidence - accuracy)^2 - accuracy (1 - accuracy) / (n_b - 1)])): the term
    subtracted is what chance alone adds in a bin, without which more bins or fewer examples look worse calibrated.

    confidence: [N], the largest probability. right: [N]. Fewer bins are taken where a bin would have under 2 examples.

    Source: Kumar, Liang and Ma 2019, section 5 (debiased estimator, adaptive bins).
    """
    order = np.argsort(confidence, kind="stable")
    edges = np.linspace(0, len(order), max(1, min(bins, len(order) // 2)) + 1).round().astype(int)
    count = np.diff(edges)
    says = np.add.reduceat(confidence[order].astype(np.float64), edges[:-1]) / count
    is_right = np.add.reduceat(right[order].astype(np.float64), edges[:-1]) / count
    chance = is_right * (1 - is_right) / np.maximum(count - 1, 1)
    return float(np.sqrt(max(0.0, (count * ((says - is_right) ** 2 - chance)).sum() / len(order))))
