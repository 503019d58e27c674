"""The contract of every engine: what the reference loop does, for every intervention, optimizer and architecture.

First steps are compared by the update of every parameter, as a loss hides a wrong gradient; what follows by a short
trajectory. Engines are compared on one device, a GPU where there is one.
"""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from stack_lab import SPARSE, assert_close
from test_interventions import EVERY, OF_EACH_CLASS, assert_same, program_for

from prunescope.base.reference import Moment
from prunescope.base.streams import Seeds, replicate
from prunescope.tasks import nets
from prunescope.tasks.data.augmentation import CropFlip
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.kernel_config import PLAIN, Kernels
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.engines import stack
from prunescope.training.engines.engine import Loop
from prunescope.training.engines.inplace import InPlace
from prunescope.training.engines.stack import Stack, how
from prunescope.training.engines.stacked.recorded import Recorded
from prunescope.training.interventions import At, Prune
from prunescope.training.optim import SGD, Adam, AdamW, Optimizer
from prunescope.training.optimizers.torch_optimizer import TorchOptimizer
from prunescope.training.optimizers.wrapper import Accumulated, Averaged, Clipped, Group, Grouped
from prunescope.training.probes import AroundEvents, Curve
from prunescope.training.run import Member, train, train_together
from prunescope.training.schedules import Constant

OWN_PRODUCTS = Kernels(
    fused=True,
    flushed=True,
    sparse="numba" if jit.available() else "none",
    channels_last=True,
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
    Clipped(optimizer=SGD(momentum=0.9), norm=0.2),
    Grouped(optimizer=AdamW(), groups=(Group(match=("conv.weight",), weight_decay=0.0, lr=0.5),)),
    Averaged(optimizer=SGD(momentum=0.9), decay=0.8),
    Accumulated(optimizer=SGD(momentum=0.9), batches=3),
    TorchOptimizer(path="torch.optim:RMSprop"),
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
    return train(with_kernels(program, kernels), lab.begin(program, sparsity=0.3), engine=InPlace(), **watched)


def in_a_stack(lab, programs, kernels, method="layers", probes=(), keep=()):
    """The end of the first program in a stack with the others, and how it was stacked."""
    members = [
        Member(with_kernels(p, kernels), lab.begin(p, seed=k, sparsity=0.3), probes=probes, keep=keep)
        for k, p in enumerate(programs)
    ]
    train_together(members, Stack(size=8, method=method))
    assert members[0].failure is None and members[0].progress.finished
    return members[0].progress, how(members[0].replica, method).name


@contextmanager
def fixed_places(device):
    """Steps of a stack at fixed places, as a GPU records them; on a CPU they are taken anew. How many there were."""
    taken, step = [], Recorded.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorded, "step", lambda self, rate: taken.append(rate) or step(self, rate))
        if torch.device(device).type != "cuda":
            patch.setattr(stack, "recordable", lambda work: not work.forward.draws)
        yield taken


def check_every_engine(lab, device, program, *, stacked=True):
    """The same run by all of them: bitwise with torch's own products, to rounding with others and in company."""
    program = lab.on(device, program)
    loop = train(program, lab.begin(program, sparsity=0.3), engine=Loop(), **WATCHED)
    assert_same(loop, by_lean(lab, program, PLAIN, **WATCHED))
    assert_close(loop, by_lean(lab, program, OWN_PRODUCTS.on(device), **WATCHED), 1e-3)
    # The dropout of a GPU draws otherwise in a stack, which is noticed: there such a network goes alone.
    check_in_a_stack(lab, program, loop, "layers" if stacked and device == "cpu" else None, "layers")


def check_every_way(lab, device, program):
    """What a network that draws nothing may be trained by besides."""
    program = lab.on(device, program)
    program = replace(program, problem=replace(program.problem, model=lab.undrawn.model))
    loop = train(program, lab.begin(program, sparsity=0.3), engine=Loop(), **WATCHED)
    check_in_a_stack(lab, program, loop, "vmap", "vmap")
    check_in_a_stack(lab, program, loop, "streams", "streams")
    with fixed_places(device) as taken:
        check_in_a_stack(lab, program, loop, "layers", "layers")
    assert len(taken) == program.steps


