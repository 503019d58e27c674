"""A measure that watches a run."""

from types import SimpleNamespace

import pytest
import torch

from prunescope.base.state import TrainState, Weights
from prunescope.base.steps import Clock
from prunescope.measures import Measure, Risk
from prunescope.runs.graph.nodes import Watch


@pytest.mark.parametrize(
    ("total", "per_decade", "steps"),
    [
        (1, 10, (0, 1)),
        (120, 1, (0, 1, 10, 100, 120)),
        (100, 1, (0, 1, 10, 100)),
        (10, 3, (0, 1, 2, 5, 10)),
    ],
)
def test_steps_are_spaced_in_equal_ratios_from_the_start_to_the_end(total, per_decade, steps):
    assert Watch(measure=Risk(), per_decade=per_decade).steps(Clock(7, total)) == steps


class Mixed(Measure):
    def measure(self, problem, weights):
        return {"number": weights.params["w"].sum(), "vector": weights.params["w"]}


def test_only_single_numbers_are_written():
    problem = SimpleNamespace(apart=lambda: None)
    state = TrainState(0, 0, Weights({"w": torch.tensor([1.0, 2.0])}, {}, {}))
    assert Watch(measure=Mixed()).observe(problem, state, 0.0) == {"number": 3.0}
