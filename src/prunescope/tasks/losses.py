"""Losses of single examples."""

import torch
import torch.nn.functional as F
from torch import Tensor


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
