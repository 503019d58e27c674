"""Members of a stack that have data, masks and ends of their own, or nothing in common with each other."""

from dataclasses import replace

import pytest
import torch
from stack_lab import SPARSE, Dropping, assert_close, together

from prunescope.base.errors import Diverged
from prunescope.base.steps import Clock
from prunescope.base.streams import Seeds, replicate
from prunescope.tasks.data.augmentation import CropFlip, RandomResizedCrop
from prunescope.tasks.data.signal_noise import signal_noise
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.model import network, network_of
from prunescope.tasks.task import Data, Task
from prunescope.training.engines.engine import Loop, Replica
from prunescope.training.engines.stack import Stack
from prunescope.training.engines.stacked.batches import StackedBatches
from prunescope.training.interventions import Bernoulli
from prunescope.training.loop import Stepper
from prunescope.training.optim import SGD, Adam
from prunescope.training.run import Member, begin, train, train_together
from prunescope.training.schedules import Constant
from prunescope.training.stopping import LossBelow

# -- the two-layer network of the theory: own data, own masks, own stops


def theory(lab, keep, number, *, noise=0.4, kernels=SPARSE, **changes):
    source = signal_noise(dimension=60, noise=noise, train=20, test=10, seed=number)
    net = network("prunescope.tasks.nets:TwoLayer", inputs=60, width=8, deviation=0.1)
    problem = Task(network=net, data=Data(source=source)).load(Seeds(), source.load())
    options = {
        "problem": replace(problem, kernels=kernels),
        "optimizer": SGD(),
        "schedule": Constant(lr=0.5),
        "clock": Clock(1, 100),
        "batch": 20,
        "stop": LossBelow(loss=0.05),
        "seeds": replicate(number),
    }
    return lab.program(Bernoulli(keep=keep), **(options | changes))


@pytest.mark.parametrize("kernels", [Kernels(), SPARSE], ids=["dense", "sparse"])
def test_each_ends_at_its_own_step_where_the_loop_ends_it(lab, kernels):
    programs = [theory(lab, keep, k, kernels=kernels) for k in range(2) for keep in (1.0, 0.5, 0.15, 0.05)]
    members = [Member(p, begin(p, lab.weights(p, seed=k), 0)) for k, p in enumerate(programs)]
    train_together(members, Stack(size=3))
    ends = [train(p, begin(p, lab.weights(p, seed=k), 0), engine=Loop()) for k, p in enumerate(programs)]
    assert [member.progress.local for member in members] == [end.local for end in ends]
    assert len({end.local for end in ends}) > 4 and min(end.local for end in ends) > 3
    for member, end in zip(members, ends, strict=True):
        assert_close(end, member.progress)


def test_noise_levels_rates_and_masks_mix(lab):
    """As in a phase diagram: members that have only the network in common."""
    programs = [
        theory(lab, keep, k, noise=noise, schedule=Constant(lr=lr))
        for k, (noise, keep, lr) in enumerate([(0.05, 1.0, 0.5), (0.4, 0.3, 0.25), (0.8, 0.1, 0.5), (0.2, 0.05, 1.0)])
    ]
    members = [Member(p, begin(p, lab.weights(p, seed=k), 0)) for k, p in enumerate(programs)]
    train_together(members, Stack())
    for k, (program, member) in enumerate(zip(programs, members, strict=True)):
        end = train(program, begin(program, lab.weights(program, seed=k), 0), engine=Loop())
        assert end.local == member.progress.local
        assert_close(end, member.progress)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0, 3.5])
def test_the_fused_readout_at_every_power(lab, power):
    base = theory(lab, 1.0, 0, clock=Clock(1, 5))
    net = network("prunescope.tasks.nets:TwoLayer", inputs=60, width=8, classes=2, deviation=0.3, power=power)
    program = replace(base, problem=lab.double(replace(base.problem, model=lab.problem(net).model)))
    program = replace(base, problem=replace(base.problem, model=program.problem.model), schedule=Constant(lr=0.01))
    weights = lab.weights(program, seed=1)
    loop, stack = (train(program, begin(program, weights, 0), engine=e) for e in (Loop(), Stack()))
    assert_close(loop, stack)


@pytest.mark.parametrize("watches", [True, False])
def test_one_diverges_and_the_others_go_on(lab, watches):
    stop = {"stop": LossBelow(loss=1e-9)} if watches else {}
    plain = [lab.program(seeds=replicate(k), **stop) for k in range(3)]
    plain[1] = replace(plain[1], schedule=Constant(lr=1e30))
    members = together(lab, plain)
    assert isinstance(members[1].failure, Diverged)
    with pytest.raises(Diverged) as alone:
        train(plain[1], lab.begin(plain[1], seed=1, sparsity=0.3), engine=Loop())
    assert str(members[1].failure) == str(alone.value)
    for k in (0, 2):
        end = train(plain[k], lab.begin(plain[k], seed=k, sparsity=0.3), engine=Loop())
        assert_close(end, members[k].progress)


def test_lanes_that_have_nothing_in_common_do_not_disturb_each_other(lab):
    programs = [
        lab.program(),
        lab.program(optimizer=Adam()),
        lab.program(batch=16, clock=Clock(4, 20)),
        lab.program(problem=lab.problem(network_of(Dropping))),
        lab.program(precision="bfloat16"),
    ]
    members = together(lab, programs)
    for k, (program, member) in enumerate(zip(programs, members, strict=True)):
        end = train(program, lab.begin(program, seed=k, sparsity=0.3))
        assert_close(end, member.progress, 0.05 if program.precision == "bfloat16" else 1e-4)


def test_lanes_in_the_middle_of_an_epoch_stand_apart(lab):
    programs = [lab.program(seeds=replicate(k)) for k in range(2)]
    replicas = []
    for k, program in enumerate(programs):
        progress = lab.begin(program, seed=k)
        [replica] = Loop().advance([Replica(Stepper(program), progress.state, progress.running, 0)], 3 * k)
        replicas.append(replica)
    moved = Stack().advance(replicas, 9)
    for replica, there in zip(replicas, moved, strict=True):
        [expected] = Loop().advance([replica], 9)
        for name, leaf in expected.state.weights.params.items():
            torch.testing.assert_close(there.state.weights.params[name], leaf, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(there.running, expected.running, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch", [8, 50])
@pytest.mark.parametrize("augmented", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_batches_are_bit_by_bit_those_of_each_by_itself(lab, batch, augmented, shared):
    """Over the end of an epoch, with a member that leaves on the way."""
    changes = (CropFlip(pad=1, fill=(0.3,)), RandomResizedCrop(size=4)) if augmented else ()
    problem = lab.problem(lab.lenet.model.network, augmentation=changes)
    problems = [problem if shared else lab.double(problem) for _ in range(3)]
    programs = [lab.program(problem=one, seeds=replicate(k), batch=batch) for k, one in enumerate(problems)]
    together_, alone = (list(map(Stepper, programs)) for _ in range(2))
    batches, steps = StackedBatches(together_, [7, 14, 21]), [7, 14, 21]
    for done in range(9):
        if done == 5:
            batches.drop(0)
            alone, steps = [alone[2], alone[1]], [steps[2], steps[1]]
        x, y = batches.next()
        expected = [one.batch(step) for one, step in zip(alone, steps, strict=True)]
        assert torch.equal(x, torch.stack([part for part, _ in expected]))
        assert torch.equal(y, torch.stack([part for _, part in expected]))
        steps = [step + 1 for step in steps]
