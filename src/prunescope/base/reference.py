"""References to states of runs that need not exist yet."""

from typing import ClassVar, Literal

from pydantic import field_validator

from prunescope.base.steps import Duration
from prunescope.base.value import Value


class Moment(Value):
    """A time inside one run, at which a state of it is taken.

    when: "final", the end of the run; "step", as the step `at` begins; "before" and "after" the events of that step.
    at: duration since the run's own start; without meaning for "final".
    """

    when: Literal["final", "step", "before", "after"] = "final"
    at: Duration = "0it"


FINAL = Moment()
"""The end of a run."""


class StateRef(Value):
    """A state of a run.

    run: the recipe, or the description of how one is chosen.
    moment: the time of the state inside the run.
    """

    by_id: ClassVar[bool] = True
    run: Value
    moment: Moment = Moment()

    @field_validator("run")
    @classmethod
    def _is_a_run(cls, run: Value) -> Value:
        if not run.by_id or isinstance(run, StateRef):
            raise ValueError(f"{type(run).__name__} is not a recipe; a state belongs to a run, so name its recipe")
        return run
