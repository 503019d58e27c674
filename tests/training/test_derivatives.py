"""Derivatives over several batches, and the scores made of them, against dense definitions in float64."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from prunescope.base import tree
from prunescope.base.state import Weights
from prunescope.base.tree import clone, equal
from prunescope.sparsity.derivative_scores import SNIP, GraSP, SynFlow
from prunescope.tasks.model import network, network_of
from prunescope.training import derivatives
from prunescope.training.interventions import Prune
from prunescope.training.loop import Stepper
from prunescope.training.timeline import EventContext, Timeline

DATA_SCORES = [SNIP(), SNIP(batches=3), GraSP(), GraSP(batches=2, temperature=1.0), SynFlow()]
NAMES = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc.weight", "fc.bias")


def double(weights: Weights) -> Weights:
    return weights.replace(params={name: leaf.double() for name, leaf in weights.params.items()})


@pytest.fixture
def setting(lab):
    """A float64 LeNet, a third of its weights removed, at step 5, with what an intervention may ask for there."""
    program = lab.program(Prune(), problem=lab.double(lab.lenet))
    progress = lab.begin(program, sparsity=0.3, step=5)
    weights = double(progress.state.weights)
    progress = progress.replace(state=progress.state.replace(weights=weights))
    return program, weights, EventContext(Timeline(program, (), ()), progress, 0)


def dense_loss(program, weights, batches, temperature):
    """The mean loss over the examples of steps 5, 6, ... as a function of one flat vector, written out."""
    stepper = Stepper(program)
    taken = [stepper.batch(5 + number) for number in range(batches)]
    x, y = (torch.cat([part[i] for part in taken]) for i in (0, 1))
    shapes = [weights.params[name].shape for name in NAMES]

    def loss(flat):
        pieces = flat.split([shape.numel() for shape in shapes])
        w1, b1, w2, b2, w3, b3 = (piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True))
        hidden = (x.flatten(1) @ w1.T + b1).clamp(min=0)
        hidden = (hidden @ w2.T + b2).clamp(min=0)
        logits = (hidden @ w3.T + b3) / temperature
        return -F.log_softmax(logits, dim=1)[torch.arange(len(y)), y].mean()

    return loss, torch.cat([weights.params[name].flatten() for name in NAMES])


def by_name(flat, weights):
    pieces = flat.split([weights.params[name].numel() for name in NAMES])
    return {name: piece.view(weights.params[name].shape) for name, piece in zip(NAMES, pieces, strict=True)}


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, leaf in found.items():
        torch.testing.assert_close(leaf, expected[name], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("batches", [1, 3])  # step 6 of an epoch has 2 examples instead of 8: a weighted mean
@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_gradient_and_hessian_product_are_those_of_the_mean_over_all_examples(setting, batches, temperature):
    program, weights, context = setting
    loss, flat = dense_loss(program, weights, batches, temperature)
    slope = torch.autograd.functional.jacobian(loss, flat)
    found = context.gradient(weights, batches, temperature=temperature)
    assert_close(found, by_name(slope, weights))

    hessian = torch.autograd.functional.hessian(loss, flat)
    whole = context.hessian_product(weights, found, batches, temperature=temperature)
    assert_close(whole, by_name(hessian @ slope, weights))
    block = {name: found[name] for name in ("fc.weight", "fc1.weight")}
    masked = by_name(slope, weights)
    inside = torch.cat([masked[name].flatten() * (name in block) for name in NAMES])
    product = by_name(hessian @ inside, weights)
    part = context.hessian_product(weights, block, batches, temperature=temperature)
    assert_close(part, {name: product[name] for name in block})


def test_snip_is_the_product_of_weight_and_gradient(setting):
    program, weights, context = setting
    loss, flat = dense_loss(program, weights, 2, 1.0)
    slope = by_name(torch.autograd.functional.jacobian(loss, flat), weights)
    expected = {name: (weights.params[name] * slope[name]).abs() for name in weights.masks}
    assert_close(SNIP(batches=2).scores(weights, context), expected)


@pytest.mark.parametrize("temperature", [1.0, 200.0])
def test_grasp_is_minus_the_papers_score_from_the_whole_hessian(setting, temperature):
    program, weights, context = setting
    loss, flat = dense_loss(program, weights, 2, temperature)
    free = torch.cat([weights.masks.get(name, torch.zeros_like(weights.params[name])).flatten() for name in NAMES])
    slope = torch.autograd.functional.jacobian(loss, flat) * free
    paper = by_name(-flat * (torch.autograd.functional.hessian(loss, flat) @ slope), weights)
    found = GraSP(batches=2, temperature=temperature).scores(weights, context)
    assert_close(found, {name: -paper[name] for name in weights.masks})


def test_grasp_is_half_of_what_the_gradients_norm_loses_to_first_order(setting):
    program, weights, context = setting
    loss, flat = dense_loss(program, weights, 1, 1.0)
    maskable = torch.cat([torch.full((weights.params[n].numel(),), n in weights.masks) for n in NAMES])
    free = torch.cat([weights.masks.get(n, weights.params[n] == 9).flatten() for n in NAMES])

    def flow(at):
        return float((torch.autograd.functional.jacobian(loss, at) * free).square().sum())

    scores = GraSP(temperature=1.0).scores(weights, context)
    flat_scores = torch.cat([scores.get(name, torch.zeros_like(weights.params[name])).flatten() for name in NAMES])
    best = int((flat_scores.abs() * maskable).argmax())
    step = torch.zeros_like(flat)
    step[best] = -1e-6 * flat[best]  # a millionth of the way to removal
    assert (flow(flat) - flow(flat + step)) / 2e-6 == pytest.approx(float(flat_scores[best]), rel=1e-4)


def test_synflow_is_the_flow_through_each_weight_and_conserved_from_layer_to_layer(lab):
    program = lab.program(Prune())
    weights = lab.weights(program, sparsity=0.3)
    biases = {name: leaf * 0 for name, leaf in weights.params.items() if name.endswith("bias")}
    weights = weights.replace(params=weights.params | biases)
    scores = SynFlow().scores(weights, EventContext(Timeline(program, (), ()), lab.begin(program), 0))
    w1, w2, w3 = (weights.params[f"{name}.weight"].double().abs() for name in ("fc1", "fc2", "fc"))
    into1, into2 = w1.sum(dim=1), w2 @ w1.sum(dim=1)
    out2, out1 = w3.sum(dim=0), w2.T @ w3.sum(dim=0)
    assert_close(
        scores,
        {
            "fc1.weight": w1 * out1[:, None],
            "fc2.weight": w2 * out2[:, None] * into1,
            "fc.weight": w3 * into2,
        },
    )
    flow = float((w3 @ into2).sum())
    for score in scores.values():
        assert float(score.sum()) == pytest.approx(flow, rel=1e-12)


def test_synflow_conserves_flow_at_every_hidden_unit_of_a_network_with_biases(lab):
    """What enters a unit by its weights and bias leaves it: the weights' scores and |b| times its slope."""
    program = lab.program(Prune())
    weights = lab.weights(program)
    context = EventContext(Timeline(program, (), ()), lab.begin(program), 0)
    scores = SynFlow().scores(weights, context)
    positive = {name: leaf.double().abs() for name, leaf in weights.params.items()}
    slope = context.output_gradient(weights.replace(params=positive))
    for layer, following in (("fc1", "fc2"), ("fc2", "fc")):
        entering = scores[f"{layer}.weight"].sum(dim=1) + positive[f"{layer}.bias"] * slope[f"{layer}.bias"]
        torch.testing.assert_close(entering, scores[f"{following}.weight"].sum(dim=0))


