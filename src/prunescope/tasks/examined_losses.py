"""What a loss must not show with a few examples, each with one message and the fix."""

import torch
from torch import Tensor

from prunescope.base.blame import blaming
from prunescope.base.errors import UsageError
from prunescope.tasks.examined import nearly
from prunescope.tasks.task import Problem

LOSSES = 8
"""So many examples' losses are compared with those of each by itself; some losses look at more than two."""


def loss_name(problem: Problem) -> str:
    """The name of the loss, for messages."""
    function = getattr(problem.loss, "path", problem.loss)
    return str(getattr(function, "__qualname__", function)).rpartition(":")[2]


def check_loss(problem: Problem, outputs: Tensor, y: Tensor) -> None:
    """Raises UsageError for a loss that is not one number an example, or that changes what it is given."""
    name, before = loss_name(problem), (outputs.clone(), y.clone())
    with blaming(f"loss {name}", always=True):
        losses = problem.loss(outputs, y)
    if not (torch.equal(outputs, before[0]) and torch.equal(y, before[1])):
        raise UsageError(f"loss {name} changes the outputs or y in place, which are used again; make new tensors")
    shape = list(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
    if shape != [len(y)]:
        raise UsageError(
            f"loss {name} returns {shape} for {len(y)} examples; it must return the loss of each, [N] "
            "(reduction='none')"
        )


def check_single(problem: Problem, outputs: Tensor, y: Tensor) -> None:
    """Raises UsageError if the losses of several examples are not those of each by itself."""
    name = loss_name(problem)
    with blaming(f"loss {name} of one example", always=True):
        losses = problem.loss(outputs, y)
        alone = [problem.loss(outputs[row : row + 1], y[row : row + 1]).reshape(-1) for row in range(len(y))]
    if not nearly(torch.cat(alone), losses):
        raise UsageError(
            f"loss {name} of {len(y)} examples is not the loss of each by itself; it must not take a mean, a median or "
            "a number of classes from the batch (reduction='none')"
        )
