"""Many replicas in one program against each of them alone by the reference loop."""

from dataclasses import replace

import pytest
import torch
from stack_lab import SPARSE, Counting, Drawing, DrawingUnseen, Dropping, FromZero, Odd, assert_close, check, together
from test_interventions import EVERY, OWN, program_for, tensors

from prunescope.base.streams import replicate
from prunescope.runs.machine.devices import device_named, one_thread
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.model import network_of
from prunescope.training import run as running
from prunescope.training.engines import stack
from prunescope.training.engines.engine import Loop
from prunescope.training.engines.stack import Stack, how
from prunescope.training.engines.stacked.forward import Vmapped
from prunescope.training.engines.stacked.recorded import Recorded, recordable
from prunescope.training.engines.stacked.working import Stacked
from prunescope.training.optim import SGD, Adam, AdamW
from prunescope.training.run import Member, train, train_together
from prunescope.training.schedules import Constant, Milestones
from prunescope.training.stopping import LossBelow

OPTIMIZERS = [
    SGD(),
    SGD(momentum=0.9, nesterov=True, weight_decay=0.01),
    Adam(weight_decay=0.01),
    AdamW(),
]
every = pytest.mark.parametrize("intervention", EVERY, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
optimizers = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")


def different(program, count=3):
    """Replicas of a program: other seeds, rates and lengths."""
    schedules = [Constant(lr=0.1), Milestones(lr=0.05, drops=("11it",)), Constant(lr=0.02)]
    return [
        replace(program, seeds=replicate(k), schedule=schedules[k % 3], begin=0 if k < 2 else 4) for k in range(count)
    ]


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


@pytest.mark.parametrize(
    ("net", "method"), [(Odd, Vmapped), (Drawing, None), (DrawingUnseen, None), (Counting, Vmapped)]
)
def test_a_network_is_stacked_only_as_it_gives_the_same(lab, net, method):
    problem = lab.problem(network_of(net))
    programs = [lab.program(problem=problem, seeds=replicate(k)) for k in range(3)]
    assert how(check(lab, programs)[0].replica).method is method


def test_what_looks_at_outputs_goes_alone(lab):
    members = check(lab, [program_for(lab, *OWN, seeds=replicate(k)) for k in range(2)])
    assert how(members[0].replica).method is None


def test_the_number_in_a_program_changes_no_more_than_rounding(lab):
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


def test_a_head_that_begins_at_zero_hides_no_wrong_method(lab):
    program = lab.program(problem=lab.problem(network_of(FromZero)), optimizer=SGD(momentum=0.9))
    check(lab, different(program), sparsities=[0.0, 0.0, 0.0])


def test_what_is_given_is_left_alone(lab):
    programs = [lab.program(seeds=replicate(k), problem=lab.problem(network_of(Odd))) for k in range(3)]
    engine = Stack()
    replicas = [Member(p, lab.begin(p, seed=k)).replica for k, p in enumerate(programs)]
    for _ in range(3):  # the later ones go on with the very tensors that were handed out
        before = [{n: leaf.clone() for n, leaf in replica.state.weights.params.items()} for replica in replicas]
        moved = engine.advance(replicas, 4)
        for replica, params in zip(replicas, before, strict=True):
            assert all(torch.equal(leaf, params[name]) for name, leaf in replica.state.weights.params.items())
        replicas = moved


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
def test_steps_at_fixed_places_are_the_same_steps(lab, monkeypatch, optimizer):
    """What a GPU records, taken anew at every step."""
    monkeypatch.setattr(stack, "recordable", lambda work: not work.forward.draws)
    problem = lab.problem(network_of(Odd))
    programs = different(lab.program(problem=problem, optimizer=optimizer), 2)
    check(lab, programs, sparsities=[0.0, 0.5])


def test_where_only_recordings_pay_others_are_left_to_another_engine(lab, monkeypatch):
    """As for a run by itself; on a CPU nothing is recorded."""
    left, advance = [], Loop.advance
    monkeypatch.setattr(Loop, "advance", lambda *args: left.append(args) or advance(*args))
    program = lab.program(problem=lab.undrawn)
    alone = train(program, lab.begin(program, sparsity=0.5), engine=Stack(size=1, only_recorded=True))
    assert left
    left.clear()
    monkeypatch.setattr(stack, "recordable", lambda work: True)
    recorded = train(program, lab.begin(program, sparsity=0.5), engine=Stack(size=1, only_recorded=True))
    assert not left
    assert_close(alone, recorded)


def test_what_the_host_decides_about_is_not_recorded(lab, monkeypatch):
    monkeypatch.setattr(Stacked, "on_gpu", True)
    plain, drawing = lab.program(), lab.program(problem=lab.problem(network_of(Dropping)))
    watching = lab.program(stop=LossBelow(loss=1e-9))
    found = []
    for program in (plain, drawing, watching):
        replica = Member(program, lab.begin(program)).replica
        method = how(replica).method
        found.append(recordable(Stacked([replica], method(program.problem.model), [])))
    assert found == [True, False, False]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("method", ["layers", "vmap", "streams"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
def test_recorded_steps_equal_the_loop_on_a_gpu(lab, monkeypatch, optimizer, method):
    recorded, make = [], Recorded._make
    monkeypatch.setattr(Recorded, "_make", lambda self: recorded.append(self) or make(self))
    with one_thread():
        problem = lab.undrawn.to(device_named("cuda"))
        programs = [lab.program(problem=problem, optimizer=optimizer, seeds=replicate(k)) for k in range(3)]
        members = [Member(p, lab.begin(p, seed=k)) for k, p in enumerate(programs)]
        train_together(members, Stack(size=8, method=method))
        for k, (member, program) in enumerate(zip(members, programs, strict=True)):
            alone = train(program, lab.begin(program, seed=k), engine=Loop())
            assert_close(alone, member.progress, 1e-3)
    assert len(recorded) == (3 if method == "streams" else 1)
