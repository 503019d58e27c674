"""How good probabilities are, example by example: proper scores, and how far two networks' answers are apart."""

import numpy as np
from numpy.typing import NDArray

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
