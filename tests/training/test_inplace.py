"""The engine in place against the reference loop: bitwise with torch's own products, to rounding with others."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from test_interventions import ELSEWHERE, EVERY, assert_same, program_for, tensors
from torch import nn

from prunescope.base import tree
from prunescope.base.errors import Diverged
from prunescope.base.reference import Moment
from prunescope.base.streams import Seeds
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.model import network, network_of
from prunescope.tasks.task import Data, Task
from prunescope.training import run as running
from prunescope.training.engines.engine import Loop, Replica
from prunescope.training.engines.inplace import InPlace
from prunescope.training.interventions import At, UseAverage, Zero
from prunescope.training.loop import Stepper
from prunescope.training.optim import SGD, Adam, AdamW
from prunescope.training.optimizers.wrapper import Averaged
from prunescope.training.probes import AroundEvents, Curve
from prunescope.training.run import train
from prunescope.training.stopping import LossBelow

ALL = {"train_below": 1.0, "evaluate_below": 1.0, "least": 1}
SPARSE = Kernels(sparse="numba" if jit.available() else "none", **ALL)
PRODUCTS = {
    "channels last": Kernels(channels_last=True, least=1),
    "fused": Kernels(fused=True, flushed=True),
    **(
        {
            "numba": SPARSE,
            "by hand, dense": Kernels(by_hand=True, least=1),
            "by hand, sparse": Kernels(by_hand=True, sparse="numba", **ALL),
            "by hand, mixed": Kernels(by_hand=True, sparse="numba", train_below=0.4, least=50),
            "merged, dense": Kernels(by_hand=True, merged=True, least=1),
            "merged, sparse": Kernels(by_hand=True, merged=True, sparse="numba", **ALL),
            "merged, mixed": Kernels(by_hand=True, merged=True, sparse="numba", train_below=0.4, least=50),
        }
        if jit.available()
        else {}
    ),
}
OPTIMIZERS = [
    SGD(),
    SGD(weight_decay=0.01),
    SGD(momentum=0.9, weight_decay=0.01),
    SGD(momentum=0.9, nesterov=True),
    Adam(weight_decay=0.01),
    AdamW(),
]
every = pytest.mark.parametrize("intervention", EVERY, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
optimizers = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda v: f"{type(v).__name__}-{v.id[:4]}")
products = pytest.mark.parametrize("kernels", PRODUCTS.values(), ids=list(PRODUCTS))
WATCHED = {
    "probes": (Curve(split="test", every="5it"), AroundEvents()),
    "keep": (Moment(when="step", at="4it"), Moment(when="step", at="100%")),
}


def with_kernels(program, kernels):
    return replace(program, problem=replace(program.problem, kernels=kernels))


def ends(lab, program, *, sparsity=0.3, kernels=None, **watched):
    """The run's end by the loop, and by the engine in place."""
    other = program if kernels is None else with_kernels(program, kernels)
    loop = train(program, lab.begin(program, sparsity=sparsity), engine=Loop(), **watched)
    return loop, train(other, lab.begin(program, sparsity=sparsity), engine=InPlace(), **watched)


def assert_close(left, right, tolerance=1e-4):
    left, right = tensors(left), tensors(right)
    assert left.keys() == right.keys()
    for name, leaf in left.items():
        if leaf.is_floating_point():
            torch.testing.assert_close(right[name], leaf, rtol=tolerance, atol=tolerance)
        else:
            assert torch.equal(right[name], leaf), name


MIXED = Kernels(sparse="numba" if jit.available() else "none", by_hand=jit.available(), train_below=0.4, least=50)


