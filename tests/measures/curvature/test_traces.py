"""Tr(H), Tr(C), products and estimates against Hessians written out entry by entry."""

import curvlinops
import pytest
import torch
import torch.nn.functional as F
from curved import CONDITION_HOLDS, RESNET, Odd, Plain, inplace
from torch import nn

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.measures import (
    GradientTrace,
    HessianTrace,
    HessianTraceEstimate,
    HessianTraceOrEstimate,
    Sample,
    Traces,
)
from prunescope.measures.curvature import gradient_norms
from prunescope.measures.curvature.products import operator
from prunescope.measures.curvature.surface import surface

SAMPLE = Sample(examples=12, precision="float64")


holds = pytest.mark.parametrize("setting", CONDITION_HOLDS.values(), ids=CONDITION_HOLDS)


def close(found, expected, rel=1e-9):
    assert float(found) == pytest.approx(float(expected), rel=rel)


def by_name(reference, values):
    sums = {}
    for name, value in zip(reference.names, values.tolist(), strict=True):
        sums[name] = sums.get(name, 0.0) + value
    return sums


@holds
def test_the_exact_trace_is_the_hessians(setting, state, dense):
    problem, weights = state(**setting)
    reference = dense(problem, weights, 12)
    with torch.no_grad():  # as the workbench calls it
        found = HessianTrace(sample=SAMPLE).measure(problem, weights)
    hessian = reference.hessian()
    close(found["trace"], hessian.trace())
    for name, expected in by_name(reference, hessian.diagonal()).items():
        assert float(found[f"trace.{name}"]) == pytest.approx(expected, rel=1e-8, abs=1e-10)


@holds
def test_the_gradients_second_moment(setting, state, dense, monkeypatch):
    problem, weights = state(**setting)
    reference = dense(problem, weights, 12)
    squares = reference.slopes().square().mean(0)
    monkeypatch.setattr("prunescope.measures.curvature.surface.CHUNK", 5)
    found = GradientTrace(sample=SAMPLE).measure(problem, weights)
    close(found["trace"], squares.sum())
    for name, expected in by_name(reference, squares).items():
        assert float(found[f"trace.{name}"]) == pytest.approx(expected, rel=1e-8, abs=1e-12)


DRAWN = {
    "linear": {**CONDITION_HOLDS["linear"], "classes": 6},
    "squared error": CONDITION_HOLDS["squared error"],
}


@pytest.mark.parametrize("setting", DRAWN.values(), ids=DRAWN)
def test_two_draws_an_example_have_no_bias_and_the_error_that_they_say(setting, state, dense):
    problem, weights = state(**setting)
    reference = dense(problem, weights, 12)
    expected, slopes, found = float(reference.hessian().trace()), reference.slopes().square().mean(0).sum(), []
    for seed in range(30):
        values = Traces(sample=SAMPLE, seed=seed).measure(problem, weights)
        close(values["gradient_trace"], slopes)
        close(sum(values[f"trace.{name}"] for name in set(reference.names)), values["trace"])
        found.append([float(values["trace"]), float(values["error"])])
    traces, errors = torch.tensor(found, dtype=torch.float64).T
    spread = float(traces.std())
    assert abs(float(traces.mean()) - expected) < 4 * spread / len(traces) ** 0.5
    assert float(errors.square().mean().sqrt()) == pytest.approx(spread, rel=0.35)


def test_examples_fitted_to_rounding_are_drawn_like_others(state):
    problem, weights = state(**DRAWN["linear"])
    params = {name: leaf * (40 if name.startswith("fc.") else 1) for name, leaf in weights.params.items()}
    sample = Sample(split="train", examples="all", precision="float64")
    confident = weights.replace(params=params)
    exact, found = (cls(sample=sample).measure(problem, confident) for cls in (HessianTrace, Traces))
    assert 0 < float(found["error"]) < 0.3 * float(exact["trace"])
    assert abs(float(found["trace"] - exact["trace"])) < 4 * float(found["error"])


