"""Memorization and influence of training examples, from many networks trained on random subsets.

Notation: T networks; A [T, N] says who was trained on example i, C [T, N] who gets it right, D [T, M] who gets test
example j right.

Source: Feldman and Zhang 2020, What neural networks memorize and why (recalled: subsets of 70 %, thousands of
networks, thresholds 0.25 and 0.15).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.measures.measure import Values

Numbers = NDArray[np.float64]


def memorization(values: Sequence[Values]) -> dict[str, Numbers]:
    """How much each training example is memorized, and its influence on test accuracy, with standard errors.

    memorization: [N], P(i is right | trained on i) - P(i is right | not trained on i). memorization_se: its standard
    error, sqrt(p (1 - p) / k) of both shares together, 0 where neither varies. influence: [N], mean test accuracy of
    the networks trained on i minus that of the others, a fraction; influence_se likewise, from sample variances.
    even, odd: [N], memorization from every other network alone, to see how well two estimates agree. Not a number
    where all networks were trained on an example, or none.

    values: `SeenUnseen` of each network, on the same examples. Raises UsageError for fewer than 2 or different ones.

    Source: Feldman and Zhang 2020, equations 1 and 2 and section 2.2 (recalled).
    Differs from the source: influence is summed up over the test set; for single pairs see `influential_pairs`.
    """
    trained, correct, test = _stacked(values)
    estimate, error = _contrast(trained, correct.astype(np.float64))
    accuracy = np.broadcast_to(test.mean(axis=1)[:, None], trained.shape)
    influence, influence_error = _contrast(trained, accuracy, shares=False)
    even, odd = (_contrast(trained[start::2], correct[start::2].astype(np.float64))[0] for start in (0, 1))
    return {
        "memorization": estimate,
        "memorization_se": error,
        "influence": influence,
        "influence_se": influence_error,
        "even": even,
        "odd": odd,
    }


def influential_pairs(
    values: Sequence[Values], *, memorized: float = 0.25, influence: float = 0.15
) -> dict[str, float]:
    """How many pairs of a memorized training example and a test example have a large influence, and by chance.

    pairs: pairs (i, j) with memorization of i at least `memorized` and P(j is right | trained on i) - P(j is right |
    not trained on i) at least `influence`. by_chance: the same count after the networks' results on the test set were
    handed round among them, which keeps everything but the link. examples: memorized training examples.

    Source: Feldman and Zhang 2020, section 3 (recalled: the two thresholds).
    Differs from the source: the count by chance is proposed here; with few networks most pairs are chance.
    """
    trained, correct, test = _stacked(values)
    estimate, _ = _contrast(trained, correct.astype(np.float64))
    chosen = trained[:, np.nan_to_num(estimate, nan=-1.0) >= memorized].astype(np.float32)
    order = torch.randperm(len(test), generator=stream(0, "hand round")).numpy()
    pairs, by_chance = (int((influences(chosen, right) >= influence).sum()) for right in (test, test[order]))
    return {"pairs": pairs, "by_chance": by_chance, "examples": chosen.shape[1]}


def influences(trained: NDArray[Any], test: NDArray[np.bool_]) -> NDArray[np.float32]:
    """P(j is right | trained on i) - P(j is right | not trained on i) for all pairs: float32 [N, M].

    trained: [T, N]; test: bool [T, M]. Not a number where all networks were trained on i, or none.
    """
    inside, right = trained.astype(np.float32), test.astype(np.float32)
    count = inside.sum(axis=0)[:, None]
    hits = inside.T @ right
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(hits / count - (right.sum(axis=0) - hits) / (len(right) - count), dtype=np.float32)


def _contrast(trained: NDArray[np.bool_], outcome: Numbers, *, shares: bool = True) -> tuple[Numbers, Numbers]:
    """Mean outcome with minus without each example, and its standard error: [N].

    shares: whether outcomes are 0 or 1, with variance p (1 - p); that of other samples is estimated.
    """
    means, variances = [], []
    with np.errstate(invalid="ignore", divide="ignore"):
        for part in (trained, ~trained):
            count = part.sum(axis=0)
            mean = np.where(part, outcome, 0.0).sum(axis=0) / count
            spread = (
                mean * (1 - mean) if shares else (np.where(part, outcome - mean, 0.0) ** 2).sum(axis=0) / (count - 1)
            )
            means.append(mean)
            variances.append(spread / count)
        return means[0] - means[1], np.sqrt(variances[0] + variances[1])


def _stacked(values: Sequence[Values]) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Who was trained on what, who is right on it [T, N], who is right on the test set [T, M]."""
    sizes = {(len(value["seen"]), len(value["test_correct"])) for value in values}
    if len(values) < 2 or len(sizes) != 1:
        raise UsageError(
            f"{len(values)} readings of sizes {sorted(sizes)} give no memorization; give at least 2 networks on the "
            "same training and test examples"
        )
    trained, correct, test = (
        np.stack([value[name] for value in values]) for name in ("seen", "correct", "test_correct")
    )
    return trained, correct, test