@pytest.mark.parametrize(
    "intervention",
    [value for value in EVERY if not any(name in value.canonical for name in ("conv", "fc.weight", "Averaged"))],
    ids=lambda v: f"{type(v).__name__}-{v.id[:4]}",
)
def test_every_intervention_on_a_chain_by_hand(lab, intervention):
    elsewhere = lab.weights(lab.program(), seed=9, sparsity=0.5)
    program = lab.program(intervention, references={ELSEWHERE.id: elsewhere})
    averaged = isinstance(intervention, UseAverage)
    if averaged:
        program = replace(program, optimizer=Averaged(optimizer=program.optimizer))
    assert_close(*ends(lab, program, sparsity=0.6, kernels=MIXED))
    sgd = SGD(weight_decay=1e-3)
    plain = replace(program, optimizer=Averaged(optimizer=sgd) if averaged else sgd)
    assert_close(*ends(lab, plain, sparsity=0.6, kernels=MIXED.replace(merged=jit.available())))


@products
@optimizers
def test_every_optimizer_on_random_masks(lab, optimizer, kernels):
    program = lab.program(optimizer=optimizer, steps=9)
    for sparsity in (0.0, 0.8):
        assert_close(*ends(lab, program, sparsity=sparsity, kernels=kernels))


@products
def test_chunks_and_resumes_never_change_bits(lab, monkeypatch, kernels):
    program = with_kernels(lab.program(Zero(hold="6it", when=At(at="3it"))), kernels)
    found = []
    for seconds in (0.0, 1e-3, 100.0):
        monkeypatch.setattr(running, "CHUNK_SECONDS", seconds)
        found.append(train(program, lab.begin(program, sparsity=0.5), engine=InPlace()))
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])


def test_moments_of_removed_weights_move_on_as_in_the_loop(lab):
    """A user's own intervention need not clear them."""
    for optimizer in OPTIMIZERS[2:]:
        program = lab.program(optimizer=optimizer)
        begun = lab.begin(program, sparsity=0.6)
        opt = {
            part: tree.tree_map(lambda leaf: leaf + 0.5, leaves) if part in optimizer.slots else leaves
            for part, leaves in begun.state.opt.items()
        }
        begun = begun.replace(state=begun.state.replace(opt=opt))
        ends = [
            train(with_kernels(program, kernels), begun, engine=engine)
            for engine, kernels in ((Loop(), Kernels()), (InPlace(), SPARSE))
        ]
        assert_close(*ends)


def test_the_stop_rule_ends_where_the_loop_ends(lab):
    for kernels in (None, *PRODUCTS.values()):
        program = program_for(lab, stop=LossBelow(loss=0.9))
        loop, lean = ends(lab, replace(program, optimizer=SGD(momentum=0.9)), kernels=kernels, probes=(Curve(),))
        assert loop.local == lean.local < 20
        assert_close(loop, lean)
        if kernels is None:
            assert_same(loop, lean)


def test_a_loss_that_is_no_number_is_named_with_its_step(lab):
    said = []
    for engine in (Loop(), InPlace()):
        program = with_kernels(lab.program(optimizer=SGD(weight_decay=1e8), steps=40), SPARSE)
        with pytest.raises(Diverged) as problem:
            train(program, lab.begin(program, sparsity=0.5), engine=engine)
        said.append(str(problem.value).partition("at step")[2])
    assert said[0] == said[1]


def test_a_state_that_was_handed_out_is_left_alone(lab):
    program = with_kernels(program_for(lab), SPARSE)
    begun, engine = lab.begin(program, sparsity=0.5), InPlace()
    replica = Replica(Stepper(program), begun.state, begun.running, 0)
    [first] = engine.advance([replica], 3)
    seen = [tensors(begun), tensors(begun.replace(state=first.state))]
    [_] = engine.advance([first], 3)
    assert tree.equal(seen[0], tensors(begun))
    assert tree.equal(seen[1], tensors(begun.replace(state=first.state)))


def test_low_precision_is_that_of_the_loop(lab):
    program = program_for(lab, precision="bfloat16")
    assert_same(*ends(lab, program, kernels=SPARSE))


