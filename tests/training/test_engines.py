"""The contract of every engine: what the reference loop does, for every intervention, optimizer and architecture.

First steps are compared by the update of every parameter, as a loss hides a wrong gradient; what follows by a short
trajectory.
"""

from dataclasses import replace

import pytest
import torch
from stack_lab import SPARSE, assert_close
from test_interventions import EVERY, assert_same, program_for

from prunescope.base.reference import Moment
from prunescope.base.streams import Seeds, replicate
from prunescope.tasks import nets
from prunescope.tasks.data.augmentation import CropFlip
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.choice import PLAIN, Kernels
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.engines.lean import Lean
from prunescope.training.engines.loop import Loop
from prunescope.training.engines.stack import Stack, how
from prunescope.training.interventions import At, Prune
from prunescope.training.optim import SGD, Adam, AdamW, Optimizer
from prunescope.training.probes import AroundEvents, Curve
from prunescope.training.run import Member, train, train_together
from prunescope.training.schedules import Constant

OWN_PRODUCTS = Kernels(
    fused=True,
    flushed=True,
    sparse="llvm" if jit.available() else "torch",
    channels_last=True,
    without_units=True,
    train_below=1.0,
    evaluate_below=1.0,
    least=1,
)
OPTIMIZERS = [
    SGD(),
    SGD(weight_decay=0.01),
    SGD(momentum=0.9, weight_decay=0.01),
    SGD(momentum=0.9, nesterov=True),
    Adam(weight_decay=0.01),
    AdamW(),
]
WATCHED = {
    "probes": (Curve(split="test", every="5it"), AroundEvents()),
    "keep": (Moment(when="step", at="4it"), Moment(when="step", at="100%")),
}
FIRST = Moment(when="step", at="1it")


def named(value):
    return f"{type(value).__name__}-{value.id[:4]}"


def with_kernels(program, kernels):
    return replace(program, problem=replace(program.problem, kernels=kernels))


def by_lean(lab, program, kernels, **watched):
    return train(with_kernels(program, kernels), lab.begin(program, sparsity=0.3), engine=Lean(), **watched)


def in_a_stack(lab, programs, kernels, way="layers", probes=(), keep=()):
    """The end of the first program in a stack with the others, and whether it was stacked."""
    members = [
        Member(with_kernels(p, kernels), lab.begin(p, seed=k, sparsity=0.3), probes=probes, keep=keep)
        for k, p in enumerate(programs)
    ]
    train_together(members, Stack(size=8, way=way))
    assert members[0].failure is None and members[0].progress.finished
    return members[0].progress, how(members[0].lane, way).name


def check_every_engine(lab, program, *, stacked=True):
    """The same run by all of them: bitwise with torch's own products, to rounding with others and in company."""
    loop = train(program, lab.begin(program, sparsity=0.3), engine=Loop(), **WATCHED)
    assert_same(loop, by_lean(lab, program, PLAIN, **WATCHED))
    assert_close(loop, by_lean(lab, program, OWN_PRODUCTS, **WATCHED), 1e-3)
    company = replace(program, seeds=replicate(1), schedule=Constant(lr=0.05))
    end, way = in_a_stack(lab, [program, company], SPARSE, **WATCHED)
    assert (way == "layers") == stacked
    assert_close(loop, end, 1e-3)
    seen, expected = (
        [[(row["step"], row["phase"]) for row in rows] for rows in one.traces.values()] for one in (end, loop)
    )
    assert seen == expected


@pytest.mark.parametrize("intervention", EVERY, ids=named)
def test_every_intervention(lab, intervention):
    """With SGD and Adam in turns: what moments have to do with an intervention is the loop's own contract."""
    optimizer = (OPTIMIZERS[2], OPTIMIZERS[4])[EVERY.index(intervention) % 2]
    program = program_for(lab, intervention, optimizer=optimizer)
    check_every_engine(lab, program, stacked=not intervention.observes)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
def test_every_optimizer(lab, optimizer):
    check_every_engine(lab, program_for(lab, Prune(when=At(at="3it")), optimizer=optimizer))


def test_every_kind_of_optimizer_is_here(leaves):
    assert leaves(Optimizer) == {type(optimizer) for optimizer in OPTIMIZERS}


def test_augmented_data(lab):
    data = {"augmentation": (CropFlip(pad=1, fill=(0.0,)),), "label_noise": 0.2}
    program = program_for(lab, Prune(when=At(at="3it")))
    plain = lab.problem(program.problem.model.network)
    problem = lab.problem(program.problem.model.network, **data)
    x, other = (which.train.take(torch.arange(4))[0] for which in (problem, plain))
    assert torch.equal(x, other) and problem.augmentation  # drawn anew at every step, not stored
    check_every_engine(lab, replace(program, problem=problem))


