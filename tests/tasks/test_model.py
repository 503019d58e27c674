"""Modules as pure functions, and networks as values."""

import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.base.tree import clone, equal
from prunescope.tasks.model import Model, Network, network, network_of, resolve


class Small(nn.Module):
    """Every kind of tensor a module can have: shared, buffered, reassigned, with an in-place activation."""

    def __init__(self, width: int = 6, act: type[nn.Module] = nn.ReLU, momentum: float = 0.1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3)
        self.bn = nn.BatchNorm2d(width, momentum=momentum)
        self.act = act(inplace=True)
        self.fc = nn.Linear(width, 4)
        self.tied = nn.Linear(width, 4, bias=False)
        self.tied.weight = self.fc.weight
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.passes = self.passes + 1
        hidden = self.act(self.bn(self.conv(x))).mean((2, 3))
        return self.fc(hidden) + self.tied(hidden)


class Dropping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(16, 4)

    def forward(self, x):
        return self.fc(F.dropout(x.flatten(1), 0.5, self.training))


def sized(width: int = 3, *, depth: int = 1, **more: int) -> nn.Module:
    layers = [nn.Linear(width, width) for _ in range(depth)]
    return nn.Sequential(*layers, nn.Linear(width, 1 + sum(more.values())))


def sixteen(count: int = 5):
    return torch.randn(count, 1, 4, 4, generator=stream(0, "x"))


HERE = __name__


@pytest.fixture
def small():
    return Model(network_of(Small))


# -- purity


def test_a_training_pass_leaves_everything_it_is_given_alone(small):
    params, buffers = small.init(0)
    copies, x, random = (clone(params), clone(buffers)), sixteen(), torch.get_rng_state()
    logits, moved = small.apply(params, buffers, x, train=True)
    assert equal(params, copies[0]) and equal(buffers, copies[1])
    assert torch.equal(torch.get_rng_state(), random)
    assert moved.keys() == buffers.keys() and list(moved) == list(buffers)
    assert float(moved["passes"]) == 1 and int(moved["bn.num_batches_tracked"]) == 1
    assert not torch.equal(moved["bn.running_mean"], buffers["bn.running_mean"])
    assert not any(leaf.requires_grad for leaf in moved.values())
    again, _ = small.apply(params, buffers, x, train=True)
    assert torch.equal(logits, again)


