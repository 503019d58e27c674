"""Samplers for imbalanced data: torch's draws, keyed by epoch, in every engine."""

from dataclasses import replace

import pytest
import torch
from practice_lab import assert_equal_params, begun, by_loop, by_torch, check_every_engine
from torch.utils.data import WeightedRandomSampler

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.training.loop import Stepper
from prunescope.training.optim import SGD
from prunescope.training.samplers import Balanced, Sampler, Weighted
from prunescope.training.schedules import Constant

WEIGHTS = (3.0, 0.0, 1.0)


def program_for(lab, sampler, **changes):
    imbalanced = torch.cat([(lab.lenet.train.y == k).nonzero()[:n, 0] for k, n in enumerate((16, 8, 2))])
    problem = lab.undrawn.restricted(imbalanced)
    return lab.program(problem=problem, optimizer=SGD(), schedule=Constant(lr=0.05), sampler=sampler, **changes)


def by_hand(sampler, y):
    """One weight an example, from counts."""
    counts = [int((y == k).sum()) for k in range(3)]
    per_class = [1 / n for n in counts] if isinstance(sampler, Balanced) else WEIGHTS
    return torch.tensor([per_class[int(k)] for k in y], dtype=torch.float64)


@pytest.mark.parametrize("sampler", [Balanced(), Weighted(weights=WEIGHTS)], ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("drop_last", [False, True])
def test_training_sees_torchs_draws(lab, sampler, drop_last):
    program = program_for(lab, sampler, drop_last=drop_last)
    program = replace(program, clock=replace(program.clock, epoch_steps=3 if drop_last else 4))
    check_every_engine(lab, program)
    program, weights = begun(lab, program)
    train = program.problem.train

    def batches():
        for epoch in range(9):
            each = by_hand(sampler, train.y)
            draws = WeightedRandomSampler(each, len(train), generator=stream(0, "order", epoch))
            chunks = torch.tensor(list(draws)).split(8)
            yield from (train.batch(rows) for rows in chunks[: 3 if drop_last else 4])

    def training(module, losses):
        optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
        for loss in losses:
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

    given = [batch for batch, _ in zip(batches(), range(18), strict=False)]
    expected = by_torch(program, weights, training, batches=given)
    assert_equal_params(by_loop(program, weights).state.weights.params, expected)


def test_classes_come_as_often_as_they_should(lab):
    stepper = Stepper(program_for(lab, Balanced(), batch=26))
    assert not stepper.batches.whole, "a batch as large as the split is a sample, too"
    labels = torch.cat([stepper.batches.at(step)[1] for step in range(200)])
    shares = torch.bincount(labels, minlength=3) / len(labels)
    assert (shares - 1 / 3).abs().max() < 0.03
    rare = torch.cat([Stepper(program_for(lab, Weighted(weights=WEIGHTS))).batches.at(k)[1] for k in range(20)])
    assert not bool((rare == 1).any()) and bool((rare == 2).any())


def test_epochs_differ_and_do_not_depend_on_the_past(lab):
    late = Stepper(program_for(lab, Balanced())).batches
    steady = Stepper(program_for(lab, Balanced())).batches
    orders = [steady.order(epoch) for epoch in range(4)]
    assert torch.equal(late.order(3), orders[3]) and not torch.equal(orders[0], orders[1])


class Wrong(Sampler):
    returned: str

    def rows(self, y, generator):
        return {"few": torch.arange(3), "far": torch.arange(len(y)) + 1, "floats": torch.rand(len(y))}[self.returned]


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (Weighted(weights=(1.0, 1.0)), "classes up to 2; give one a class"),
        (Weighted(weights=(1.0, 1.0, -1.0)), "at least 0"),
        (Weighted(weights=(0.0, 0.0, 0.0, 1.0)), "leave no example to draw"),
        (Wrong(returned="few"), "Wrong.rows returned .* for 26 examples; return as many row numbers"),
        (Wrong(returned="far"), "from 0 to 25"),
        (Wrong(returned="floats"), "int64"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_impossible_samples_are_refused(lab, sampler, message):
    with pytest.raises(UsageError, match=message):
        Stepper(program_for(lab, sampler)).batches.order(0)


def test_labels_that_are_no_classes_are_refused():
    with pytest.raises(UsageError, match="one class an example"):
        Balanced().rows(torch.rand(4, 2), torch.Generator())
