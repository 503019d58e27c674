"""Durations become steps, exactly."""

import pytest
from pydantic import BaseModel, ValidationError

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock, Duration


class Holder(BaseModel):
    at: Duration


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("0it", 0),
        ("17it", 17),
        ("2ep", 938),
        ("0.5ep", 234),
        ("100%", 18760),
        ("25%", 4690),
        ("0.1%", 18),
        ("33.3%", 6247),
    ],
)
def test_conversions_round_down(text, steps):
    assert Clock(epoch_steps=469, total=18760).steps(text) == steps
    assert Holder(at=text).at == text


def test_parts_are_exact_where_binary_fractions_are_not():
    clock = Clock(epoch_steps=10, total=1000)
    assert clock.steps("0.7ep") == 7
    assert clock.steps("2.3ep") == 23
    assert clock.steps("57.9%") == 579
    assert Clock(epoch_steps=100, total=1).steps("0.29ep") == 29


@pytest.mark.parametrize("text", ["", "10", "ep", "-1ep", "10 ep", "1e3it", "10epochs", "nan%", "10ep "])
def test_other_forms_are_refused_with_the_permitted_ones(text):
    with pytest.raises(UsageError, match="'10ep'") as problem:
        Clock(10, 100).steps(text)
    assert repr(text) in str(problem.value)
    with pytest.raises(ValidationError, match="'500it'"):
        Holder(at=text)


def test_a_part_of_an_iteration_is_refused_with_the_fix():
    with pytest.raises(UsageError, match="write '2it'"):
        Clock(10, 100).steps("2.5it")
