"""When interventions act: rules for steps, and the schedule by which units of one layer go."""

from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Self

from pydantic import field_validator

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock, Duration
from prunescope.base.value import Value


class When(Value):
    """A rule for the steps, counted from the start of the run, before which something happens."""

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """Increasing steps in [0, clock.total]; clock.total means after the last step."""
        raise NotImplementedError

    def spans(self, clock: Clock, **length: Duration) -> list[tuple[int, int]]:
        """The first step of something that begins at each of the steps and takes one `length`, and the first after it.

        It takes at least one step. Raises UsageError, with the name of the argument, for a span that outlasts the run.
        """
        ((name, duration),) = length.items()
        spans = [(step, step + max(1, clock.steps(duration))) for step in self.steps(clock)]
        if spans[-1][1] > clock.total:
            raise UsageError(
                f"{name}={duration!r} from step {spans[-1][0]} on outlasts the run, which ends after {clock.total} "
                "steps; shorten it, or choose an earlier position"
            )
        return spans


class At(When):
    """Once.

    at: duration since the start of the run.
    """

    at: Duration = "0it"

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """One step. Raises UsageError when it lies beyond the run."""
        return (_inside(clock.steps(self.at), self.at, clock),)


class Every(When):
    """At `start`, and every `period` after it, up to and including `end`.

    start, end: durations since the start of the run.
    period: duration between events, at least one step.
    """

    start: Duration
    end: Duration
    period: Duration

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """The steps start, start + period, ... <= end. Raises UsageError when there is none, or `end` is too late."""
        return _every(self.start, self.end, self.period, clock)


@lru_cache(maxsize=4096)
def _every(start: Duration, end: Duration, period: Duration, clock: Clock) -> tuple[int, ...]:
    first, last, apart = clock.steps(start), _inside(clock.steps(end), end, clock), clock.steps(period)
    if apart < 1:
        raise UsageError(f"period={period!r} is no whole step; use at least '1it'")
    if last < first:
        raise UsageError(f"end={end!r} comes before start={start!r}; exchange them")
    return tuple(range(first, last + 1, apart))


def _inside(step: int, text: str, clock: Clock) -> int:
    if step > clock.total:
        epochs = clock.total / clock.epoch_steps
        raise UsageError(
            f"{text!r} is step {step}, but the run has {clock.total} steps ({epochs:g} epochs); choose an earlier one"
        )
    return step


class LayerSchedule(Value):
    """A share of the units of a layer is removed in equal parts, at `start` and every `period` after it until `end`.

    layer: name of the module.
    start, end: durations since the start of the run: "4ep" is after four epochs of training, "0ep" before the first
        (the arm that is pruned from scratch).
    fraction: the share, in (0, 1).
    period: duration between events.

    Probes observe a position just before and just after its event, which precedes the first step under the learning
    rate of the next epoch.

    Source: Bartoldson et al. 2019 and 2020.
    Differs from the source: their code counts epochs from 0 and acts at the end of one, so its epoch 3 is "4ep" here;
    `after_epochs` takes their numbers.
    """

    layer: str
    start: Duration
    end: Duration
    fraction: float
    period: Duration

    @field_validator("fraction")
    @classmethod
    def _leaves_some(cls, fraction: float) -> float:
        if not 0 < fraction < 1:
            raise ValueError(f"fraction={fraction} must lie between 0 and 1; 1 would leave no unit, 0 would prune none")
        return fraction

    @classmethod
    def after_epochs(cls, layer: str, *, start: int, end: int, fraction: float, period: int) -> Self:
        """The schedule with events at the ends of epochs start, start + period, ... <= end, counted from 0.

        >>> LayerSchedule.after_epochs("conv8", start=6, end=275, fraction=0.9, period=40).start
        '7ep'
        """
        return cls(layer=layer, start=f"{start + 1}ep", end=f"{end + 1}ep", fraction=fraction, period=f"{period}ep")

    def steps(self, clock: Clock) -> tuple[int, ...]:
        """The positions of the events. Raises UsageError when there is none, or one is beyond the run."""
        return _every(self.start, self.end, self.period, clock)

    def kept(self, units: int, events: int) -> tuple[int, ...]:
        """The number of units of a layer that are kept after each event.

        With final = ceil((1 - fraction) N), event i of I leaves ceil(final + (N - final) (I - i) / I) of N units. An
        event of a small layer may remove nothing: 0, 0 and 1 of 16 units for fraction 0.1 in three events.

        units: number of units N, at least 1.
        events: number of events I, at least 1.

        Source: the authors' code of 2020.
        Differs from the source: exact, where binary fractions keep one unit more in some widths (0.7 of 10 leaves 3).

        >>> LayerSchedule.after_epochs("conv8", start=6, end=275, fraction=0.9, period=200).kept(512, 2)
        (282, 52)
        """
        # The decimal that was written: as a binary float, 1 - 0.7 is above 0.3.
        final = ceil((1 - Fraction(str(self.fraction))) * units)
        return tuple(final + ceil(Fraction((units - final) * (events - i), events)) for i in range(1, events + 1))
