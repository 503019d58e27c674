"""Gradient accumulation against torch's loop, in float64 under masks, in every engine, and resumed in between."""

from dataclasses import replace

import pytest
import torch
from practice_lab import assert_equal_params, begun, by_loop, by_torch, check_every_engine

from prunescope.training.engines.inplace import InPlace
from prunescope.training.interventions import At, Prune
from prunescope.training.optim import SGD, Adam, AdamW
from prunescope.training.optimizers.torch_optimizer import TorchOptimizer
from prunescope.training.optimizers.wrapper import Accumulated, Clipped
from prunescope.training.run import train
from prunescope.training.schedules import Constant

RULES = [
    (Accumulated(optimizer=SGD(momentum=0.9, weight_decay=0.01), batches=3), None),
    (Accumulated(optimizer=AdamW(), batches=4), None),
    (Accumulated(optimizer=Clipped(optimizer=SGD(), norm=0.1), batches=2), 0.1),
    (Accumulated(optimizer=TorchOptimizer(path="torch.optim:NAdam"), batches=2), None),
]
rules = pytest.mark.parametrize(("rule", "norm"), RULES, ids=lambda v: getattr(v, "id", "")[:4])
THEIRS = {
    0: lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01),
    1: lambda p: torch.optim.AdamW(p, lr=0.05),
    2: lambda p: torch.optim.SGD(p, lr=0.05),
    3: lambda p: torch.optim.NAdam(p, lr=0.05),
}


def program_for(lab, rule, *interventions, which="undrawn"):
    return lab.program(*interventions, problem=getattr(lab, which), optimizer=rule, schedule=Constant(lr=0.05))


@rules
def test_it_equals_torchs_loop(lab, rule, norm):
    program, weights = begun(lab, program_for(lab, rule))

    def training(module, losses):
        optimizer = THEIRS[[known for known, _ in RULES].index(rule)](module.parameters())
        for number, loss in enumerate(losses, start=1):
            (loss() / rule.batches).backward()
            if number % rule.batches == 0:
                if norm:
                    torch.nn.utils.clip_grad_norm_(module.parameters(), norm)
                optimizer.step()
                optimizer.zero_grad()

    expected = by_torch(program, weights, training)
    assert_equal_params(by_loop(program, weights).state.weights.params, expected)


@rules
def test_every_engine_accumulates(lab, rule, norm):
    for which in ("lenet", "undrawn"):
        end = check_every_engine(lab, program_for(lab, rule, Prune(when=At(at="7it")), which=which))
        assert int(end.opt["batches"][""]) == end.step


@rules
def test_between_steps_nothing_moves_and_a_stop_there_changes_nothing(lab, rule, norm):
    program = program_for(lab, rule, Prune(when=At(at="7it")))
    start = lab.begin(program, sparsity=0.4)
    whole = train(program, start, engine=InPlace())
    early = train(replace(program, clock=replace(program.clock, total=7)), start, engine=InPlace())
    late = train(program, train(program, start, beat=lambda progress: progress.local < 5), engine=InPlace())
    assert_equal_params(late.state.weights.params, whole.state.weights.params, 0.0)
    assert early.local == 7
    one = train(replace(program, interventions=(), clock=replace(program.clock, total=1)), start)
    assert_equal_params(one.state.weights.params, start.state.weights.params, 0.0)
    assert any(bool(leaf.any()) for leaf in one.state.opt["sum"].values())


def test_what_pruning_removes_is_removed_from_the_sum(lab):
    program = program_for(lab, Accumulated(optimizer=Adam(), batches=3), Prune(when=At(at="100%")), which="lenet")
    program = replace(program, clock=replace(program.clock, total=7))
    end = train(program, lab.begin(program)).state
    for name, mask in end.weights.masks.items():
        assert not bool(mask.all()) and bool((end.opt["sum"][name][~mask] == 0).all())
        assert bool((end.opt["sum"][name][mask] != 0).any())