def test_no_more_directions_than_draws_are_no_draws(state, dense):
    problem, weights = state(**CONDITION_HOLDS["linear"])  # three classes bend in two directions
    values = Traces(sample=SAMPLE).measure(problem, weights)
    close(values["trace"], dense(problem, weights, 12).hessian().trace())
    assert float(values["error"]) == 0


@pytest.mark.parametrize("network", [Odd, lambda: Plain(twice=True), lambda: Plain(F.gelu)])
def test_few_derivatives_are_held_at_once(network, state, dense, monkeypatch):
    problem, weights = state(network)
    monkeypatch.setattr(gradient_norms, "GRADIENT_NUMBERS", 3000)
    found = GradientTrace(sample=SAMPLE).measure(problem, weights)
    close(found["trace"], dense(problem, weights, 12).slopes().square().sum(1).mean())


def test_float32_carries_a_millionth(state):
    problem, weights = state(**RESNET)
    for measure in (HessianTrace, GradientTrace):
        one = measure(sample=Sample(examples=12)).measure(problem, weights)["trace"]
        two = measure(sample=SAMPLE).measure(problem, weights)["trace"]
        close(one, two, rel=1e-5)


REFUSED = {
    "gelu": (lambda: Plain(F.gelu), "of the whole network .Plain. computes 'gelu'"),
    "a module": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(48, 4), nn.Tanh(), nn.Linear(4, 3)),
        "2 .Tanh. computes",
    ),
    "a weight acts twice": (
        lambda: Plain(twice=True),
        "middle .Linear. multiplies things that share a weight",
    ),
    "a power": (lambda: Plain(lambda x: F.relu(x) ** 2), "computes 'pow'"),
    "a product": (lambda: Plain(lambda x: x * x), "share a weight"),
    "another normalization": (Odd, "norm .GroupNorm. computes"),
}


@pytest.mark.parametrize(("network", "message"), REFUSED.values(), ids=REFUSED)
def test_where_the_traces_differ_the_module_is_named(network, message, state, dense):
    problem, weights = state(network)
    reference = dense(problem, weights, 12)
    assert abs(float(reference.hessian().trace() / reference.gauss_newton().trace()) - 1) > 1e-3
    with pytest.raises(UsageError, match=message) as caught:
        HessianTrace(sample=SAMPLE).measure(problem, weights)
    assert "HessianTraceEstimate" in str(caught.value)


def test_a_batch_mixes_examples(state):
    problem, weights = state(**RESNET)
    for measure in (HessianTrace, GradientTrace):
        with pytest.raises(UsageError, match="normalization='eval'"):
            measure(sample=Sample(examples=12, normalization="train")).measure(problem, weights)
    problem, weights = state(
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(), nn.Linear(16, 3)
        )
    )
    for measure in (HessianTrace, GradientTrace):
        with pytest.raises(UsageError, match=r"module 1 .BatchNorm2d. keeps no running statistics"):
            measure(sample=SAMPLE).measure(problem, weights)


