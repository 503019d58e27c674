"""Memorization and influence of training examples, from many networks trained on random subsets.

Notation: T networks; A [T, N] says who was trained on example i, C [T, N] who gets it right, D [T, M] who gets test
example j right.

Source: Feldman and Zhang 2020, What neural networks memorize and why (recalled: subsets of 70 %, thousands of
networks, thresholds 0.25 and 0.15).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream

Values = Mapping[str, NDArray[Any]]
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
    influence, _ = _contrast(trained, accuracy)
    even, odd = (_contrast(trained[start::2], correct[start::2].astype(np.float64))[0] for start in (0, 1))
    return {
        "memorization": estimate,
        "memorization_se": error,
        "influence": influence,
        "influence_se": _spread(trained, accuracy),
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


def _contrast(trained: NDArray[np.bool_], outcome: Numbers) -> tuple[Numbers, Numbers]:
    """Mean outcome with minus without each example, and the standard error of a difference of two shares: [N]."""
    inside, outside = trained.sum(axis=0), (~trained).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        with_it = np.where(trained, outcome, 0.0).sum(axis=0) / inside
        without = np.where(trained, 0.0, outcome).sum(axis=0) / outside
        error = np.sqrt(with_it * (1 - with_it) / inside + without * (1 - without) / outside)
    return with_it - without, error


def _spread(trained: NDArray[np.bool_], outcome: Numbers) -> Numbers:
    """The standard error of a difference of two means, from sample variances: [N]."""
    total = np.zeros(trained.shape[1])
    for part in (trained, ~trained):
        count = part.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(part, outcome, 0.0).sum(axis=0) / count
            total += (np.where(part, outcome - mean, 0.0) ** 2).sum(axis=0) / (count - 1) / count
    return np.asarray(np.sqrt(total))


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
