"""Groups of training examples by a score, and what happens to each group."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.studies.results import Numbers

Values = Mapping[str, NDArray[Any]]


def equal_groups(scores: Numbers, groups: int) -> NDArray[np.int64]:
    """The group of each example, 0 (lowest scores) to groups - 1: int64 [N].

    Sizes differ by at most one; equal scores go by index.

    scores: [N]. Raises UsageError for more groups than examples.

    Source: Jin et al. 2022, section 3 (M = 20 subgroups by EL2N percentile).
    """
    if not 1 <= groups <= len(scores):
        raise UsageError(f"groups={groups} of {len(scores)} examples; give 1 to that many")
    place = np.empty(len(scores), dtype=np.int64)
    place[np.argsort(scores, kind="stable")] = np.arange(len(scores))
    return place * groups // len(scores)


def group_means(values: Numbers, group: NDArray[np.int64]) -> Numbers:
    """The mean of `values` [N] over the examples of each group [N]: float64 [groups]."""
    return np.asarray(np.bincount(group, weights=values) / np.bincount(group))


def group_differences(values: Sequence[Values], *, groups: int, score: str = "el2n") -> dict[str, NDArray[Any]]:
    """The mean difference in loss of each group, sparse minus dense; negative: the sparse network fits it better.

    For `Combined`: inputs are scores ({score: [N]}), then `Examples` of the sparse and of the dense network on the
    same training set. Returns {"difference": float64 [groups], nats}, lowest scores first.

    Raises UsageError for more groups than examples.

    Source: Jin et al. 2022, section 3.
    Differs from the source: the caption of its Figure 2 names the difference the other way around; this is the sign
    of its text.
    """
    scores, sparse, dense = values
    change = sparse["loss"].astype(np.float64) - dense["loss"]
    return {"difference": group_means(change, equal_groups(scores[score], groups))}


def concentration(differences: Numbers, *, top: float = 0.2) -> float:
    """Mean magnitude of change in the top groups over that in the rest; infinite if the rest does not change.

    differences: [groups], lowest scores first. top: share of the groups.

    Source: Jin et al. 2022, section 3 (3.5 to 71 at the optimal sparsity).
    Differs from the source: whether it averages over groups or examples is not said; here over groups.
    """
    count = max(1, round(top * len(differences)))
    if count >= len(differences):
        raise UsageError(f"top={top} of {len(differences)} groups leaves none to compare with; use more groups")
    magnitude = np.abs(differences)
    rest = float(magnitude[:-count].mean())
    return float(magnitude[-count:].mean()) / rest if rest else float("inf")
