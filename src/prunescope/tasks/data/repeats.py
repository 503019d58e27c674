"""Examples that are there more than once: in training and test set, or in one of them.

Belongs here: what is equal in every number, and what is said of it. Does not belong here: a test set that stands in the
place of the training set (`Source.lacks_training`).
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from prunescope.tasks.data.source import Arrays, InMemory, Inputs

CHUNK = 1024
"""Examples that are looked at together; those on a disk are not all in memory."""


class Repeated(NamedTuple):
    """How many of some examples are elsewhere, too; says: that and what comes of it, empty for none."""

    share: float
    says: str


def leaked(arrays: Arrays) -> Repeated:
    """The test examples that are training examples."""
    test = _keys(arrays.test_x)
    count, total = int(np.isin(test, _keys(arrays.train_x)).sum()), max(1, len(test))
    says = (
        f"{count:,} of {total:,} test examples ({100 * count / total:.3g} %) are also training examples, equal in "
        "every number of x: their answers may be memorized, so the test error is too low, and what pruning loses of "
        "them is no loss of generalization"
    )
    return Repeated(count / total, says if count else "")


def copied(inputs: Inputs, name: str) -> Repeated:
    """The examples that repeat an earlier one; name: "test", for the sentence."""
    _, sizes = np.unique(_keys(inputs), return_counts=True)
    total = max(1, int(sizes.sum()))
    count = int((sizes - 1).sum())
    says = (
        f"{count:,} of {total:,} {name} examples ({100 * count / total:.3g} %) repeat an earlier one, equal in every "
        "number of x. Intervals count all as independent: if these are copies, and not drawn anew, intervals are about "
        f"{np.sqrt((sizes**2).sum() / total):.2f} times too narrow; give each example once"
    )
    return Repeated(count / total, says if count else "")


def _keys(inputs: Inputs) -> NDArray[np.int64]:
    """A number an example, equal where all of its numbers are; nothing of files that would have to be decoded."""
    parts = torch.split(inputs.tensor, CHUNK) if isinstance(inputs, InMemory) else ()
    # 0.0 is added because -0.0 is equal to it in other bits.
    return np.array([hash(row.tobytes()) for part in parts for row in (part + 0.0).numpy()], dtype=np.int64)
