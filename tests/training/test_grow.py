"""Dynamic sparse training: what is dropped, what grows, and what stays as it was."""

import math

import pytest
import torch

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.steps import Clock
from prunescope.base.tree import equal
from prunescope.training import run as running
from prunescope.training.interventions import Grow
from prunescope.training.optim import Adam
from prunescope.training.run import train
from prunescope.training.timeline import EventContext, Timeline


def at_event(lab, grow, *, local=10, **changes):
    """State and context at a step of a sparse run whose moments are all 1."""
    program = lab.program(grow, **changes)
    progress = lab.begin(program, sparsity=0.6)
    ones = {
        name: tree.masked(tree.tree_map(torch.ones_like, part), progress.state.weights.masks)
        for name, part in progress.state.opt.items()
    }
    progress = progress.replace(state=progress.state.replace(step=local, opt=ones))
    return progress.state, EventContext(Timeline(program, (), ()), progress, 0)


def expected_share(grow, step, end):
    return grow.fraction * (1 + math.cos(math.pi * step / end)) / 2 if grow.decay == "cosine" else grow.fraction


@pytest.mark.parametrize("decay", ["cosine", "constant"])
@pytest.mark.parametrize("by", ["gradient", "random"])
def test_the_smallest_go_and_as_many_come_in_each_layer(lab, by, decay):
    """Against the definition, weight by weight."""
    grow = Grow(by=by, fraction=0.5, decay=decay, period="5it", end="16it")
    state, context = at_event(lab, grow)
    after = grow.apply(state, context)
    slope = context.gradient(state.weights, 1)
    for name, mask in state.weights.masks.items():
        count = round(expected_share(grow, 10, 16) * int(mask.sum()))
        weight, new = state.weights.params[name].flatten(), after.weights.masks[name].flatten()
        alive = mask.flatten().nonzero().flatten().tolist()
        dropped = sorted(alive, key=lambda i, weight=weight: abs(float(weight[i])))[:count]
        left = set(alive) - set(dropped)
        grown = set(new.nonzero().flatten().tolist()) - left
        assert count > 0 and len(grown) == count and int(new.sum()) == len(alive)
        assert left <= set(new.nonzero().flatten().tolist())
        if by == "gradient":
            empty = [i for i in range(len(weight)) if i not in left]
            size = slope[name].flatten().abs()
            assert grown == set(sorted(empty, key=lambda i, size=size: -float(size[i]))[:count])
        values, momentum = after.weights.params[name].flatten(), after.opt["momentum"][name].flatten()
        for i in range(len(weight)):
            assert float(values[i]) == (float(weight[i]) if i in left else 0.0)
            assert float(momentum[i]) == (1.0 if i in left else 0.0)


def test_all_moments_of_adam_are_cleared_and_nothing_else(lab):
    grow = Grow(fraction=0.5, period="5it")
    state, context = at_event(lab, grow, optimizer=Adam())
    after = grow.apply(state, context)
    for name, mask in state.weights.masks.items():
        stays = mask & after.weights.masks[name] & (after.weights.params[name] != 0)
        for moment in ("first", "second"):
            assert torch.equal(after.opt[moment][name] == 1, stays)
    assert equal(after.opt["count"], state.opt["count"])
    assert torch.equal(after.opt["first"]["fc.bias"], state.opt["first"]["fc.bias"])


def test_events_are_every_period_before_the_end():
    clock = Clock(epoch_steps=10, total=100)
    assert Grow(period="20it", end="80it").events(clock) == (20, 40, 60)
    assert Grow(period="2ep", end="75%").events(clock) == (20, 40, 60)
    for end in ("20it", "50it"):
        with pytest.raises(UsageError, match=f"period='50it' leaves no exchange before end='{end}'"):
            Grow(period="50it", end=end).events(clock)
    with pytest.raises(UsageError, match="200it"):
        Grow(period="50it", end="200it").events(clock)


@pytest.mark.parametrize("by", ["gradient", "random"])
def test_sparsity_of_each_layer_is_constant_while_the_pattern_moves(lab, monkeypatch, by):
    monkeypatch.setattr(running, "CHUNK_SECONDS", 0.0)
    program = lab.program(Grow(by=by, fraction=0.4, period="4it", exclude=("fc.weight",)), steps=40)
    seen = []

    def note(progress):
        seen.append(progress.state.weights)
        return True

    train(program, lab.begin(program, sparsity=0.7), beat=note)
    first, last = seen[0].masks, seen[-1].masks
    for name in first:
        assert {int(weights.masks[name].sum()) for weights in seen} == {int(first[name].sum())}
        assert torch.equal(first[name], last[name]) == (name == "fc.weight")
    grown = last["fc1.weight"] & ~first["fc1.weight"]
    assert bool((seen[-1].params["fc1.weight"][grown] != 0).any())  # and they learn


def test_gradients_are_taken_at_growth_steps_only_and_not_for_set(lab, monkeypatch):
    taken = []
    gradient = EventContext.gradient

    def counted(self, weights, batches, **options):
        taken.append((self.local, batches))
        return gradient(self, weights, batches, **options)

    monkeypatch.setattr(EventContext, "gradient", counted)
    for by, expected in (("gradient", [(6, 2), (12, 2)]), ("random", [])):
        taken.clear()
        program = lab.program(Grow(by=by, period="6it", end="15it", batches=2))
        train(program, lab.begin(program, sparsity=0.5))
        assert taken == expected


def test_what_makes_no_sense_is_refused(lab):
    grow = Grow(period="5it")
    program = lab.program(grow)
    progress = lab.begin(program)
    with pytest.raises(UsageError, match="put Prune first"):
        grow.apply(progress.state, EventContext(Timeline(program, (), ()), progress, 0))
    wrong = Grow(period="5it", exclude=("fc9.weight",))
    state, context = at_event(lab, wrong)
    with pytest.raises(UsageError, match=r"exclude names fc9\.weight"):
        wrong.apply(state, context)
    for unfit in (
        {"fraction": 0.0},
        {"fraction": 1.0},
        {"by": "magnitude"},
        {"batches": 0},
        {"period": "soon"},
    ):
        with pytest.raises(UsageError):
            Grow(**unfit)