class ReadsItsWeights(nn.Module):
    """A layer whose weights are read by the network's own code, in two ways."""

    def __init__(self, how):
        super().__init__()
        self.how, self.fc = how, nn.Linear(16, 3)

    def forward(self, x):
        x = x.flatten(1)
        if self.how == "functional":
            return F.linear(x, self.fc.weight, self.fc.bias)
        if self.how == "in training":
            return self.fc(x) * (1 + self.fc.weight.detach().std() if self.training else 1)
        if self.how == "with dropped weights":
            return F.linear(x, F.dropout(self.fc.weight, 0.3)) if self.training else self.fc(x)
        return self.fc(x) + self.fc.weight.norm(dim=-1).sum()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.fc = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 3)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.fc(self.second(F.relu(self.first(x.flatten(1)))))


def normed():
    return ReadsItsWeights("norm")


def functional():
    return ReadsItsWeights("functional")


class Halved(nn.Linear):
    def forward(self, x):
        return super().forward(x) / 2


class HalvedCall(nn.Sequential):
    def __call__(self, x):
        return super().__call__(x) / 2


def in_training():
    return ReadsItsWeights("in training")


def with_dropped_weights():
    return ReadsItsWeights("with dropped weights")


def perceptron(middle=nn.Linear, whole=nn.Sequential):
    return whole(nn.Flatten(), nn.Linear(16, 16), nn.ReLU(), nn.Sequential(middle(16, 16), nn.ReLU()), nn.Linear(16, 3))


def with_a_layer_twice():
    first, relu = nn.Linear(16, 16), nn.ReLU()
    return nn.Sequential(nn.Flatten(), first, relu, first, relu, nn.Linear(16, 3))


def hooked(add):
    """A perceptron, with a hook that `add` puts on."""
    made = perceptron()
    add(made)
    return made


NEARLY_PERCEPTRONS = {
    "a layer of another class": lambda: perceptron(middle=Halved),
    "another call": lambda: perceptron(whole=HalvedCall),
    "another call of a part": lambda: nn.Sequential(perceptron(whole=HalvedCall)),
    "a layer twice": with_a_layer_twice,
    "a hook of a part": lambda: hooked(lambda made: made[3].register_forward_hook(lambda m, x, y: y / 2)),
    "a hook before": lambda: hooked(lambda made: made[0].register_forward_pre_hook(lambda m, x: x[0] - x[0].mean())),
    "a hook of a gradient": lambda: hooked(
        lambda made: made[2].register_full_backward_hook(lambda m, after, before: (after[0] / 2,))
    ),
    "a parametrization": lambda: hooked(
        lambda made: nn.utils.parametrize.register_parametrization(made[1], "weight", nn.Tanh())
    ),
}


@products
@pytest.mark.parametrize("name", NEARLY_PERCEPTRONS)
def test_networks_that_are_perceptrons_but_for_one_thing(lab, name, kernels):
    program = lab.program(problem=lab.problem(network_of(NEARLY_PERCEPTRONS[name])))
    assert_close(*ends(lab, program, sparsity=0.5, kernels=kernels))


@products
@pytest.mark.parametrize("factory", [functional, normed, in_training, with_dropped_weights, Tied, nn.Flatten])
def test_networks_that_use_their_weights_themselves(lab, factory, kernels):
    if factory is nn.Flatten:
        problem = lab.problem(network_of(lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, 3))))
    else:
        problem = lab.problem(network_of(factory))
    assert_close(*ends(lab, lab.program(problem=problem), sparsity=0.5, kernels=kernels))


def test_a_network_that_is_one_layer(lab):
    source = synthetic(classes=3, shape=(16,), train=50, test=20)
    net = network("torch.nn:Linear", in_features=16, out_features=3)
    problem = Task(network=net, data=Data(source=source)).load(Seeds(), source.load())
    for kernels in PRODUCTS.values():
        assert_close(*ends(lab, lab.program(problem=problem), sparsity=0.5, kernels=kernels))


@products
def test_evaluation_uses_the_products_too(lab, kernels):
    weights = lab.weights(lab.program(), sparsity=0.7)
    plain = evaluate(lab.lenet, weights, lab.lenet.test)
    other = evaluate(replace(lab.lenet, kernels=kernels), weights, lab.lenet.test)
    torch.testing.assert_close(other.loss, plain.loss, rtol=1e-5, atol=1e-5)
    assert torch.equal(other.prediction, plain.prediction)
