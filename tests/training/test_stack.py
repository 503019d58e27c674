"""Many replicas in one program against each of them alone by the reference loop."""

from dataclasses import replace

import pytest
import torch
from test_interventions import EVERY, OWN, program_for, tensors
from torch import nn

from prunescope.base import tree
from prunescope.base.errors import Diverged
from prunescope.base.steps import Clock
from prunescope.base.streams import Seeds, replicate
from prunescope.tasks.data.signal_noise import signal_noise
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.kernels.choice import Kernels
from prunescope.tasks.model import network, network_of
from prunescope.tasks.task import Data, Task
from prunescope.training import run as running
from prunescope.training.engines import stack
from prunescope.training.engines.engine import Lane
from prunescope.training.engines.loop import Loop
from prunescope.training.engines.stack import Stack, how
from prunescope.training.engines.stacked.forward import Leading, Vmapped
from prunescope.training.engines.stacked.recorded import recordable
from prunescope.training.engines.stacked.working import Stacked
from prunescope.training.interventions import At, Bernoulli, Prune
from prunescope.training.loop import Stepper
from prunescope.training.optim import SGD, Adam, AdamW
from prunescope.training.probes import AroundEvents, Curve
from prunescope.training.run import Member, begin, train, train_together
from prunescope.training.schedules import Constant, Milestones
from prunescope.training.stopping import LossBelow

SPARSE = Kernels(sparse="llvm", train_below=1.0, least=1)
OPTIMIZERS = [
    SGD(),
    SGD(momentum=0.9, nesterov=True, weight_decay=0.01),
    Adam(weight_decay=0.01),
    AdamW(),
]
every = pytest.mark.parametrize("intervention", EVERY, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
optimizers = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")


class Odd(nn.Module):
    """Counts axes from the front, so it cannot be called on a stack as it is."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv(x))).mean((2, 3)).flatten(1))


class Dropping(nn.Module):
    """The layers of the laboratory's network, called so that a stack can call them too."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.act = (
            nn.Conv2d(1, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
        )
        self.drop, self.again, self.fc = nn.Dropout(0.2), nn.Dropout(0.1), nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.again(self.drop(self.act(self.bn(self.conv(x))).mean((-2, -1)))))


class Drawing(nn.Module):
    """Draws by itself, so that no stack gives what it gives alone."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(16, 3)

    def forward(self, x):
        return self.fc(x.flatten(-3) + 0.1 * torch.randn_like(x.flatten(-3)))


def assert_close(left, right, tolerance=1e-4):
    left, right = tensors(left), tensors(right)
    assert left.keys() == right.keys()
    for name, leaf in left.items():
        if leaf.is_floating_point():
            torch.testing.assert_close(right[name], leaf, rtol=tolerance, atol=tolerance, msg=name)
        else:
            assert torch.equal(right[name], leaf), name


def together(lab, programs, *, sparsities=None, size=8, probes=()):
    """The members' ends in one program."""
    sparsities = sparsities or [0.3] * len(programs)
    members = [
        Member(program, lab.begin(program, seed=k, sparsity=sparsity), probes=probes)
        for k, (program, sparsity) in enumerate(zip(programs, sparsities, strict=True))
    ]
    train_together(members, Stack(size=size))
    return members


def check(lab, programs, *, sparsities=None, probes=(), **options):
    sparsities = sparsities or [0.3] * len(programs)
    members = together(lab, programs, sparsities=sparsities, probes=probes, **options)
    for k, (member, program, sparsity) in enumerate(zip(members, programs, sparsities, strict=True)):
        assert member.failure is None and member.progress.finished
        alone = train(program, lab.begin(program, seed=k, sparsity=sparsity), engine=Loop(), probes=probes)
        assert_close(alone, member.progress)
        rows = [[(row["step"], row["phase"]) for row in rows] for rows in alone.traces.values()]
        assert rows == [
            [(row["step"], row["phase"]) for row in rows] for rows in member.progress.traces.values()
        ]
    return members


def different(program, count=3):
    """Replicas of a program: other seeds, rates and lengths."""
    schedules = [Constant(lr=0.1), Milestones(lr=0.05, drops=("11it",)), Constant(lr=0.02)]
    return [
        replace(program, seeds=replicate(k), schedule=schedules[k % 3], begin=0 if k < 2 else 4)
        for k in range(count)
    ]


