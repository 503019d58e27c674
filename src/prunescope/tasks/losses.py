"""Losses of single examples."""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from prunescope.base.errors import UsageError


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of each example, -log softmax(logits)_y.

    Args:
        logits: [N, C], nats.
        y: [N], int64, classes in 0 .. C - 1.

    Returns:
        [N], nats.

    >>> cross_entropy(torch.zeros(1, 4), torch.tensor([2])).exp().tolist()
    [4.0]
    """
    return F.cross_entropy(logits, y, reduction="none")


def squared_error(logits: Tensor, y: Tensor) -> Tensor:
    """The squared distance of each example's logits to its one-hot label, sum_c (logits_c - 1[c = y])^2.

    Args:
        logits: [N, C], dimensionless here: no softmax is taken.
        y: [N], int64, classes in 0 .. C - 1.

    Returns:
        [N], dimensionless.

    >>> squared_error(torch.tensor([[2.0, 0.0]]), torch.tensor([1])).tolist()
    [5.0]
    """
    labels = torch.arange(logits.shape[-1], device=logits.device) == y.unsqueeze(-1)
    return (logits - labels.to(logits.dtype)).square().sum(dim=-1)


def weighted_cross_entropy(
    logits: Tensor, y: Tensor, *, smoothing: float = 0.0, weights: Sequence[float] | None = None
) -> Tensor:
    """The cross-entropy of each example with smoothed labels, and with a weight a class.

    -sum_c w_c q_c log softmax(logits)_c with q = (1 - smoothing) 1[c = y] + smoothing / C.

    Args:
        logits: [N, C], nats.
        y: [N], int64, classes in 0 .. C - 1.
        smoothing: the probability that a label gives to all classes alike, in [0, 1].
        weights: w, one a class; None is 1 for all.

    Returns:
        [N], nats.

    Source: Szegedy et al. 2016, section 7 (smoothing); torch.nn.functional.cross_entropy with reduction="none".
    Differs from the source: a batch's loss is the mean over its examples; torch divides by the sum of their weights.

    >>> weighted_cross_entropy(torch.zeros(1, 4), torch.tensor([2]), smoothing=0.1).exp().tolist()
    [4.0]
    """
    if weights is not None and len(weights) != logits.shape[1]:
        raise UsageError(f"weights has {len(weights)} entries for {logits.shape[1]} classes; give one a class")
    if not 0 <= smoothing <= 1:
        raise UsageError(f"smoothing={smoothing} is no probability; give a number from 0 to 1")
    w = None if weights is None else _constant(tuple(weights), logits.dtype, logits.device)
    return F.cross_entropy(logits, y, weight=w, label_smoothing=smoothing, reduction="none")


@lru_cache(64)
def _constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device)