def check_in_a_stack(lab, program, loop, expected, method):
    company = replace(program, seeds=replicate(1), schedule=Constant(lr=0.05))
    end, found = in_a_stack(lab, [program, company], SPARSE, method, **WATCHED)
    assert found == expected
    assert_close(loop, end, 1e-3)
    seen, wanted = (
        [[(row["step"], row["phase"]) for row in rows] for rows in one.traces.values()] for one in (end, loop)
    )
    assert seen == wanted


@pytest.mark.parametrize("intervention", EVERY, ids=named)
def test_every_intervention(lab, device, intervention):
    check_every_engine(lab, device, with_one(lab, intervention), stacked=not intervention.observes)


@pytest.mark.slow
@pytest.mark.parametrize("intervention", [one for one in OF_EACH_CLASS if not one.observes], ids=named)
def test_every_class_of_interventions_in_every_way(lab, device, intervention):
    """How it is set matters to its own code only."""
    check_every_way(lab, device, with_one(lab, intervention))


def with_one(lab, intervention):
    """With SGD and Adam in turns: what moments have to do with an intervention is the loop's own contract."""
    return program_for(lab, intervention, optimizer=(OPTIMIZERS[2], OPTIMIZERS[4])[EVERY.index(intervention) % 2])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
def test_every_optimizer(lab, device, optimizer):
    program = program_for(lab, Prune(when=At(at="3it")), optimizer=optimizer)
    check_every_engine(lab, device, program)
    check_every_way(lab, device, program)


def test_every_kind_of_optimizer_is_here(leaves):
    assert leaves(Optimizer) == {type(optimizer) for optimizer in OPTIMIZERS}


def test_augmented_data(lab, device):
    data = {"augmentation": (CropFlip(pad=1, fill=(0.0,)),), "label_noise": 0.2}
    program = program_for(lab, Prune(when=At(at="3it")))
    plain = lab.problem(program.problem.model.network)
    problem = lab.problem(program.problem.model.network, **data)
    x, other = (which.train.batch(torch.arange(4))[0] for which in (problem, plain))
    assert torch.equal(x, other) and problem.augmentation  # drawn anew at every step, not stored
    check_every_engine(lab, device, replace(program, problem=problem))
    check_every_way(lab, device, replace(program, problem=problem))


def test_members_side_by_side_are_programs_of_their_own(lab):
    """As a GPU takes them on several streams; on a CPU one after another."""
    program = program_for(lab, Prune(when=At(at="3it")))
    other = replace(program, seeds=replicate(1), schedule=Constant(lr=0.05))
    alone, _ = in_a_stack(lab, [program], PLAIN)
    members = [Member(one, lab.begin(one, seed=k, sparsity=0.3)) for k, one in enumerate((program, other))]
    stack = Stack(size=8, method="streams")
    stack.advance([member.replica for member in members], 1)
    assert [len(work.steppers) for work in stack._works] == [1, 1]
    train_together(members, stack)
    assert members[0].replica.members == 1
    assert_same(alone, members[0].progress)


def test_programs_side_by_side_are_kept_from_call_to_call(lab):
    program = program_for(lab)
    stack = Stack(size=8, method="streams")
    replicas = [Member(program, lab.begin(program, seed=k)).replica for k in range(3)]
    replicas = stack.advance(replicas, 1)
    first = list(stack._works)
    stack.advance(replicas, 1)
    assert len(first) == 3
    assert all(one is other for one, other in zip(stack._works, first, strict=True))


STEEP = {"ResNet50": 1e-4}
"""Learning rates of networks whose gradients, so narrow, are large; 0.01 for others."""
NETS = {
    "LeNet": ({"hidden": (20, 10), "inputs": 192}, (3, 8, 8)),
    "Conv4": ({"scale": 0.1}, (3, 32, 32)),
    "VGG": ({"scale": 0.05}, (3, 32, 32)),
    "CifarResNet": ({"depth": 8, "width": 8}, (3, 8, 8)),
    "GatedCifarResNet": ({"depth": 8, "width": 8}, (3, 8, 8)),
    "ResNet18": ({"scale": 0.05}, (3, 8, 8)),
    "GatedResNet18": ({"scale": 0.05}, (3, 8, 8)),
    "ResNet50": ({"scale": 0.05}, (3, 8, 8)),
    "TwoLayer": ({"inputs": 12, "width": 5}, (4, 12)),
}
QUICK = ("LeNet", "Conv4", "CifarResNet", "TwoLayer")