def test_members_side_by_side_are_programs_of_their_own(lab):
    """As a GPU takes them on several streams; on a CPU one after another."""
    program = program_for(lab, Prune(when=At(at="3it")))
    other = replace(program, seeds=replicate(1), schedule=Constant(lr=0.05))
    alone, _ = in_a_stack(lab, [program], PLAIN)
    members = [Member(one, lab.begin(one, seed=k, sparsity=0.3)) for k, one in enumerate((program, other))]
    stack = Stack(size=8, way="streams")
    stack.advance([member.lane for member in members], 1)
    assert [len(work.steppers) for work in stack._works] == [1, 1]
    train_together(members, stack)
    assert members[0].lane.members == 1
    assert_same(alone, members[0].progress)


def test_programs_side_by_side_are_kept_from_call_to_call(lab):
    program = program_for(lab)
    stack = Stack(size=8, way="streams")
    lanes = [Member(program, lab.begin(program, seed=k)).lane for k in range(3)]
    lanes = stack.advance(lanes, 1)
    first = list(stack._works)
    stack.advance(lanes, 1)
    assert len(first) == 3
    assert all(one is other for one, other in zip(stack._works, first, strict=True))


STEEP = {"ResNet50": 1e-4}
"""Learning rates of networks whose gradients, so narrow, are large; 0.01 for others."""
NETS = {
    "LeNet": ({"hidden": (20, 10), "inputs": 192}, (3, 8, 8)),
    "Conv4": ({"scale": 0.1}, (3, 32, 32)),
    "VGG": ({"scale": 0.05}, (3, 32, 32)),
    "CifarResNet": ({"depth": 8, "width": 4}, (3, 8, 8)),
    "GatedCifarResNet": ({"depth": 8, "width": 4}, (3, 8, 8)),
    "ResNet18": ({"scale": 0.05}, (3, 8, 8)),
    "GatedResNet18": ({"scale": 0.05}, (3, 8, 8)),
    "ResNet50": ({"scale": 0.05}, (3, 8, 8)),
    "TwoLayer": ({"inputs": 12, "width": 5}, (4, 12)),
}


def test_every_architecture_of_the_package_is_here():
    assert set(nets.__all__) - {"Gate"} == set(NETS)


@pytest.mark.parametrize("name", NETS)
def test_every_architecture(lab, name):
    """A member of the stack has labels of its own."""
    args, shape = NETS[name]
    net = network(f"prunescope.tasks.nets:{name}", classes=3, **args)
    source = synthetic(classes=3, shape=shape, train=12, test=4)
    programs, rate = [], Constant(lr=STEEP.get(name, 1e-2))
    for k in range(2):
        data = Data(source=source, label_noise=0.2)
        problem = Task(network=net, data=data).load(Seeds(labels=k), source.load())
        options = {"steps": 2, "batch": 12, "seeds": replicate(k), "schedule": rate}
        programs.append(lab.program(Prune(when=At(at="1it")), problem=problem, optimizer=SGD(), **options))
    program, keep = programs[0], {"keep": (FIRST,)}
    begun = lab.begin(program, sparsity=0.3)
    loop = train(program, begun, engine=Loop(), **keep)
    assert_same(loop, by_lean(lab, program, PLAIN, **keep))
    assert_same_steps(begun, loop, by_lean(lab, program, OWN_PRODUCTS, **keep))
    end, way = in_a_stack(lab, programs, SPARSE, **keep)
    assert way == "layers"
    assert_same_steps(begun, loop, end)


def assert_same_steps(begun, loop, end):
    """Of the first step every parameter's update and statistic, of the trajectory its losses and masks.

    Normalization over few numbers magnifies rounding to some thousandths of a gradient; what is wrong is wrong by more.
    """
    start = begun.state.weights.params
    wanted, found = (one.kept[FIRST.id] for one in (loop, end))
    steepest = max(float((leaf - start[name]).abs().max()) for name, leaf in wanted.params.items())
    for name, leaf in wanted.params.items():
        size = float((leaf - start[name]).abs().max()) + 0.01 * steepest
        assert float((found.params[name] - leaf).abs().max()) <= 1e-2 * size, name
    for name, leaf in wanted.buffers.items():
        torch.testing.assert_close(found.buffers[name], leaf, rtol=1e-4, atol=1e-5, msg=name)
    torch.testing.assert_close(end.running, loop.running, rtol=1e-2, atol=1e-5)
    assert end.state.weights.sparsity == loop.state.weights.sparsity > begun.state.weights.sparsity