def test_synflow_survives_depth_that_overflows_float32(lab):
    deep = lab.problem(network("prunescope.tasks.nets:LeNet", hidden=[8] * 60, inputs=16, classes=3))
    program = lab.program(Prune(), problem=deep)
    weights = lab.weights(program)
    weights = weights.replace(params={name: 5 * leaf for name, leaf in weights.params.items()})
    scores = SynFlow().scores(weights, EventContext(Timeline(program, (), ()), lab.begin(program), 0))
    assert all(bool(leaf.isfinite().all()) for leaf in scores.values())
    assert max(float(leaf.max()) for leaf in scores.values()) > torch.finfo(torch.float32).max


@pytest.mark.parametrize("score", DATA_SCORES, ids=lambda score: f"{type(score).__name__}-{score.id[:4]}")
@pytest.mark.parametrize("kind", ["lenet", "batchnorm"])
def test_scores_are_finite_repeatable_and_leave_everything_alone(lab, score, kind):
    program = lab.program(Prune(), problem=getattr(lab, kind))
    progress = lab.begin(program, sparsity=0.3)
    context, weights = EventContext(Timeline(program, (), ()), progress, 0), progress.state.weights
    before, random = {**clone(weights.params), **clone(weights.buffers)}, torch.get_rng_state()
    with torch.no_grad():  # whatever the caller's mode
        first = score.scores(weights, context)
    second = score.scores(weights, context)
    assert first.keys() == weights.masks.keys() and equal(first, second)
    for name, mask in weights.masks.items():
        assert first[name].shape == mask.shape and bool(first[name].isfinite().all())
        assert not first[name].requires_grad and bool((first[name][mask] != 0).any())
    assert equal({**weights.params, **weights.buffers}, before)
    assert torch.equal(torch.get_rng_state(), random)


class Flat(nn.Module):
    """Logits that do not depend on `unused`, and a loss that is linear in `fc.weight`."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(16, 3, bias=False)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        return self.fc(x.flatten(1))


def linear(logits, y):
    return logits.gather(1, y[:, None])[:, 0]


def test_what_does_not_matter_has_derivative_zero(lab):
    problem = replace(lab.problem(network_of(Flat)), loss=linear)
    program = lab.program(problem=problem)
    weights = lab.weights(program)
    stepper = Stepper(program)
    batch = (*stepper.batch(0), stepper.draw(0))
    slope = derivatives.gradient(problem, weights, [batch])
    assert bool((slope["unused.weight"] == 0).all()) and bool((slope["fc.weight"] != 0).any())
    product = derivatives.hessian_product(problem, weights, slope, [batch])
    assert float(tree.norm(product)) == 0
