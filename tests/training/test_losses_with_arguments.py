"""Label smoothing and class weights: torch's own, in training and in every engine, with an id of their own."""

import functools

import pytest
import torch
import torch.nn.functional as F
from practice_lab import assert_equal_params, begun, by_loop, by_torch, check_every_engine
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.streams import Seeds
from prunescope.tasks.losses import weighted_cross_entropy
from prunescope.tasks.task import Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant

PATH = "prunescope.tasks.losses:weighted_cross_entropy"
WEIGHTS = [0.5, 2.0, 1.0]
ARGS = [{"smoothing": 0.1}, {"weights": WEIGHTS}, {"smoothing": 0.2, "weights": WEIGHTS}]


def task(loss=PATH, **fields):
    x, y = torch.randn(12, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3
    return Task.from_module(functools.partial(nn.Linear, 4, 3), train=(x, y), test=(x, y), loss=loss, **fields)


@pytest.mark.parametrize("args", ARGS, ids=str)
def test_each_example_by_hand(args):
    logits, y = torch.randn(9, 3, dtype=torch.float64), torch.arange(9) % 3
    weights = torch.tensor(args.get("weights", [1.0, 1.0, 1.0]), dtype=torch.float64)
    s, logp = args.get("smoothing", 0.0), torch.log(logits.exp() / logits.exp().sum(1, keepdim=True))
    for n in range(9):
        soft = torch.full((3,), s / 3, dtype=torch.float64)
        soft[y[n]] += 1 - s
        expected = -(weights * soft * logp[n]).sum()
        torch.testing.assert_close(weighted_cross_entropy(logits, y, **args)[n], expected)


@pytest.mark.parametrize("args", ARGS, ids=str)
def test_training_equals_torchs_and_every_engine(lab, args):
    problem = lab.problem(lab.undrawn.model.network)
    loss = Task(network=problem.model.network, data=task().data, loss=PATH, loss_args=args)
    fixed = loss.load(Seeds(), loss.data.source.load()).loss
    object.__setattr__(problem, "loss", fixed)
    program = lab.program(problem=problem, optimizer=SGD(momentum=0.9), schedule=Constant(lr=0.05))
    check_every_engine(lab, program)
    program, weights = begun(lab, program)

    def training(module, losses):
        optimizer = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9)
        for loss in losses:
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

    def theirs(logits, y):
        weights = torch.tensor(args["weights"], dtype=torch.float64) if "weights" in args else None
        smoothing = args.get("smoothing", 0.0)
        return F.cross_entropy(logits, y, weight=weights, label_smoothing=smoothing, reduction="none").mean()

    expected = by_torch(program, weights, training, loss=theirs)
    assert_equal_params(by_loop(program, weights).state.weights.params, expected)


def test_arguments_are_part_of_the_id_only_where_there_are_some():
    plain, smooth, weighted = task(), task(loss_args=ARGS[0]), task(loss_args=ARGS[1])
    assert plain.id == task(loss_args={}).id and "loss_args" not in plain.canonical
    assert len({plain.id, smooth.id, weighted.id}) == 3
    arrays = smooth.data.source.load()
    losses = [one.load(Seeds(), arrays).loss for one in (smooth, task(loss_args=ARGS[0]), weighted)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"weights": [1.0, 2.0]}, "weights has 2 entries for 3 classes"),
        ({"smoothing": 1.5}, "smoothing=1.5 is no probability"),
        ({"smooth": 0.1}, "does not take the arguments .*smooth"),
    ],
)
def test_impossible_arguments_are_refused(args, message):
    wrong = task(loss_args=args)
    loss = wrong.load(Seeds(), wrong.data.source.load()).loss
    with pytest.raises(UsageError, match=message):
        loss(torch.zeros(2, 3), torch.tensor([0, 1]))
