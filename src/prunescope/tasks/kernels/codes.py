"""Examples of at most 256 different numbers, as bytes.

Belongs here: whether data are so, and the bytes. Does not belong here: reading them (`products.py`).

A batch of random images is read from memory that no cache holds, so a quarter of the bytes takes about half the time.
The numbers are the very same.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

LARGE = 2**24
"""Bytes of the smallest data that are worth it: less stays in a cache."""
ROWS = 4096
"""Examples that are looked at together."""


@dataclass(frozen=True)
class Codes:
    """codes: uint8 [N, in]; numbers: float32 [256], of which numbers[codes] are the examples."""

    codes: Tensor
    numbers: Tensor


_KNOWN: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def coded(examples: Tensor) -> Codes | None:
    """The codes of examples, contiguous float32 [N, ...] on a CPU, which must never change; looked for once.

    None if they are small, or their numbers not evenly spaced, as pixels are unless channels were normalized apart.
    """
    if examples.nbytes < LARGE:
        return None
    if examples not in _KNOWN:
        _KNOWN[examples] = _coded(examples.view(len(examples), -1).numpy())
    found: Codes | None = _KNOWN[examples]
    return found


def _coded(examples: np.ndarray) -> Codes | None:
    seen = np.unique(examples[: ROWS // 16])
    lowest, highest = examples.min(), examples.max()
    if not (1 < len(seen) <= 256 and np.isfinite(lowest) and np.isfinite(highest)):
        return None
    step = np.diff(seen).min()
    if (highest - lowest) / step > 255.5:
        return None
    numbers = np.full(256, np.nan, np.float32)
    codes = np.empty(examples.shape, np.uint8)
    for start in range(0, len(examples), ROWS):
        some = examples[start : start + ROWS]
        mine = np.rint((some - lowest) * (1 / step)).astype(np.uint8)
        new = np.isnan(numbers[mine])
        numbers[mine[new]] = some[new]
        if not np.array_equal(numbers[mine], some):  # numbers between those, or not a number
            return None
        codes[start : start + ROWS] = mine
    return Codes(torch.from_numpy(codes), torch.from_numpy(numbers))
