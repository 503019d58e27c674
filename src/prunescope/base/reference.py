"""References to states of runs that need not exist yet."""

from typing import ClassVar, Literal

from pydantic import field_validator

from prunescope.base.steps import Duration
from prunescope.base.value import Value


class Moment(Value):
    """When, inside one run: at its end, at a step, or just before or after the events of a step.

    `at` counts from the run's own start; it is ignored for "final".
    """

    when: Literal["final", "step", "before", "after"] = "final"
    at: Duration = "0it"


FINAL = Moment()
"""The end of a run."""


class StateRef(Value):
    """The state of `run` (a recipe, or one to be chosen) at `moment`."""

    by_id: ClassVar[bool] = True
    run: Value
    moment: Moment = Moment()

    @field_validator("run")
    @classmethod
    def _is_a_run(cls, run: Value) -> Value:
        if not run.by_id:
            raise ValueError(
                f"{type(run).__name__} is not a recipe; a state belongs to a run, so name its recipe"
            )
        return run
