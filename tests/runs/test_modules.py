"""A stored state as a plain module."""

import pytest
import torch
from torch import nn

import prunescope as ps
from prunescope.runs.store.results import Missing
from prunescope.tasks.evaluation import logits


class Convolutional(nn.Module):
    """With normalization, so that buffers count, and a frozen layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 10)
        self.out.bias.requires_grad_(False)

    def forward(self, x):
        return self.out(self.norm(self.conv(x)).relu().mean((2, 3)))


@pytest.fixture
def run():
    task = ps.Task.from_module(
        Convolutional,
        train=(torch.randn(64, 1, 8, 8), torch.arange(64) % 10),
        test=(torch.randn(20, 1, 8, 8), torch.arange(20) % 10),
    )
    base = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=16, length="1ep")
    return ps.imp(base, levels=2)[-1]


def test_the_module_answers_as_the_stored_state_and_is_pruned(run, tmp_path):
    ps.ensure(run, store=tmp_path / "store", workers=1)
    module = ps.load_module(run, store=tmp_path / "store")
    problem = run.task.load(run.seeds, run.task.data.source.load())
    weights = ps.Store(tmp_path / "store").weights(run.id, ps.Moment().id)
    inputs = problem.split("test").inputs.take(torch.arange(20))
    assert torch.equal(module(inputs), logits(problem, weights, "test"))
    assert not module.training
    removed = sum(int((leaf == 0).sum()) for leaf in (module.conv.weight, module.out.weight))
    assert removed == sum(int((~mask).sum()) for mask in weights.masks.values()) > 0
    exported = torch.export.export(module, (inputs,)).module()
    assert torch.allclose(exported(inputs), module(inputs), atol=1e-5)


def test_what_is_not_stored_is_refused(run, tmp_path):
    ps.ensure(run.start.run, store=tmp_path / "store", workers=1)
    with pytest.raises(Missing, match=f"run {run.id[:8]} is not in .*; ensure it"):
        ps.load_module(run, store=tmp_path / "store")
