"""Gradient clipping and parameter groups against torch's own, in float64 under masks, and in every engine."""

import pytest
import torch
from practice_lab import assert_equal_params, begun, by_loop, by_torch, check_every_engine

from prunescope.base.errors import UsageError
from prunescope.training.optim import SGD, Adam, AdamW
from prunescope.training.optimizers.wrapper import Accumulated, Clipped, Group, Grouped
from prunescope.training.schedules import Constant

MOMENTUM = SGD(momentum=0.9, weight_decay=0.01)
CLIPPED = [
    Clipped(optimizer=MOMENTUM, norm=0.3),
    Clipped(optimizer=MOMENTUM, value=0.02),
    Clipped(optimizer=SGD(), norm=0.1),
    Clipped(optimizer=AdamW(), norm=0.3, value=0.1),
]
VECTORS = Group(match=("vectors",), weight_decay=0.0)
GROUPED = [
    Grouped(optimizer=MOMENTUM, groups=(VECTORS,)),
    Grouped(optimizer=AdamW(weight_decay=0.1), groups=(Group(match=("fc.*", "conv.weight"), lr=0.3), VECTORS)),
    Grouped(optimizer=Adam(weight_decay=0.1), groups=(VECTORS,)),
]
THEIRS = {SGD: torch.optim.SGD, Adam: torch.optim.Adam, AdamW: torch.optim.AdamW}


def program_for(lab, rule, which):
    return lab.program(problem=getattr(lab, which), optimizer=rule, schedule=Constant(lr=0.05))


def named(rule):
    return f"{type(rule.optimizer).__name__}-{rule.id[:4]}"


def options(rule):
    return {name: getattr(rule, name) for name in type(rule).model_fields}


@pytest.mark.parametrize("which", ["lenet", "batchnorm"])
@pytest.mark.parametrize("rule", CLIPPED, ids=named)
def test_clipping_equals_torchs(lab, rule, which):
    """What torch.nn.utils.prune has removed counts in no norm."""
    program, weights = begun(lab, program_for(lab, rule, which))
    smaller = []

    def training(module, losses):
        optimizer = THEIRS[type(rule.optimizer)](module.parameters(), lr=0.05, **options(rule.optimizer))
        for loss in losses:
            optimizer.zero_grad()
            loss().backward()
            if rule.value:
                torch.nn.utils.clip_grad_value_(module.parameters(), rule.value)
            if rule.norm:
                before = torch.nn.utils.clip_grad_norm_(module.parameters(), rule.norm)
                smaller.append(float(before) > rule.norm)
            optimizer.step()

    expected = by_torch(program, weights, training)
    assert rule.norm is None or any(smaller)
    assert_equal_params(by_loop(program, weights).state.weights.params, expected)


@pytest.mark.parametrize("rule", CLIPPED, ids=named)
def test_every_engine_clips(lab, rule):
    for which in ("lenet", "undrawn"):
        check_every_engine(lab, program_for(lab, rule, which))


def test_clipping_without_a_limit_is_refused():
    with pytest.raises(ValueError, match="give norm or value"):
        Clipped(optimizer=SGD())


def groups_of_torch(module, rule):
    """As people write them: by kind of layer and by name."""
    rest, vectors, slower = [], [], []
    for name, leaf in module.named_parameters():
        name = name.replace("_orig", "")
        if rule.groups[0].lr != 1 and (name.startswith("fc.") or name == "conv.weight"):
            slower.append(leaf)
        elif name.endswith("bias") or name.startswith("bn"):
            vectors.append(leaf)
        else:
            rest.append(leaf)
    groups = [{"params": vectors, "weight_decay": 0.0}, {"params": rest}]
    return [*groups, {"params": slower, "lr": 0.3 * 0.05}] if slower else groups


@pytest.mark.parametrize("rule", GROUPED, ids=named)
def test_groups_equal_torchs(lab, rule):
    program, weights = begun(lab, program_for(lab, rule, "batchnorm"))

    def training(module, losses):
        make = THEIRS[type(rule.optimizer)]
        optimizer = make(groups_of_torch(module, rule), lr=0.05, **options(rule.optimizer))
        for loss in losses:
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

    expected = by_torch(program, weights, training)
    assert_equal_params(by_loop(program, weights).state.weights.params, expected)


@pytest.mark.parametrize("rule", [*GROUPED, Clipped(optimizer=GROUPED[0], norm=0.3)], ids=named)
def test_every_engine_has_groups(lab, rule):
    check_every_engine(lab, program_for(lab, rule, "undrawn"))


def test_patterns_become_names(lab):
    rule = Grouped(optimizer=MOMENTUM, groups=(VECTORS,)).bound(lab.undrawn.model.parameters)
    assert rule.groups[0].match == ("bn.weight", "bn.bias", "fc.bias")


def test_groups_that_do_nothing_are_refused(lab):
    rule = Grouped(optimizer=MOMENTUM, groups=(Group(match=("layer9.*",), lr=0.1),))
    with pytest.raises(UsageError, match=r"no parameter matches 'layer9\.\*'.*conv.weight, bn.weight"):
        rule.bound(lab.undrawn.model.parameters)
    with pytest.raises(ValueError, match=r"Clipped has no weight_decay.*other wrappers around Grouped"):
        Grouped(optimizer=Clipped(optimizer=SGD(), norm=1.0), groups=(VECTORS,))
    slower = (Group(match=("vectors",), lr=0.1),)
    with pytest.raises(UsageError, match="would be that of each group"):
        Grouped(optimizer=Accumulated(optimizer=Clipped(optimizer=SGD(), norm=1.0), batches=2), groups=slower)
    assert Grouped(optimizer=Clipped(optimizer=SGD(), value=1.0), groups=slower)
