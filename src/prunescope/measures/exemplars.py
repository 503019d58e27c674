"""Examples that a population of pruned networks answers otherwise than one of dense networks does."""

import numpy as np
import torch
from numpy.typing import NDArray

Predictions = NDArray[np.int64]


def modal(predictions: Predictions) -> Predictions:
    """The prediction of most networks for each example, of equally many the smaller class: int64 [N] of [R, N]."""
    ordered = np.sort(predictions, axis=0)
    votes = np.stack([(ordered == row).sum(axis=0) for row in ordered])
    return np.asarray(np.take_along_axis(ordered, votes.argmax(axis=0)[None], axis=0)[0])


def exemplars(dense: Predictions, pruned: Predictions) -> NDArray[np.bool_]:
    """The examples whose modal prediction differs between two populations [R, N]: bool [N].

    Source: Hooker et al. 2019, section 3 (pruning-identified exemplars).
    """
    return np.asarray(modal(dense) != modal(pruned))


def shares(
    dense: Predictions, pruned: Predictions | None, *, size: int, generator: torch.Generator, splits: int = 200
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
        found[number] = exemplars(dense[order[:size]], others).mean()
    return found
