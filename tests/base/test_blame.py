"""Whose line an error is told with."""

import pytest
import torch
from torch import nn

from prunescope.base.blame import blaming, explain
from prunescope.base.errors import UsageError, UserCodeError
from prunescope.studies.statistics import t_interval


def divide() -> float:
    return 1 / 0


def test_the_users_line_is_told_and_not_the_librarys():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x)  # of the wrong width

    with (
        pytest.raises(UserCodeError, match=r"my network: RuntimeError: mat1 .*test_blame\.py, line \d+: return self"),
        blaming("my network"),
    ):
        Net()(torch.zeros(1, 4))


def test_without_a_line_the_module_is_told():
    from prunescope.tasks.model import Model, network_of

    model = Model(network_of(nn.Sequential(nn.Flatten(), nn.Linear(3, 2))))
    params, buffers = model.init(0)
    try:
        model.apply(params, buffers, torch.zeros(1, 4), train=False)
    except RuntimeError as problem:
        assert explain(problem).endswith("(in Linear(in_features=3, out_features=2, bias=True))")


def test_what_prunescope_understands_passes_through_and_callers_are_not_blamed():
    with pytest.raises(UsageError, match="finite numbers") as caught, blaming("x"):
        t_interval([1.0])
    assert not isinstance(caught.value, UserCodeError)
    with pytest.raises(UserCodeError, match=r"ZeroDivisionError: .*return 1 / 0"), blaming():
        divide()


def test_a_syntax_error_is_told_with_its_place():
    with pytest.raises(UserCodeError, match=r"SyntaxError: .*\(mine\.py, line 2: y =\)"), blaming():
        compile("x = 1\ny =\n", "mine.py", "exec")
