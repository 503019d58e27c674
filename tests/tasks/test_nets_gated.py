"""Gated networks are their plain versions until a gate closes."""

import pytest
import torch
from torch.func import functional_call, vmap

from prunescope.base.errors import UsageError
from prunescope.tasks.model import Model, network
from prunescope.tasks.nets import CifarResNet, Gate, GatedCifarResNet, GatedResNet18, ResNet18

PAIRS = [
    (ResNet18, GatedResNet18, {"width": 4}),
    (CifarResNet, GatedCifarResNet, {"depth": 8, "width": 4, "shortcut": "zero_pad", "batchnorm": "ones"}),
]
pairs = pytest.mark.parametrize(("plain", "gated", "args"), PAIRS, ids=["ResNet18", "CifarResNet"])


def models(plain, gated, args):
    return [Model(network(f"prunescope.tasks.nets:{one.__name__}", **args)) for one in (plain, gated)]


@pairs
def test_open_gates_change_nothing(plain, gated, args):
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    ends = []
    for model in models(plain, gated, args):
        params, buffers = model.init(3)
        logits, moved = model.apply(params, buffers, x, train=True)
        ends.append((params, logits, {k: v for k, v in moved.items() if not k.endswith("gate")}))
    (left, one, before), (right, two, after) = ends
    assert torch.equal(one, two) and left.keys() == right.keys() and before.keys() == after.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pairs
def test_arguments_and_defaults_are_those_of_the_plain_network(plain, gated, args):
    one, two = (network(f"prunescope.tasks.nets:{factory.__name__}") for factory in (plain, gated))
    assert one.args == two.args


@pytest.mark.parametrize(
    ("factory", "args", "count"),
    [
        (GatedResNet18, {}, 11_173_962),
        (GatedResNet18, {"classes": 100}, 11_220_132),
        (GatedCifarResNet, {"shortcut": "zero_pad", "batchnorm": "ones"}, 269_722),
        (GatedCifarResNet, {"depth": 56, "shortcut": "zero_pad", "batchnorm": "ones"}, 853_018),
    ],
)
def test_a_gate_has_no_parameters(factory, args, count):
    with torch.device("meta"):
        assert sum(leaf.numel() for leaf in factory(**args).parameters()) == count


def test_a_closed_channel_is_exactly_zero_and_gets_no_gradient():
    gate = Gate(3)
    gate.gate[1] = False
    x = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert gate(x)[:, 1].eq(0).all() and torch.equal(gate(x)[:, [0, 2]], x[:, [0, 2]])
    (slope,) = torch.autograd.grad(gate(x).sum(), x)
    assert slope[:, 1].eq(0).all() and slope[:, [0, 2]].eq(1).all()
    assert gate(torch.ones(2, 3)).tolist() == [[1, 0, 1]] * 2


def test_gates_of_a_stack_stay_apart_under_vmap_and_are_refused_without():
    gate, x = Gate(2), torch.ones(2, 2, 2, 1, 1)
    gates = torch.tensor([[True, False], [False, True]])
    out = vmap(lambda g, x: functional_call(gate, {"gate": g}, (x,)))(gates, x)
    assert out.flatten(2).tolist() == [[[1, 0]] * 2, [[0, 1]] * 2]
    with pytest.raises(UsageError, match="apply a stack under vmap"):
        functional_call(gate, {"gate": gates}, (x,))
