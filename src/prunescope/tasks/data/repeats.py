"""Examples that are there twice, in training and test set or in one of them: how many, and what comes of that.

Does not belong here: a test set that stands in the place of the training set (`Source.lacks_training`).
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prunescope.tasks.data.conversion import CHUNK
from prunescope.tasks.data.source import InMemory, Inputs


def leaked(test: Inputs, train: Inputs, rows: Tensor, name: str = "training examples") -> str:
    """A sentence of the test examples that are training examples; empty if there are none.

    rows: positions of the examples that are trained on, int64 [M]. name: what these are.
    """
    there = np.isin(_keys(test), _keys(train, rows))
    says = (
        f"test examples are also {name}, equal in every number of x: their answers may be memorized, so the "
        "test error is too low, and what pruning loses of them is no loss of generalization"
    )
    return f"{_share(int(there.sum()), len(there))} {says}" if there.any() else ""


def copied(inputs: Inputs, name: str, rows: Tensor | None = None) -> str:
    """A sentence of the examples that repeat an earlier one; empty if there are none.

    name: "test", for it. rows: positions of the examples that count, int64 [M]; None stands for all.
    """
    sizes = np.unique(_keys(inputs, rows), return_counts=True)[1]
    total = int(sizes.sum())
    says = (
        f"{name} examples repeat an earlier one, equal in every number of x. Intervals count all as independent: if "
        "these are copies, and not drawn anew, they are about "
        f"{np.sqrt((sizes**2).sum() / max(1, total)):.2f} times too narrow; give each example once"
    )
    return f"{_share(total - len(sizes), total)} {says}" if total > len(sizes) else ""


def _share(some: int, total: int) -> str:
    return f"{some:,} ({100 * some / total:.3g} %) of {total:,}"


def _keys(inputs: Inputs, rows: Tensor | None = None) -> NDArray[np.int64]:
    """A number an example, equal where all of its numbers are; nothing of files that would have to be decoded."""
    rows = torch.arange(len(inputs)) if rows is None else rows
    if not isinstance(inputs, InMemory):
        return np.array([], dtype=np.int64)
    parts = map(inputs.take, torch.split(rows, max(1, CHUNK // math.prod(inputs.shape))))
    # 0.0 is added because -0.0 is equal to it in other bits.
    return np.array([hash(row.tobytes()) for part in parts for row in (part + 0.0).numpy()], dtype=np.int64)