def test_every_architecture_of_the_package_is_here():
    assert set(nets.__all__) - {"Gate"} == set(NETS)


def members_of(lab, name, *, double=False):
    """Two programs of an architecture with labels of their own."""
    args, shape = NETS[name]
    net = network(f"prunescope.tasks.nets:{name}", classes=3, **args)
    source = synthetic(classes=3, shape=shape, train=12, test=4)
    rate = Constant(lr=STEEP.get(name, 1e-2))
    for k in range(2):
        data = Data(source=source, label_noise=0.2)
        problem = Task(network=net, data=data).load(Seeds(labels=k), source.load())
        problem = lab.double(problem) if double else problem
        options = {"steps": 2, "batch": 12, "seeds": replicate(k), "schedule": rate}
        yield lab.program(Prune(when=At(at="1it")), problem=problem, optimizer=SGD(), **options)


@pytest.mark.parametrize("name", NETS)
def test_every_architecture(lab, name):
    programs, keep = list(members_of(lab, name)), {"keep": (FIRST,)}
    begun = lab.begin(programs[0], sparsity=0.3)
    loop = train(programs[0], begun, engine=Loop(), **keep)
    assert_same(loop, by_lean(lab, programs[0], PLAIN, **keep))
    tolerance = 1e-1 if name in STEEP else 3e-2
    assert_same_steps(begun, loop, by_lean(lab, programs[0], OWN_PRODUCTS, **keep), tolerance)
    end, method = in_a_stack(lab, programs, SPARSE, **keep)
    assert method == "layers"
    assert_same_steps(begun, loop, end, tolerance)


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NETS])
def test_every_architecture_in_every_way(lab, device, name):
    """In float64, which leaves rounding nothing to hide behind; products of a CPU's own are for float32."""
    programs = [lab.on(device, program) for program in members_of(lab, name, double=True)]
    keep, begun = {"keep": (FIRST,)}, lab.begin(programs[0], sparsity=0.3)
    loop = train(programs[0], begun, engine=Loop(), **keep)
    assert_same(loop, by_lean(lab, programs[0], PLAIN, **keep))
    assert_same_steps(begun, loop, by_lean(lab, programs[0], OWN_PRODUCTS.on(device), **keep), 1e-6)
    for method in ("vmap", "streams"):
        end, found = in_a_stack(lab, programs, PLAIN, method, **keep)
        assert found == method
        assert_same_steps(begun, loop, end, 1e-6)
    with fixed_places(device) as taken:
        end, _ = in_a_stack(lab, programs, PLAIN, **keep)
    assert len(taken) == 2
    assert_same_steps(begun, loop, end, 1e-6)


def assert_same_steps(begun, loop, end, tolerance=3e-2):
    """Of the first step every parameter's update and statistic, of the trajectory its losses and masks.

    In float32 normalization over few numbers magnifies rounding to some hundredths of a gradient (two on processors
    without AVX-512); what is wrong is wrong by more.
    """
    start = begun.state.weights.params
    wanted, found = (one.kept[FIRST.id] for one in (loop, end))
    steepest = max(float((leaf - start[name]).abs().max()) for name, leaf in wanted.params.items())
    for name, leaf in wanted.params.items():
        size = float((leaf - start[name]).abs().max()) + 0.01 * steepest
        assert float((found.params[name] - leaf).abs().max()) <= tolerance * size, name
    for name, leaf in wanted.buffers.items():
        close = {"rtol": tolerance / 100, "atol": tolerance / 1000}
        torch.testing.assert_close(found.buffers[name], leaf, **close, msg=name)
    torch.testing.assert_close(end.running, loop.running, rtol=tolerance, atol=tolerance / 1000)
    assert end.state.weights.sparsity == loop.state.weights.sparsity > begun.state.weights.sparsity