@pytest.mark.parametrize("optimizer", OPTIMIZERS[1:3], ids=["sgd", "adam"])
@every
def test_every_intervention(lab, intervention, optimizer):
    program = program_for(lab, intervention, optimizer=optimizer)
    problem = lab.problem(network_of(Dropping))
    programs = [replace(program, problem=problem, seeds=replicate(k)) for k in range(2)]
    members = check(lab, programs, probes=(Curve(every="5it"), AroundEvents()))
    assert (how(members[0].lane).way is Leading) == (not intervention.observes)


@optimizers
def test_replicas_that_differ_in_seeds_rates_lengths_and_masks(lab, optimizer):
    for kernels in (Kernels(), SPARSE):
        problem = replace(lab.lenet, kernels=kernels)
        programs = different(lab.program(problem=problem, optimizer=optimizer), 5)
        check(lab, programs, sparsities=[0.0, 0.9, 0.85, 0.5, 0.95])


@pytest.mark.parametrize("mask", ["no row", "one weight", "nothing", "all"])
def test_sparse_layers_of_extreme_masks(lab, mask):
    problem = replace(lab.lenet, kernels=SPARSE)
    program = lab.program(problem=problem, steps=5)
    ends = []
    for engine in (Loop(), Stack()):
        begun = lab.begin(program)
        weights = begun.state.weights
        masks = {name: torch.zeros_like(m) for name, m in weights.masks.items()}
        if mask == "no row":
            masks["fc1.weight"][1] = True
        if mask == "one weight":
            masks["fc1.weight"][0, 3] = masks["fc.weight"][0, 0] = True
        if mask == "all":
            masks = weights.masks
        params = {n: p * masks[n] if n in masks else p for n, p in weights.params.items()}
        state = begun.state.replace(weights=weights.replace(params=params, masks=masks))
        ends.append(train(program, begun.replace(state=state), engine=engine))
    assert_close(*ends)


NETS = {
    "LeNet": {"hidden": (20, 10), "inputs": 3 * 32 * 32},
    "Conv4": {"scale": 0.1},
    "VGG": {"scale": 0.05},
    "CifarResNet": {"depth": 8, "width": 4},
    "ResNet18": {"scale": 0.05},
}


REFUSED = pytest.mark.xfail(
    reason="so narrow, its normalization magnifies rounding: it may go alone", strict=False
)


@pytest.mark.parametrize("name", [pytest.param(n, marks=REFUSED) if n == "VGG" else n for n in NETS])
def test_every_architecture_with_data_of_its_own(lab, name):
    programs = []
    for k in range(2):
        source = synthetic(classes=3, shape=(3, 32, 32), train=24, test=8)
        net = network(f"prunescope.tasks.nets:{name}", classes=3, **NETS[name])
        problem = Task(network=net, data=Data(source=source, label_noise=0.2)).load(
            Seeds(labels=k), source.load()
        )
        # Small steps: normalization over few numbers magnifies rounding from step to step.
        options = {"steps": 4, "seeds": replicate(k), "schedule": Constant(lr=1e-3)}
        programs.append(lab.program(Prune(when=At(at="2it")), problem=problem, **options))
    members = check(lab, programs)
    assert how(members[0].lane).way is Leading


@pytest.mark.parametrize(("net", "way"), [(Odd, Vmapped), (Drawing, None)])
def test_a_network_is_stacked_only_as_it_gives_the_same(lab, net, way):
    problem = lab.problem(network_of(net))
    programs = [lab.program(problem=problem, seeds=replicate(k)) for k in range(3)]
    assert how(check(lab, programs)[0].lane).way is way


def test_what_looks_at_outputs_goes_alone(lab):
    members = check(lab, [program_for(lab, *OWN, seeds=replicate(k)) for k in range(2)])
    assert how(members[0].lane).way is None


def test_the_number_in_a_program_never_changes_bits(lab):
    problem = lab.problem(network_of(Dropping))
    programs = [lab.program(problem=problem, seeds=replicate(k)) for k in range(5)]
    ends = [together(lab, programs, size=size) for size in (2, 5, 8)]
    for others in ends[1:]:
        for one, other in zip(ends[0], others, strict=True):
            assert_close(one.progress, other.progress, 1e-6)


