"""What the answers of networks are worth: proper scores, calibration, weak classes, and whole populations."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from prunescope.base.digest import array_digest

Numbers = NDArray[np.floating]
Labels = NDArray[np.int64]
"""Labels or predictions, numbers of classes."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What one network answers to some examples.

    log_probability: float32 [N, C]. label: int64 [N]. name: as a report calls the network.
    sparsity: a fraction of the prunable weights of the dense network.
    """

    log_probability: NDArray[np.float32]
    label: Labels
    name: str = ""
    sparsity: float = float("nan")

    @cached_property
    def digest(self) -> str:
        """Of the predictions: what draws are keyed by, so that no name or origin of a network changes an interval."""
        return array_digest(self.prediction)

    @cached_property
    def prediction(self) -> Labels:
        """The most probable class, [N]."""
        return np.asarray(self.log_probability.argmax(axis=1))

    @cached_property
    def wrong(self) -> NDArray[np.bool_]:
        """Whether that is not the label, [N]."""
        return np.asarray(self.prediction != self.label)

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of the prediction, [N]."""
        return np.asarray(np.exp(self.log_probability.max(axis=1).astype(np.float64)))

    @cached_property
    def loss(self) -> NDArray[np.float64]:
        """Negative log likelihood, nats, [N]."""
        return negative_log_likelihood(self.log_probability, self.label)

    @cached_property
    def brier(self) -> NDArray[np.float64]:
        """Brier score, [N]."""
        return brier(self.log_probability, self.label)

    @cached_property
    def calibration(self) -> float:
        """Calibration error, a fraction."""
        return calibration_error(self.confidence, ~self.wrong)


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


def suspected(probability: Numbers, label: Labels) -> Labels:
    """Places of the examples whose most probable class is not their label, the least probable label first.

    probability: [N, C], by networks that were not trained on the examples. label: [N].

    Source: Northcutt et al. 2021 (self-confidence).
    """
    own = np.take_along_axis(probability, label[:, None], axis=1)[:, 0]
    places = np.flatnonzero(probability.argmax(axis=1) != label)
    return np.asarray(places[np.argsort(own[places], kind="stable")])


def modal(predictions: Labels) -> Labels:
    """The prediction of most networks for each example, of equally many the smaller class: int64 [N] of [R, N]."""
    ordered = np.sort(predictions, axis=0)
    votes = np.stack([(ordered == row).sum(axis=0) for row in ordered])
    return np.asarray(np.take_along_axis(ordered, votes.argmax(axis=0)[None], axis=0)[0])


def exemplars(dense: Labels, pruned: Labels) -> NDArray[np.bool_]:
    """The examples whose modal prediction differs between two populations [R, N]: bool [N].

    Source: Hooker et al. 2019, section 3 (pruning-identified exemplars).
    """
    return np.asarray(modal(dense) != modal(pruned))


def shares(
    dense: Labels, pruned: Labels | None, *, size: int, generator: torch.Generator, splits: int = 200
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
