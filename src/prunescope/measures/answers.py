"""What the answers of networks are worth: proper scores, calibration, weak classes, and whole populations."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.floating]
Labels = NDArray[np.int64]


def negative_log_likelihood(log_probability: Numbers, label: Labels) -> NDArray[np.float64]:
    """-log p(label), nats: [N]. log_probability: [N, C]."""
    return -np.take_along_axis(log_probability, label[:, None], axis=1)[:, 0].astype(np.float64)


def brier(log_probability: Numbers, label: Labels) -> NDArray[np.float64]:
    """Squared distance of the probabilities to the label, sum over classes, in [0, 2]: [N].

    Source: Brier 1950.
    """
    p = np.exp(log_probability.astype(np.float64))
    return np.asarray((p**2).sum(axis=1) - 2 * np.exp(-negative_log_likelihood(log_probability, label)) + 1)


def divergence(first: Numbers, second: Numbers) -> NDArray[np.float64]:
    """Kullback-Leibler divergence KL(first || second), nats: [N]. first, second: log probabilities [N, C].

    Source: Dutta et al. 2024 (KL of a compressed model's answers, beside flips).
    """
    return np.asarray((np.exp(first) * (first - second)).sum(axis=1, dtype=np.float64))


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
