"""Steps of a perceptron many at a time: those of the loop to rounding, and only where nobody looks between them."""

from dataclasses import replace

import pytest
import torch
from test_inplace import ALL, assert_close, with_kernels
from test_interventions import assert_same
from torch import nn

from prunescope.base.errors import Diverged
from prunescope.tasks.data.augmentation import CropFlip
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.model import network_of
from prunescope.training.engines.engine import Loop, Replica
from prunescope.training.engines.inplace import InPlace, _Trainer
from prunescope.training.engines.mlp import BoundMlp
from prunescope.training.loop import Stepper
from prunescope.training.optim import SGD
from prunescope.training.run import train
from prunescope.training.schedules import Constant, Cosine
from prunescope.training.stopping import LossBelow

pytestmark = pytest.mark.skipif(not jit.available(), reason="no numba")

WHOLE = Kernels(by_hand=True, merged=True, sparse="numba", **ALL)
PARTLY = Kernels(by_hand=True, merged=True, sparse="numba", train_below=0.99, evaluate_below=0.99, least=50)
"""The first layer has 96 weights and is packed, the others are small: all their weights, and masks."""
MIXED = Kernels(by_hand=True, merged=True, sparse="numba", train_below=0.35, evaluate_below=0.35, least=20)
"""The first layer takes torch's products and has a mask, the second is packed, the last is small."""
DENSE = Kernels(by_hand=True, merged=True, least=20)


class Biasless(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(16, 9, bias=False), nn.ReLU(), nn.Linear(9, 3, bias=False))


@pytest.fixture
def counted(monkeypatch):
    """How many steps every call took."""
    steps, counts = BoundMlp.steps, []

    def counting(self, columns, rows, *rest):
        counts.append(len(rows))
        return steps(self, columns, rows, *rest)

    monkeypatch.setattr(BoundMlp, "steps", counting)
    return counts


def one_by_one(monkeypatch, program, begun):
    with monkeypatch.context() as patch:
        patch.setattr(_Trainer, "_in_series", lambda *_: None)
        return train(program, begun, engine=InPlace())


@pytest.mark.parametrize("kernels", [WHOLE, PARTLY, MIXED, DENSE], ids=["packed", "partly", "mixed", "dense"])
@pytest.mark.parametrize("optimizer", [SGD(), SGD(weight_decay=0.01)], ids=["plain", "decay"])
@pytest.mark.parametrize("schedule", [Constant(lr=0.1), Cosine(lr=0.2)], ids=["constant", "cosine"])
def test_many_steps_at_a_time_are_single_steps_to_rounding(lab, monkeypatch, counted, kernels, optimizer, schedule):
    for problem in (lab.lenet, lab.problem(network_of(Biasless))):
        program = lab.program(problem=problem, optimizer=optimizer, schedule=schedule)
        begun = lab.begin(program, sparsity=0.6)
        assert not bool(begun.state.weights.masks[next(iter(begun.state.weights.masks))].all())
        other = with_kernels(program, kernels)
        single = one_by_one(monkeypatch, other, begun)
        assert not counted
        together = train(other, begun, engine=InPlace())
        assert sum(counted) == 20 and max(counted) > 1
        counted.clear()
        assert_close(single, together, 1e-5)
        assert_close(train(program, begun, engine=Loop()), together)


@pytest.mark.parametrize("kernels", [WHOLE, PARTLY, MIXED, DENSE], ids=["packed", "partly", "mixed", "dense"])
def test_bits_do_not_depend_on_where_a_chunk_begins_and_ends(lab, counted, kernels):
    program = with_kernels(lab.program(optimizer=SGD(weight_decay=0.01)), kernels)
    begun = lab.begin(program, sparsity=0.6, step=3)
    ends = []
    for sizes in ((1, 5, 9, 2), (17,)):
        engine, replica = InPlace(), Replica(Stepper(program), begun.state, begun.running, begun.local)
        for size in sizes:
            [replica] = engine.advance([replica], size)
        ends.append(replica)
    assert sum(counted) == 34
    assert torch.equal(ends[0].running, ends[1].running)
    assert_same(begun.replace(state=ends[0].state), begun.replace(state=ends[1].state))


def test_steps_that_somebody_looks_at_are_taken_one_by_one(lab, counted):
    plain = lab.program(optimizer=SGD())
    among = {
        "momentum": replace(plain, optimizer=SGD(momentum=0.9)),
        "a stop rule": replace(plain, stop=LossBelow(loss=1e-6)),
        "other kernels": with_kernels(plain, WHOLE.replace(merged=False)),
        "one batch an epoch": replace(plain, batch=50, clock=replace(plain.clock, epoch_steps=1)),
        "augmentation": replace(plain, problem=replace(lab.lenet, augmentation=(CropFlip(pad=1, fill=(0.0,)),))),
    }
    for what, program in among.items():
        kernels = WHOLE.replace(merged=what != "other kernels")
        train(with_kernels(program, kernels), lab.begin(program, sparsity=0.6), engine=InPlace())
        assert not counted, what


def test_a_loss_that_is_no_number_is_named_with_its_step(lab, monkeypatch, counted):
    program = with_kernels(lab.program(optimizer=SGD(weight_decay=1e8), steps=40), WHOLE)
    begun, said = lab.begin(program, sparsity=0.5), []
    for how in (
        lambda: one_by_one(monkeypatch, program, begun),
        lambda: train(program, begun, engine=InPlace()),
    ):
        with pytest.raises(Diverged) as problem:
            how()
        said.append(str(problem.value))
    assert said[0] == said[1] and counted
