"""Rules for the steps at which an intervention acts."""

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
        period, start = clock.steps(self.period), clock.steps(self.start)
        end = _inside(clock.steps(self.end), self.end, clock)
        if period < 1:
            raise UsageError(f"period={self.period!r} is no whole step; use at least '1it'")
        if end < start:
            raise UsageError(f"end={self.end!r} comes before start={self.start!r}; exchange them")
        return tuple(range(start, end + 1, period))


def _inside(step: int, text: str, clock: Clock) -> int:
    if step > clock.total:
        epochs = clock.total / clock.epoch_steps
        raise UsageError(
            f"{text!r} is step {step}, but the run has {clock.total} steps ({epochs:g} epochs); choose an earlier one"
        )
    return step