def test_chunks_never_change_bits(lab, monkeypatch):
    programs, ends = [lab.program(seeds=replicate(k)) for k in range(3)], []
    for seconds in (0.0, 1e-3, 100.0):
        monkeypatch.setattr(running, "CHUNK_SECONDS", seconds)
        ends.append(together(lab, programs))
    for others in ends[1:]:
        for one, other in zip(ends[0], others, strict=True):
            left, right = tensors(one.progress), tensors(other.progress)
            assert all(torch.equal(leaf, right[name]) for name, leaf in left.items())


def test_what_is_given_is_left_alone(lab):
    programs = [lab.program(seeds=replicate(k), problem=lab.problem(network_of(Odd))) for k in range(3)]
    engine = Stack()
    lanes = [Member(p, lab.begin(p, seed=k)).lane for k, p in enumerate(programs)]
    for _ in range(3):  # the later ones go on with the very tensors that were handed out
        before = [{n: leaf.clone() for n, leaf in lane.state.weights.params.items()} for lane in lanes]
        moved = engine.advance(lanes, 4)
        for lane, params in zip(lanes, before, strict=True):
            assert all(torch.equal(leaf, params[name]) for name, leaf in lane.state.weights.params.items())
        lanes = moved


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
def test_steps_at_fixed_places_are_the_same_steps(lab, monkeypatch, optimizer):
    """What a GPU records, taken anew at every step."""
    monkeypatch.setattr(stack, "recordable", lambda work: not work.forward.draws)
    problem = lab.problem(network_of(Odd))
    programs = different(lab.program(problem=problem, optimizer=optimizer), 2)
    check(lab, programs, sparsities=[0.0, 0.5])


def test_what_the_host_decides_about_is_not_recorded(lab, monkeypatch):
    monkeypatch.setattr(Stacked, "on_gpu", True)
    plain, drawing = lab.program(), lab.program(problem=lab.problem(network_of(Dropping)))
    watching = lab.program(stop=LossBelow(loss=1e-9))
    found = []
    for program in (plain, drawing, watching):
        lane = Member(program, lab.begin(program)).lane
        way = how(lane).way
        found.append(recordable(Stacked([lane], way(program.problem.model), [])))
    assert found == [True, False, False]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
def test_recorded_steps_equal_the_loop_on_a_gpu(lab, optimizer):
    problem = lab.problem(network_of(Odd)).to("cuda")
    programs = [lab.program(problem=problem, optimizer=optimizer, seeds=replicate(k)) for k in range(3)]
    members = [Member(p, begin(p, on_gpu(lab.weights(p, seed=k)), 0)) for k, p in enumerate(programs)]
    train_together(members, Stack(size=8))
    for k, (member, program) in enumerate(zip(members, programs, strict=True)):
        alone = train(program, begin(program, on_gpu(lab.weights(program, seed=k)), 0), engine=Loop())
        assert_close(alone, member.progress, 1e-3)


def on_gpu(weights):
    return type(weights)(
        *(tree.to(part, "cuda") for part in (weights.params, weights.buffers, weights.masks))
    )


# -- the two-layer network of the theory: own data, own masks, own stops


def theory(lab, keep, number, *, kernels=SPARSE, **changes):
    source = signal_noise(dimension=60, noise=0.4, train=20, test=10, seed=number)
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


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0, 3.5])
def test_the_fused_readout_at_every_power(lab, power):
    base = theory(lab, 1.0, 0, clock=Clock(1, 5))
    net = network("prunescope.tasks.nets:TwoLayer", inputs=60, width=8, classes=2, deviation=0.3, power=power)
    program = replace(base, problem=lab.double(replace(base.problem, model=lab.problem(net).model)))
    program = replace(
        base, problem=replace(base.problem, model=program.problem.model), schedule=Constant(lr=0.01)
    )
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
    lanes = []
    for k, program in enumerate(programs):
        progress = lab.begin(program, seed=k)
        [lane] = Loop().advance([Lane(Stepper(program), progress.state, progress.running, 0)], 3 * k)
        lanes.append(lane)
    moved = Stack().advance(lanes, 9)
    for lane, there in zip(lanes, moved, strict=True):
        [expected] = Loop().advance([lane], 9)
        for name, leaf in expected.state.weights.params.items():
            torch.testing.assert_close(there.state.weights.params[name], leaf, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(there.running, expected.running, rtol=1e-4, atol=1e-5)