def test_more_examples_than_there_are(state):
    problem, weights = state(**RESNET)
    found = GradientTrace().measure(problem, weights)
    assert float(found["examples"]) == 24
    assert torch.equal(found["trace"], GradientTrace(sample=Sample(examples="all")).measure(problem, weights)["trace"])


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_products_are_those_of_the_matrices(train, state, dense):
    problem, weights = state(inplace)
    sample = SAMPLE.replace(normalization="train" if train else "eval")
    around, reference = surface(problem, weights, sample), dense(problem, weights, 12, train=train)
    vectors = torch.randn(3, around.dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    keep = reference.keep
    for matrix, expected in (("hessian", reference.hessian()), ("gauss-newton", reference.gauss_newton())):
        found = operator(around, matrix)(vectors)
        assert torch.allclose(found, vectors @ expected[keep][:, keep], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    ("setting", "least"),
    [
        ({"path": "prunescope.tasks.nets:LeNet", "hidden": (200, 60), "inputs": 48}, 20_000),
        (RESNET | {"width": 6}, 10_000),
    ],
    ids=["linear", "convolutions and BatchNorm"],
)
def test_products_agree_with_curvlinops(setting, least, state):
    """In evaluation mode, with running statistics that training has moved."""
    problem, weights = state(**setting, prune=False)
    around = surface(problem, weights, SAMPLE)
    module = problem.model.network.build().double().eval()
    module.load_state_dict({**weights.params, **weights.buffers})
    vector = torch.randn(around.dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert around.dimension > least
    for matrix, oracle in (
        ("hessian", curvlinops.HessianLinearOperator),
        ("gauss-newton", curvlinops.GGNLinearOperator),
    ):
        linear = oracle(
            module,
            nn.CrossEntropyLoss(),
            list(module.parameters()),
            [(around.x, around.y)],
            check_deterministic=False,
        )
        assert torch.allclose(operator(around, matrix)(vector.unsqueeze(0))[0], linear @ vector, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("sketch", [0, 10])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_an_estimate_is_within_its_error(sketch, mode, state, dense):
    problem, weights = state(inplace)
    sample = SAMPLE.replace(normalization=mode)
    hessian = dense(problem, weights, 12, train=mode == "train").hessian()
    reference, bound = hessian.trace(), float(torch.linalg.eigvalsh(hessian).abs().sum())
    settings = {"sample": sample, "probes": 60, "sketch": sketch}
    found = HessianTraceEstimate(**settings).measure(problem, weights)
    assert abs(float(found["trace"] - reference)) < 4 * float(found["error"])
    assert 0 < float(found["error"]) < 0.2 * bound
    parts = [value for name, value in found.items() if name.startswith("trace.")]
    close(sum(parts), found["trace"])


def test_taking_directions_out_makes_the_error_smaller(state):
    problem, weights = state("prunescope.tasks.nets:LeNet", hidden=(7, 5), inputs=48)
    few, many = (HessianTraceEstimate(sample=SAMPLE, probes=40, sketch=k).measure(problem, weights) for k in (0, 40))
    assert float(many["error"]) < 0.1 * float(few["error"])
    close(many["trace"], HessianTrace(sample=SAMPLE).measure(problem, weights)["trace"], rel=0.02)


def test_the_mode_of_normalization_moves_the_trace(state, dense):
    problem, weights = state(inplace)
    one, two = (dense(problem, weights, 12, train=train).hessian().trace() for train in (False, True))
    assert abs(float(one / two) - 1) > 0.1


def test_what_dies_with_a_filter_has_no_gradient(state):
    """Its bias, gamma and beta are 0 without a mask; ReLU's derivative at 0 is 0."""
    problem, weights = state(inplace, prune=False)
    params, masks = tree.clone(weights.params), tree.clone(weights.masks)
    for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
        params[name][0] = 0
    masks["0.weight"][0] = False
    pruned = weights.replace(params=params, masks=masks)
    dead = {name: torch.arange(4) > 0 for name in ("0.bias", "1.weight", "1.bias")}
    for measure in (GradientTrace(sample=SAMPLE), HessianTrace(sample=SAMPLE)):
        found = measure.measure(problem, pruned)["trace"]
        close(found, measure.measure(problem, pruned.replace(masks=masks | dead))["trace"], rel=1e-12)
        assert float(found) < float(measure.measure(problem, weights.replace(params=params))["trace"]) * (1 + 1e-12)


def test_the_trace_is_exact_where_it_can_be_and_sampled_with_its_error_where_not(state):
    for setting, sample, exact in (
        ({"path": inplace}, SAMPLE, True),
        ({"path": inplace}, SAMPLE.replace(normalization="train"), False),
        ({"path": lambda: Plain(activation=F.gelu)}, SAMPLE, False),
        (
            {"path": lambda: nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), Plain())},
            SAMPLE,
            False,
        ),
    ):
        problem, weights = state(**setting)
        found = HessianTraceOrEstimate(sample=sample, probes=4).measure(problem, weights)
        alone = HessianTrace(sample=sample) if exact else HessianTraceEstimate(sample=sample, probes=4)
        assert torch.equal(found["trace"], alone.measure(problem, weights)["trace"])
        assert float(found["exact"]) == exact and (float(found["error"]) == 0) == exact
        assert sum(float(part) for name, part in found.items() if name.startswith("trace.")) == pytest.approx(
            float(found["trace"]), rel=1e-6
        )
