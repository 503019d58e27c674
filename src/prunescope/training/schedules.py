"""Learning-rate schedules: from a position in the schedule to a number; those of torch by import path.

Belongs here: the learning rate of a step. Does not belong here: its use (`optim.py`), the position at which a run
starts (a rewind moves the position, not the schedule).

`schedule.at(0, clock)` resolves every duration, so it raises UsageError for a schedule that is impossible in a run of
that length.
"""

import math
import warnings
from abc import abstractmethod
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, JsonValue, SerializeAsAny, model_validator
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock, Duration
from prunescope.base.value import Value
from prunescope.tasks.model import resolve
from prunescope.training.optimizers.torch_optimizer import subclass_of

Rate = Annotated[float, Field(gt=0)]


class Schedule(Value):
    """The learning rate as a function of the position in the schedule."""

    @abstractmethod
    def at(self, step: int, clock: Clock) -> float:
        """The learning rate of the step at position `step`.

        Args:
            step: position in the schedule, in iterations from 0.
            clock: clock of the run; its `total` is the length of the schedule in iterations.

        Returns: learning rate, weight change per unit of gradient.
        Raises: UsageError if the schedule does not fit into `clock.total` iterations.
        """


class Constant(Schedule):
    """The same learning rate at every step.

    lr: the learning rate.
    """

    lr: Rate

    def at(self, step: int, clock: Clock) -> float:
        """See `Schedule.at`."""
        return self.lr


class Milestones(Schedule):
    """A learning rate that drops at given positions: lr * factor^(number of drops <= step).

    lr: the learning rate before the first drop.
    drops: positions of the drops, increasing.
    factor: factor of each drop.

    The step at a drop already uses the lower rate, as torch.optim.lr_scheduler.MultiStepLR does when it is
    stepped every iteration.
    """

    lr: Rate
    drops: tuple[Duration, ...] = Field(min_length=1)
    factor: float = Field(default=0.1, gt=0)

    def at(self, step: int, clock: Clock) -> float:
        """See `Schedule.at`; drops must increase and lie inside the schedule."""
        positions = [clock.steps(drop) for drop in self.drops]
        if any(later <= earlier for earlier, later in pairwise(positions)):
            raise UsageError(f"drops={self.drops} are steps {positions}, which do not increase; reorder them")
        if positions[-1] >= clock.total:
            raise UsageError(
                f"the drop at {self.drops[-1]!r} is step {positions[-1]}, but {_length(clock)}; "
                "choose earlier drops, or express them as parts of the run, such as '50%'"
            )
        return self.lr * self.factor ** sum(position <= step for position in positions)


class Warmup(Schedule):
    """A schedule with a linear rise at its beginning: then.at(s) * min(1, (s + 1) / warm).

    steps: length of the rise, warm steps.
    then: the schedule, which is not shifted: its milestones count from the start of training, as in the source.

    Source: Goyal et al. 2017, section 2.2 (gradual warmup).
    Differs from the source: rises from lr / warm, as torch.optim.lr_scheduler.LinearLR does; OpenLTH's rises from 0.
    """

    steps: Duration
    then: SerializeAsAny[Schedule]

    def at(self, step: int, clock: Clock) -> float:
        """See `Schedule.at`; the warmup must take at least one step and end within the schedule."""
        warm = clock.steps(self.steps)
        if not 1 <= warm <= clock.total:
            raise UsageError(f"a warmup of {self.steps!r} is {warm} steps, but {_length(clock)}; warm up for 1 to all")
        return self.then.at(step, clock) * min(1.0, (step + 1) / warm)


class Cosine(Schedule):
    """Half a cosine, final + (lr - final) (1 + cos(pi step / total)) / 2, and `final` from step `total` on.

    lr: learning rate of the first step.
    final: learning rate at the end.

    Source: Loshchilov and Hutter 2017, eq. 5, without restarts; torch.optim.lr_scheduler.CosineAnnealingLR.
    """

    lr: Rate
    final: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _falls(self) -> "Cosine":
        if self.final > self.lr:
            raise ValueError(f"final={self.final} is above lr={self.lr}; the rate falls, so set final to at most lr")
        return self

    def at(self, step: int, clock: Clock) -> float:
        """See `Schedule.at`."""
        part = min(1.0, step / clock.total)
        return self.final + (self.lr - self.final) * (1 + math.cos(math.pi * part)) / 2


class Stretched(Schedule):
    """A schedule on a time axis that is `factor` times as long: schedule.at(floor(step / factor)).

    schedule: the schedule that is stretched.
    factor: ratio of the lengths.

    A run of T steps reads `schedule` as a run of ceil(T / factor) steps, so a drop at "80ep" with factor 2
    comes at epoch 160, and one at "50%" stays half-way, up to rounding to whole steps.
    """

    schedule: SerializeAsAny[Schedule]
    factor: float = Field(gt=0)

    def at(self, step: int, clock: Clock) -> float:
        """See `Schedule.at`."""
        # The decimal as written, not its binary neighbor: 33 / 1.1 is 30 and must not round down to 29.
        factor = Fraction(str(self.factor))
        inner = Clock(epoch_steps=clock.epoch_steps, total=math.ceil(clock.total / factor))
        return self.schedule.at(math.floor(step / factor), inner)


def _length(clock: Clock) -> str:
    return f"the schedule has {clock.total} steps ({clock.total / clock.epoch_steps:g} epochs)"


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