def test_evaluation_uses_and_returns_the_very_same_statistics(small):
    params, buffers = small.init(0)
    x = sixteen()
    moved = small.apply(params, buffers, x, train=True)[1]
    logits, same = small.apply(params, moved, x, train=False)
    assert same is moved
    alone = torch.cat([small.apply(params, moved, row[None], train=False)[0] for row in x])
    torch.testing.assert_close(logits, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("train", [True, False])
def test_it_computes_what_torch_computes(small, train):
    params, buffers = small.init(3)
    x = sixteen()
    tensors = {**clone(params), **clone(buffers)}
    expected = functional_call(Small().train(train), tensors, (x,))
    logits, moved = small.apply(params, buffers, x, train=train)
    assert torch.equal(logits, expected)
    assert equal(moved, {name: tensors[name] for name in buffers})


def test_gradients_reach_every_parameter_even_of_a_recurrent_network():
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(4, 3, batch_first=True)
            self.fc = nn.Linear(3, 2)

        def forward(self, x):
            return self.fc(self.rnn(x.squeeze(1))[0][:, -1])

    for factory in (Recurrent, Small):
        model = Model(network_of(factory))
        params, buffers = model.init(0)
        for scale in (1.0, 2.0):  # the second time, the module still holds the first tensors
            leaves = {n: (leaf * scale).requires_grad_() for n, leaf in params.items()}
            logits, _ = model.apply(leaves, buffers, sixteen(), train=True)
            grads = torch.autograd.grad(logits.square().sum(), list(leaves.values()))
            twin = {n: leaf.detach().clone().requires_grad_() for n, leaf in leaves.items()}
            out = functional_call(factory().train(), {**twin, **clone(buffers)}, (sixteen(),))
            expected = torch.autograd.grad(out.square().sum(), list(twin.values()))
            assert all(torch.equal(a, b) for a, b in zip(grads, expected, strict=True))


def test_init_is_reproducible_and_leaves_the_global_generator_alone(small):
    random = torch.get_rng_state()
    one, same, other = small.init(1), small.init(1), small.init(2)
    assert torch.equal(torch.get_rng_state(), random)
    assert equal(one[0], same[0]) and equal(one[1], same[1]) and not equal(one[0], other[0])
    with torch.random.fork_rng():
        torch.manual_seed(1)
        assert equal(one[0], dict(clone(dict(Small().named_parameters()))))


def test_what_a_network_draws_is_decided_by_its_seed_alone():
    model, x, random = Model(network_of(Dropping)), sixteen(), torch.get_rng_state()
    params, buffers = model.init(0)

    def logits(draw):
        torch.rand(1)
        return model.apply(params, buffers, x, train=True, draw=draw)[0]

    assert torch.equal(logits(5), logits(5)) and not torch.equal(logits(5), logits(6))
    torch.set_rng_state(random)
    model.apply(params, buffers, x, train=True, draw=5)
    assert torch.equal(torch.get_rng_state(), random)


# -- what is maskable, what can be seen


def test_maskable_are_the_weights_of_linear_and_convolutional_modules(small):
    assert {name for name in small.init(0)[0] if name in small.maskable} == {"conv.weight", "fc.weight"}
    assert Model(network_of(functools.partial(nn.Linear, 3, 2))).maskable == {"weight"}


def test_observed_outputs_are_those_of_the_modules(small):
    params, buffers = small.init(0)
    x = sixteen()
    logits, moved, seen = small.observe(params, buffers, x, names=frozenset({"conv", "bn", "fc"}))
    plain, same = small.apply(params, buffers, x, train=True)
    assert torch.equal(logits, plain) and equal(moved, same)
    conv = F.conv2d(x, params["conv.weight"], params["conv.bias"])
    normal = F.batch_norm(conv, None, None, params["bn.weight"], params["bn.bias"], training=True)
    assert seen.keys() == {"conv", "bn", "fc"} and not seen["fc"].requires_grad
    torch.testing.assert_close(seen["conv"], conv)
    torch.testing.assert_close(seen["bn"], normal)  # and not what the in-place activation made of it
    assert bool((seen["bn"] < 0).any())


def test_an_unknown_module_is_refused_with_the_known_ones(small):
    params, buffers = small.init(0)
    with pytest.raises(UsageError, match=r"no module \['head'\].*'bn', 'conv', 'fc'"):
        small.observe(params, buffers, sixteen(), names=frozenset({"head"}))
    small.apply(params, buffers, sixteen(), train=True)


def test_a_fingerprint_notices_changed_code(small, monkeypatch):
    x = sixteen(2)
    before = small.fingerprint(x)
    assert before == Model(network_of(Small)).fingerprint(x)
    assert before["shapes"]["fc.weight"] == [4, 6] and len(before["logits"]) == 8
    monkeypatch.setattr(Small, "forward", lambda self, x: self.fc(self.conv(x).mean((2, 3)).tanh()))
    changed = Model(network_of(Small)).fingerprint(x)
    assert changed["shapes"] == before["shapes"] and changed["logits"] != before["logits"]


# -- networks as values


def test_default_arguments_are_written_out():
    lenet = network("prunescope.tasks.nets:LeNet", hidden=(5, 4))
    assert lenet.args == {
        "classes": 10,
        "hidden": [5, 4],
        "initialization": "kaiming_normal",
        "inputs": 784,
        "scale": 1.0,
    }
    assert lenet.id == network("prunescope.tasks.nets:LeNet", hidden=[5, 4], scale=1).id
    assert lenet.with_args(scale=2).args["scale"] == 2.0
    assert lenet.build().fc1.out_features == 5 and not lenet.local
    assert lenet.replace(revision=2).id != lenet.id


def test_an_unknown_argument_is_refused_with_those_permitted():
    with pytest.raises(UsageError, match=r"'width'; it takes hidden, inputs, classes, scale, initialization"):
        network("prunescope.tasks.nets:LeNet", width=3)
    with pytest.raises(UsageError, match="'width'"):
        network("prunescope.tasks.nets:LeNet").with_args(width=3)


@pytest.mark.parametrize("path", ["prunescope.tasks.nets:Lenet", "prunescope.nowhere:X", "math:pi.x"])
def test_a_path_that_cannot_be_imported_is_refused_with_its_form(path):
    with pytest.raises(UsageError, match=r"package\.module:Name"):
        resolve(path)
    with pytest.raises(UsageError):
        Network(path="no colon")


def test_what_is_no_module_is_refused():
    with pytest.raises(UsageError, match=r"fractions:Fraction is no network|returned Fraction"):
        network("fractions:Fraction", numerator=1).build()


def test_a_class_a_partial_and_a_function_are_named_by_path_and_arguments():
    assert network_of(Small).path == f"{HERE}:Small"
    assert network_of(Small).args == {"momentum": 0.1, "width": 6}  # the activation is part of the code
    by_name, by_place = functools.partial(sized, width=5), functools.partial(sized, 5)
    assert network_of(by_name) == network_of(by_place) != network_of(sized)
    nested = functools.partial(functools.partial(sized, depth=2), 4, more=2)
    assert network_of(nested).args == {"depth": 2, "more": 2, "width": 4}
    assert str(network_of(nested).build()) == str(nested())
    with pytest.raises(UsageError, match="write a function that builds"):
        network_of(functools.partial(Small, act=nn.ELU))


def test_lambdas_and_local_classes_are_told_apart_by_what_they_build():
    narrow, wide = network_of(lambda: Small(width=2)), network_of(lambda: Small(width=3))
    assert narrow.id != wide.id and narrow.local and wide.local
    assert narrow.build().fc.in_features == 2
    assert network_of(lambda: Small(width=2)).id == narrow.id
    assert narrow.replace(revision=2).build().fc.in_features == 2
    factory = type("Local", (Small,), {"__qualname__": "f.<locals>.Local"})
    assert network_of(factory).local and isinstance(network_of(factory).build(), factory)


def test_an_instance_is_used_as_given():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        given = Small()
    weights = clone(dict(given.named_parameters()))
    value = network_of(given)
    with torch.no_grad():
        given.fc.weight.zero_()
    assert equal(Model(value).init(0)[0], weights) and equal(Model(value).init(1)[0], weights)
    assert value.local and value.given is not None and value.id != network_of(given).id
    with pytest.raises(UsageError, match="another session"):
        Network(path=value.path, given=value.given).build()
    with pytest.raises(UsageError, match="fixed"):
        value.with_args(width=3)
