"""Losses of single examples."""

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.importing import resolve
from prunescope.tasks.functional import constant

Loss = Callable[[Tensor, Tensor], Tensor]
"""Outputs [N, ...] and y [N, ...] to the loss of each example, [N]."""


@dataclass(frozen=True)
class LossWithArguments:
    """A loss with some arguments fixed; two of the same are equal, so that their runs may train together.

    path: import path of the function.
    arguments: the others by keyword, as JSON.
    """

    path: str
    arguments: str

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        """The loss of each example."""
        return self._function(logits, y)

    @cached_property
    def _function(self) -> Loss:
        """Raises UsageError for an argument that the function does not take."""
        function, arguments = resolve(self.path), json.loads(self.arguments)
        try:
            inspect.signature(function).bind(None, None, **arguments)
        except TypeError as problem:
            raise UsageError(f"{self.path} does not take the arguments {self.arguments} ({problem})") from problem
        return partial(function, **arguments)


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of each example, -log softmax(logits)_y, nats [N].

    logits [N, C], y int64 [N] in 0 .. C - 1.

    >>> cross_entropy(torch.zeros(1, 4), torch.tensor([2])).exp().tolist()
    [4.0]
    """
    return F.cross_entropy(logits, y, reduction="none")


def squared_error(logits: Tensor, y: Tensor) -> Tensor:
    """The squared distance of each example's logits to its one-hot label, sum_c (logits_c - 1[c = y])^2, [N].

    logits [N, C], dimensionless here: no softmax is taken; y int64 [N] in 0 .. C - 1.

    >>> squared_error(torch.tensor([[2.0, 0.0]]), torch.tensor([1])).tolist()
    [5.0]
    """
    labels = torch.arange(logits.shape[-1], device=logits.device) == y.unsqueeze(-1)
    return (logits - labels.to(logits.dtype)).square().sum(dim=-1)


def binary_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of each example, -log sigmoid(z) where y is 1, -log sigmoid(-z) where it is 0, nats [N].

    logits z [N, 1] or [N], of y = 1; y [N] or [N, 1], 0 or 1.

    >>> binary_cross_entropy(torch.zeros(1, 1), torch.tensor([1])).exp().tolist()
    [2.0]
    """
    flat = logits.reshape(len(logits))
    return F.binary_cross_entropy_with_logits(flat, y.reshape(len(y)).to(flat.dtype), reduction="none")


def mean_binary_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """The mean over its C labels of the binary cross-entropy of each example, nats [N]; logits and y [N, C]."""
    return F.binary_cross_entropy_with_logits(logits, y.to(logits.dtype), reduction="none").mean(1)


def mean_squared_error(outputs: Tensor, y: Tensor) -> Tensor:
    """The mean over its D numbers of the squared difference of each example, squared units of y, [N].

    outputs [N, D], or [N] for one number; y likewise.

    >>> mean_squared_error(torch.zeros(2, 1), torch.tensor([1.0, 3.0])).tolist()
    [1.0, 9.0]
    """
    rows = outputs.reshape(len(outputs), -1)
    return (rows - y.reshape(rows.shape).to(rows.dtype)).square().mean(1)


def token_cross_entropy(
    logits: Tensor, y: Tensor, *, ignored: int = -100, classes_at: Literal["last", "second"] = "last"
) -> Tensor:
    """The mean cross-entropy of each example's tokens (or pixels) that count, nats [N].

    logits: [N, T, ..., C], or [N, C, T, ...] where classes_at is "second".
    y: int64 [N, T, ...] in 0 .. C - 1, or `ignored`.
    ignored: the label of tokens that do not count; at least one must in each example.
    """
    first = logits.movedim(-1, 1) if classes_at == "last" else logits
    each = F.cross_entropy(first, y, reduction="none", ignore_index=ignored).flatten(1)
    return each.sum(1) / (y != ignored).flatten(1).sum(1)


def weighted_cross_entropy(
    logits: Tensor, y: Tensor, *, smoothing: float = 0.0, weights: Sequence[float] | None = None
) -> Tensor:
    """The cross-entropy of each example with smoothed labels, and with a weight a class, nats [N].

    -sum_c w_c q_c log softmax(logits)_c with q = (1 - smoothing) 1[c = y] + smoothing / C.

    logits: [N, C]. y: int64 [N] in 0 .. C - 1.
    smoothing: the probability that a label gives to all classes alike, in [0, 1].
    weights: w, one a class; None is 1 for all.

    Source: Szegedy et al. 2016, section 7 (smoothing); torch.nn.functional.cross_entropy with reduction="none".
    Differs from the source: a batch's loss is the mean over its examples; torch divides by the sum of their weights.

    >>> weighted_cross_entropy(torch.zeros(1, 4), torch.tensor([2]), smoothing=0.1).exp().tolist()
    [4.0]
    """
    if weights is not None and len(weights) != logits.shape[1]:
        raise UsageError(f"weights has {len(weights)} entries for {logits.shape[1]} classes; give one a class")
    if not 0 <= smoothing <= 1:
        raise UsageError(f"smoothing={smoothing} is no probability; give a number from 0 to 1")
    w = None if weights is None else constant(tuple(weights), logits.dtype, logits.device)
    return F.cross_entropy(logits, y, weight=w, label_smoothing=smoothing, reduction="none")
