"""The last batch of an epoch, which may be smaller: kept, dropped, or refused where it is one example."""

from dataclasses import replace

import pytest
import torch
from test_overriding import ends
from test_stack import assert_close
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.task import Task
from prunescope.training.last_batch import check_last_batch
from prunescope.training.loop import Stepper
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant

FLAT = {"optimizer": SGD(), "schedule": Constant(lr=0.1), "length": "2ep"}


def recipe(examples, *, normalized=True, **fields):
    x, y = torch.randn(examples, 8), torch.arange(examples) % 2
    norm = nn.BatchNorm1d(4) if normalized else nn.ReLU()
    net = nn.Sequential(nn.Linear(8, 4), norm, nn.Linear(4, 2))
    return Recipe(task=Task.from_module(net, train=(x, y), test=(x, y)), **(FLAT | fields))


@pytest.mark.parametrize("examples, batch", [(50, 8), (50, 30), (50, 49), (48, 8), (50, 50)])
def test_an_epoch_without_its_last_batch(lab, examples, batch):
    """The full batches of the same permutation, and no other."""
    problem = lab.lenet.restricted(torch.arange(examples))
    kept, dropped = (
        Stepper(lab.program(problem=problem, batch=batch, drop_last=drop)).batches for drop in (False, True)
    )
    assert dropped.epoch_steps == examples // batch
    for epoch in (0, 1):
        for step in range(dropped.epoch_steps):
            before = kept.indices(epoch * kept.epoch_steps + step)
            after = dropped.indices(epoch * dropped.epoch_steps + step)
            assert len(after[0]) == batch
            assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("batch", [8, 30])
def test_every_engine_drops_it(lab, batch):
    program = lab.program(batch=batch, drop_last=True, clock=Clock(50 // batch, 14), optimizer=SGD())
    other = ends(lab, replace(program, drop_last=False, clock=Clock(-(-50 // batch), 14)))["loop"]
    by_engine = ends(lab, program)
    loop = by_engine.pop("loop")
    weight = next(iter(loop.state.weights.params))
    assert not torch.equal(loop.state.weights.params[weight], other.state.weights.params[weight])
    for end in by_engine.values():
        assert_close(loop, end, 1e-3)


def test_the_setting_changes_the_id_only_where_it_is_set():
    plain = recipe(50, batch=8)
    assert plain.id == plain.replace(drop_last=False).id != plain.replace(drop_last=True).id
    assert "drop_last" not in plain.canonical
    assert (plain.clock().epoch_steps, plain.replace(drop_last=True).clock().epoch_steps) == (7, 6)


def test_dropping_the_only_batch_is_refused():
    with pytest.raises(UsageError, match=r"batch=64 with drop_last=True leaves no batch of 50 .*at most 50"):
        recipe(50, batch=64, drop_last=True).clock()


def test_one_example_under_batchnorm_is_refused_before_anything_runs(tmp_path):
    lone = recipe(17, batch=8)
    with pytest.raises(UsageError, match=r"17 training examples in batches of 8 .*drop_last=True, or another"):
        ensure(lone, store=tmp_path, workers=1)
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())
    fixed = lone.replace(drop_last=True)
    assert ensure(fixed, store=tmp_path, workers=1).store.manifest(fixed.id)["step"] == 4


def test_networks_that_learn_from_one_example_are_not_refused(lab):
    problem = lab.batchnorm.restricted(torch.arange(17))  # normalized over positions, too
    before = torch.get_rng_state()
    check_last_batch(problem, batch=8, drop_last=False)
    check_last_batch(lab.lenet.restricted(torch.arange(17)), batch=8, drop_last=False)
    assert torch.equal(before, torch.get_rng_state())
    assert recipe(17, batch=8, normalized=False).clock().epoch_steps == 3
