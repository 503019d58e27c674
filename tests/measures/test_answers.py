"""Measures of what networks answer, against slow references that share no code with the package."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch

from prunescope.measures import answers
from prunescope.measures.answers import calibration_error, exemplars, modal, recall_distortion, shares

RNG = np.random.default_rng(0)
N, C = 300, 4
SCORES = RNG.normal(size=(N, C)).astype(np.float32)
LABEL = RNG.integers(0, C, N)


def log_probabilities(scores):
    return np.array([[v - math.log(sum(math.exp(u) for u in row)) for v in row] for row in scores.tolist()])


LOG_P = log_probabilities(SCORES)


def test_proper_scores_example_by_example():
    other = log_probabilities(RNG.normal(size=(N, C)))
    for k in range(N):
        p = [math.exp(v) for v in LOG_P[k]]
        assert answers.negative_log_likelihood(LOG_P, LABEL)[k] == pytest.approx(-math.log(p[LABEL[k]]))
        brier = sum((p[c] - (c == LABEL[k])) ** 2 for c in range(C))
        assert answers.brier(LOG_P, LABEL)[k] == pytest.approx(brier)
        kl = sum(p[c] * (math.log(p[c]) - other[k, c]) for c in range(C))
        assert answers.divergence(LOG_P, other)[k] == pytest.approx(kl)


def slow_calibration_error(confidence, right, bins):
    order = sorted(range(len(confidence)), key=lambda k: confidence[k])
    edges = [round(b * len(order) / bins) for b in range(bins + 1)]
    total = 0.0
    for low, high in itertools.pairwise(edges):
        members = order[low:high]
        says = sum(confidence[k] for k in members) / len(members)
        is_right = sum(map(int, right[members])) / len(members)
        chance = is_right * (1 - is_right) / (len(members) - 1)
        total += len(members) / len(order) * ((says - is_right) ** 2 - chance)
    return math.sqrt(max(0.0, total))


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_calibration_error_bin_by_bin(bins):
    confidence, right = RNG.uniform(0.3, 1, N), RNG.uniform(size=N) < 0.7
    assert calibration_error(confidence, right, bins=bins) == pytest.approx(
        slow_calibration_error(confidence, right, bins)
    )


def test_a_calibrated_network_has_no_error_on_average_and_an_overconfident_one_what_it_has():
    squares, off = [], []
    for _ in range(300):
        confidence = RNG.uniform(0.5, 1, 400)
        squares.append(calibration_error(confidence, RNG.uniform(size=400) < confidence))
        off.append(calibration_error(confidence, RNG.uniform(size=400) < confidence - 0.2) ** 2)
    plain = np.mean([0.25 / 27 for _ in range(15)])  # what bins of 27 examples add where nothing is taken off
    assert np.mean(np.square(squares)) < 0.4 * plain
    assert np.mean(off) == pytest.approx(0.2**2, rel=0.05)


def test_the_modal_answer_by_counting_and_exemplars():
    votes, others = RNG.integers(0, C, (7, N)), RNG.integers(0, C, (7, N))
    counted = []
    for column in (votes[:, k].tolist() for k in range(N)):
        counts = Counter(column)
        counted.append(min(label for label, count in counts.items() if count == max(counts.values())))
    assert modal(votes).tolist() == counted
    assert (exemplars(votes, others) == (modal(votes) != modal(others))).all()


def test_equal_populations_have_as_many_exemplars_as_chance_and_others_have_more():
    easy = RNG.uniform(size=N) < 0.8

    def population(count, shift=0):
        return np.where(easy, 0, (RNG.integers(0, 2, (count, N)) + shift) % C)

    draw = {"size": 3}
    dense, same, changed = population(8), population(8), population(8, shift=2)
    chance = shares(dense, None, generator=torch.Generator().manual_seed(0), **draw).mean()
    assert shares(dense, same, generator=torch.Generator().manual_seed(1), **draw).mean() == pytest.approx(
        chance, abs=0.02
    )
    assert shares(dense, changed, generator=torch.Generator().manual_seed(1), **draw).mean() > chance + 0.05


def test_recall_distortion_is_the_slope_and_negative_by_luck_alone():
    before, after = [0.5, 0.7, 0.9], [0.3, 0.6, 0.9]
    assert recall_distortion(before, after) == pytest.approx(np.polyfit(before, np.subtract(after, before), 1)[0])
    assert recall_distortion([0.5, 0.5], [0.1, 0.9]) == 0.0
    slopes = [recall_distortion(*RNG.binomial(50, 0.9, (2, 10)) / 50) for _ in range(200)]
    assert np.mean(slopes) == pytest.approx(-1, abs=0.15)
