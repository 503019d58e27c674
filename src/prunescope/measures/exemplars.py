"""Examples that a population of pruned networks answers otherwise than one of dense networks does."""

import numpy as np
import torch
from numpy.typing import NDArray

Predictions = NDArray[np.int64]


def modal(predictions: Predictions, classes: int) -> Predictions:
    """The prediction of most networks for each example, of equally many the smaller class: int64 [N] of [R, N]."""
    votes = np.stack([(predictions == label).sum(axis=0) for label in range(classes)])
    return np.asarray(votes.argmax(axis=0))


def exemplars(dense: Predictions, pruned: Predictions, *, classes: int) -> NDArray[np.bool_]:
    """The examples whose modal prediction differs between two populations [R, N]: bool [N].

    Source: Hooker et al. 2019, section 3 (pruning-identified exemplars).
    """
    return np.asarray(modal(dense, classes) != modal(pruned, classes))


def shares(
    dense: Predictions,
    pruned: Predictions | None,
    *,
    size: int,
    classes: int,
    generator: torch.Generator,
    splits: int = 200,
) -> NDArray[np.float64]:
    """The share of exemplars between random sets of `size` networks: float64 [splits].

    dense: [M, N]. pruned: [R, N], from which the other set is drawn; None draws it from the remaining dense networks,
    which needs M at least 2 size. What pruning did is what exceeds the latter.
    """
    found = np.empty(splits)
    for number in range(splits):
        order = torch.randperm(len(dense), generator=generator).numpy()
        others = dense[order[size : 2 * size]]
        if pruned is not None:
            others = pruned[torch.randperm(len(pruned), generator=generator).numpy()[:size]]
        found[number] = exemplars(dense[order[:size]], others, classes=classes).mean()
    return found
