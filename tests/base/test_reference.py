"""References point at runs, whether or not they exist."""

from typing import ClassVar

import pytest

from prunescope.base.errors import (
    UsageError,
)
from prunescope.base.reference import Moment, StateRef
from prunescope.base.value import Value


class Run(Value):
    by_id: ClassVar[bool] = True
    seed: int = 0


def test_a_state_is_named_by_its_run_and_moment():
    states = [StateRef(run=Run()), StateRef(run=Run(seed=1))]
    states += [StateRef(run=Run(), moment=Moment(when=when, at="3it")) for when in ("step", "before", "after")]
    assert len({state.id for state in states}) == len(states)
    assert states[0].references == (Run(),)
    assert states[0].moment == Moment(when="final")


@pytest.mark.parametrize("wrong", [{"when": "later"}, {"when": "step", "at": "soon"}])
def test_a_moment_has_one_of_four_forms(wrong):
    with pytest.raises(UsageError, match=r"later|soon"):
        Moment(**wrong)


def test_only_runs_have_states():
    with pytest.raises(UsageError, match="Moment is not a recipe"):
        StateRef(run=Moment())
    with pytest.raises(UsageError, match="StateRef is not a recipe"):
        StateRef(run=StateRef(run=Run()))
