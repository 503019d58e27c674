"""Which training examples to keep, from what was measured of them: rules of `Subset`, (values, **args) -> rows."""

import numpy as np
import torch
from numpy.typing import NDArray

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.measures.measure import Values

Rows = NDArray[np.int64]
"""The examples that are kept, increasing."""


def without_highest(values: Values, *, name: str, share: float) -> Rows:
    """All but the share of examples of highest `values[name]` [N]; of equal ones the earlier go first.

    Raises UsageError for a share outside (0, 1).
    """
    order = np.argsort(-values[name].astype(np.float64), kind="stable")
    return np.sort(order[_count(share, len(order)) :])


def without_lowest(values: Values, *, name: str, share: float) -> Rows:
    """All but the share of examples of lowest `values[name]` [N]; of equal ones the earlier go first.

    Raises UsageError for a share outside (0, 1).
    """
    order = np.argsort(values[name].astype(np.float64), kind="stable")
    return np.sort(order[_count(share, len(order)) :])


def without_random(values: Values, *, name: str, share: float, seed: int) -> Rows:
    """All but a uniformly random share of the examples, drawn by `seed`; `values[name]` [N] only counts them.

    Raises UsageError for a share outside (0, 1).
    """
    size = len(values[name])
    return _random(size, _count(share, size), seed)


def without_fold(values: Values, *, name: str, fold: int, folds: int, seed: int = 0) -> Rows:
    """All examples but those of one of `folds` parts of equal size, drawn by `seed`.

    `values[name]` [N] only counts the examples. The parts of one seed are disjoint and make up the whole.

    Raises UsageError for a part that is not there, and for more parts than examples.
    """
    size = len(values[name])
    if not (0 <= fold < folds and 2 <= folds <= size):
        raise UsageError(f"part {fold} of {folds} of {size} examples; give 2 to {size} parts, counted from 0")
    order = torch.randperm(size, generator=stream(seed, "folds")).numpy()
    return np.sort(np.delete(order, np.s_[fold::folds]))


def only_where(values: Values, *, name: str, is_true: bool) -> Rows:
    """The examples whose `values[name]`, bool [N], is `is_true`."""
    return np.flatnonzero(values[name] == is_true)


def as_many_at_random(values: Values, *, name: str, is_true: bool, seed: int) -> Rows:
    """As many examples as `only_where` keeps, uniformly at random, drawn by `seed`."""
    size = len(values[name])
    return _random(size, size - len(only_where(values, name=name, is_true=is_true)), seed)


def _random(size: int, leave: int, seed: int) -> Rows:
    order = torch.randperm(size, generator=stream(seed, "leave out")).numpy()
    return np.sort(order[leave:])


def _count(share: float, size: int) -> int:
    if not 0 < share < 1:
        raise UsageError(f"share={share} of the examples cannot be left out; give a number between 0 and 1")
    return round(share * size)
