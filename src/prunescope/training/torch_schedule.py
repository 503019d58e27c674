"""Any learning-rate scheduler of torch, by import path."""

import warnings
from functools import lru_cache
from typing import Any, Literal

import torch
from pydantic import Field, JsonValue
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.tasks.model import resolve
from prunescope.training.optimizers.torch_optimizer import subclass_of
from prunescope.training.schedules import Rate, Schedule


class TorchSchedule(Schedule):
    """A scheduler of `torch.optim.lr_scheduler`, or one of another package.

    Its rates are read off once for a whole run, so it may have a state, but may not look at losses.

    path: import path "module:Class", as in "torch.optim.lr_scheduler:OneCycleLR".
    args: its arguments but for the optimizer; numbers of steps in them are in the unit of `each`.
    lr: the learning rate that the optimizer is given.
    each: whether it moves on after each step ("it") or each epoch ("ep").
    """

    path: str = Field(pattern=r"^[\w.]+:[\w.]+$")
    args: dict[str, JsonValue] = {}
    lr: Rate
    each: Literal["it", "ep"] = "ep"

    def at(self, step: int, clock: Clock) -> float:
        """See `Schedule.at`. Raises UsageError for what is no scheduler, or changes more than the rate."""
        unit = clock.epoch_steps if self.each == "ep" else 1
        last = max(0, clock.total - 1) // unit
        return _rates(self, last + 1)[min(step // unit, last)]


@lru_cache(64)
def _rates(schedule: TorchSchedule, count: int) -> tuple[float, ...]:
    """The rates of the first so many positions."""
    make: Any = resolve(schedule.path)
    if not subclass_of(make, torch.optim.lr_scheduler.LRScheduler):
        raise UsageError(f"{schedule.path} is no LRScheduler of torch; name a class of one")
    leaf = nn.Parameter(torch.zeros(1))
    leaf.grad = torch.zeros(1)
    optimizer = torch.optim.SGD([leaf], lr=schedule.lr, momentum=0.9)
    (group,) = optimizer.param_groups
    rates = []
    try:
        scheduler = make(optimizer, **schedule.args)
        for position in range(count):
            rates.append(float(group["lr"]))
            if group["momentum"] != 0.9:
                raise UsageError(
                    f"{schedule.path} changes the momentum, too, which a schedule here does not; "
                    "give args cycle_momentum=False"
                )
            if position + 1 < count:
                optimizer.step()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of epochs beyond the last, which may never be asked for
                    scheduler.step()
    except (TypeError, ValueError) as problem:
        raise UsageError(
            f"{schedule.path} with {schedule.args} has no rate at position {len(rates)} of {count} (each one "
            f"{schedule.each}): {problem}"
        ) from problem
    return tuple(rates)
