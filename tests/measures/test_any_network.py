"""Every kind of network that a user may bring x every measure of curvature, against float64 loops; and refusals."""

import resource
import warnings

import pytest
import torch
import torch.nn.functional as F
from kinds import EXAMPLES, NETWORKS, Net, Reference, made, problem_of, recurrent, state_of, two
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.measures import (
    AdaptiveSharpness,
    GradientTrace,
    GraNd,
    HessianSpectrum,
    HessianTrace,
    HessianTraceEstimate,
    HessianTraceOrEstimate,
    LossAlongEigenvectors,
    Sample,
    Traces,
)
from prunescope.measures.curvature import gradient_norms
from prunescope.measures.curvature.products import operator
from prunescope.measures.curvature.surface import surface

FEW = Sample(examples=EXAMPLES, precision="float64")
SINGLE = Sample(examples=EXAMPLES)
QUICK = ("perceptron", "layer norm", "attention", "lstm", "looks at its data")
networks = pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in NETWORKS]
)


def near(value, expected, rel=1e-8):
    assert float(value) == pytest.approx(float(expected), rel=rel, abs=1e-10)


def check(problem, weights, reference, hessian):
    """All measures of curvature of one state."""
    slopes = reference.slopes()
    near(GradientTrace(sample=FEW).measure(problem, weights)["trace"], slopes.square().sum(1).mean())
    near(GradientTrace(sample=SINGLE).measure(problem, weights)["trace"], slopes.square().sum(1).mean(), 1e-4)
    grand = GraNd(split="test").measure(problem, weights)["grand"]
    assert grand.tolist() == pytest.approx(slopes.norm(dim=1).tolist(), rel=1e-4, abs=1e-6)

    around = surface(problem, weights, FEW)
    vectors = torch.randn(2, around.dimension, generator=torch.Generator().manual_seed(2)).double()
    assert torch.allclose(operator(around, "hessian")(vectors), vectors @ hessian, rtol=1e-6, atol=1e-7)
    traced = HessianTraceOrEstimate(sample=FEW, probes=8).measure(problem, weights)
    if float(traced["exact"]):
        near(traced["trace"], hessian.trace())
        near(HessianTrace(sample=FEW).measure(problem, weights)["trace"], hessian.trace())
    else:
        assert abs(float(traced["trace"] - hessian.trace())) < 6 * float(traced["error"]) + 1e-9
    sketched = HessianTraceEstimate(sample=FEW, probes=8, sketch=4).measure(problem, weights)
    assert abs(float(sketched["trace"] - hessian.trace())) < 6 * float(sketched["error"]) + 1e-9

    values = torch.linalg.eigvalsh(hessian)
    values = values[values.abs().argsort(descending=True)]
    spectrum = HessianSpectrum(sample=FEW, count=3, tolerance=1e-9).measure(problem, weights)
    assert torch.allclose(spectrum["eigenvalues"].abs(), values[:3].abs(), rtol=1e-5, atol=1e-9)
    along = LossAlongEigenvectors(sample=FEW, losses=FEW, count=1, reach=0.1, step=0.1, tolerance=1e-9).measure(
        problem, weights
    )
    vector = torch.linalg.eigh(hessian).eigenvectors[:, torch.linalg.eigvalsh(hessian).abs().argmax()]
    level = reference.mean_loss(0 * vector)
    rises = sorted(reference.mean_loss(e * vector) - level for e in (-0.1, 0.1))
    assert sorted(along["increase.0"][[0, 2]].tolist()) == pytest.approx(rises, rel=1e-4, abs=1e-8)
    sharpness = AdaptiveSharpness(sample=FEW, radius=0.01, steps=1, draws=2).measure(problem, weights)
    size = torch.cat([leaf.flatten() for leaf in reference.leaves.values()]).detach()[reference.kept].abs()
    direction = size * slopes.mean(0)
    near(sharpness["first_order"], 0.01 * direction.norm(), 1e-7)
    worst = reference.mean_loss(size * 0.01 * direction / direction.norm()) - level
    near(sharpness["worst"], max(0.0, worst), 1e-6)
    assert float(sharpness["average"]) != 0


@networks
@pytest.mark.filterwarnings("ignore:.*one example at a time")
def test_every_measure_of_every_network_and_one_of_two_states(kind):
    problem, first = made(kind)
    second = state_of(problem, 1)
    reference = Reference(problem, first)
    # PyTorch's second derivative of weight normalization takes the norm as fixed; a hard sigmoid has none.
    lacking = kind in ("weight norm", "hard sigmoid")
    check(problem, first, reference, reference.differences() if lacking else reference.hessian())
    for weights in (second, first):
        found = GradientTrace(sample=FEW).measure(problem, weights)["trace"]
        near(found, Reference(problem, weights).slopes().square().sum(1).mean())


class Wrong(torch.autograd.Function):
    """An operation whose backward pass forgets that it depends on the inputs."""

    @staticmethod
    def forward(ctx, x):
        ctx.slope = 3 * x.detach() ** 2
        return x**3

    @staticmethod
    def backward(ctx, slope):
        return ctx.slope * slope


class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(8, 3, dtype=torch.complex64))

    def forward(self, x):
        return (x.to(self.w.dtype) @ self.w).abs()


def constant(net, x):
    return net.o(net.a(x) @ torch.ones(6, 6))


def hooked():
    net = two(lambda net, x: net.o(torch.relu(net.a(x))))()
    net.o.register_full_backward_hook(lambda layer, inner, outer: tuple(0.1 * slope for slope in inner))
    return net


def without_a_graph(net, x):
    with torch.set_grad_enabled(net.training):
        return net.o(torch.relu(net.a(x)))


SECOND = (
    HessianTraceEstimate(sample=FEW),
    HessianTraceOrEstimate(sample=FEW),
    HessianSpectrum(sample=FEW, count=2),
)
EACH = (GradientTrace(sample=FEW), HessianTrace(sample=FEW), GraNd(split="test"))
FIRST = (GradientTrace(sample=FEW), GraNd(split="test"), Traces(sample=FEW), AdaptiveSharpness(sample=FEW))
REFUSED = {
    "draws": (two(lambda net, x: net.o(F.dropout(net.a(x)))), SECOND + EACH, "draws random numbers"),
    "mixes": (two(lambda net, x: net.o(net.a(x) - net.a(x).mean(0))), EACH, "depend on the other examples"),
    "time is first": (recurrent(lambda: nn.LSTM(4, 5)), (), ""),
    "a batch as a sequence": (
        lambda: Net(lambda net, x: net.o(net.r(x.unsqueeze(1))[0][:, 0]), r=nn.LSTM(8, 5), o=nn.Linear(5, 3)),
        EACH,
        "batch_first=True",
    ),
    "a wrong second derivative": (
        two(lambda net, x: net.o(Wrong.apply(net.a(x)))),
        SECOND,
        "is not the change of its first one",
    ),
    "no second derivative": (
        lambda: Net(
            lambda net, x: net.o(net.e(x.abs().long().clamp(max=4))),
            e=nn.EmbeddingBag(5, 4),
            o=nn.Linear(4, 3),
        ),
        SECOND,
        "has no second derivative in PyTorch .*embedding_bag",
    ),
    "a turned gradient": (hooked, SECOND + FIRST, "is not how the loss changes; .*a backward hook"),
    "no gradient in evaluation": (two(without_a_graph), SECOND + FIRST, "is not how the loss changes"),
    "half a gradient in evaluation": (
        two(lambda net, x: net.o(torch.relu(net.a(x) if net.training else net.a(x).detach()))),
        SECOND + FIRST,
        "is not how the loss changes",
    ),
    "a gradient by counts": (
        lambda: Net(
            lambda net, x: net.o(torch.tanh(net.e((2 * x).abs().long().clamp(max=4))).flatten(1)),
            e=nn.Embedding(5, 2, scale_grad_by_freq=True),
            o=nn.Linear(16, 3),
        ),
        SECOND + FIRST,
        "is not how the loss changes; .*scale_grad_by_freq",
    ),
    "complex": (Complex, SECOND + EACH, "w is complex"),
    "one number": (
        two(lambda net, x: net.o(net.a(x)).mean()),
        SECOND + EACH,
        "UsageError|fails on 2 examples",
    ),
    "float32 only": (two(constant), SECOND, "float64, fails on 2 examples: RuntimeError"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.filterwarnings("ignore:.*one example at a time")
def test_what_cannot_be_measured_is_refused_by_name(kind):
    net, measures, message = REFUSED[kind]
    problem, weights = problem_of(net)
    for measure in measures:
        with pytest.raises(UsageError, match=message):
            measure.measure(problem, weights)


@pytest.mark.filterwarnings("ignore:.*one example at a time")
def test_first_derivatives_where_there_is_no_second():
    for kind in ("no second derivative", "a wrong second derivative", "float32 only"):
        problem, weights = problem_of(REFUSED[kind][0])
        found = GradientTrace(sample=SINGLE).measure(problem, weights)["trace"]
        if kind != "float32 only":
            near(found, Reference(problem, weights).slopes().square().sum(1).mean(), 1e-4)
        AdaptiveSharpness(sample=SINGLE, steps=1, draws=2).measure(problem, weights)


def test_a_loss_that_is_already_a_mean(monkeypatch):
    problem, weights = made("perceptron")
    object.__setattr__(problem, "loss", F.cross_entropy)
    for measure in SECOND + EACH:
        with pytest.raises(UsageError, match="losses of shape"):
            measure.measure(problem, weights)


def test_a_small_split_is_taken_whole_and_the_result_says_so():
    problem, weights = made("gelu")
    for few, many in (
        (measure.replace(sample=Sample(examples=EXAMPLES)), measure.replace(sample=Sample()))
        for measure in (
            GradientTrace(),
            HessianTraceEstimate(probes=2),
            HessianSpectrum(count=2),
            AdaptiveSharpness(draws=2),
        )
    ):
        one, two_ = few.measure(problem, weights), many.measure(problem, weights)
        assert float(two_["examples"]) == EXAMPLES and all(torch.equal(one[name], two_[name]) for name in one)


def test_one_example_is_enough():
    problem, weights = problem_of(NETWORKS["gelu"], examples=1)
    slopes = Reference(problem, weights).slopes()
    near(GradientTrace(sample=FEW).measure(problem, weights)["trace"], slopes.square().sum())


def test_more_eigenvalues_than_weights_are_zeros():
    problem, weights = made("its own parameters")
    found = HessianSpectrum(sample=FEW, count=50, tolerance=1e-9).measure(problem, weights)
    assert found["eigenvalues"].shape == (50,) and not found["eigenvalues"][44:].any()
    near(found["sum"], Reference(problem, weights).hessian().trace())
    curves = LossAlongEigenvectors(sample=FEW, losses=FEW, count=50, reach=0.1, step=0.1)
    assert not curves.measure(problem, weights)["increase.49"].any()


def test_networks_that_look_at_their_data_are_taken_one_by_one_and_that_is_said_once():
    problem, weights = made("looks at its data")
    gradient_norms._say_slow.cache_clear()
    with pytest.warns(UserWarning, match="one example at a time, which is slow: vmap: It looks like"):
        GradientTrace(sample=FEW).measure(problem, weights)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GradientTrace(sample=FEW).measure(problem, weights)


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_many_classes_without_a_matrix_of_them(loss, monkeypatch):
    from prunescope.measures import hessian_trace
    from prunescope.tasks import losses

    net = lambda: Net(lambda net, x: net.o(torch.relu(net.a(x))), a=nn.Linear(8, 3), o=nn.Linear(3, 40))  # noqa: E731
    problem, weights = problem_of(net)
    object.__setattr__(problem, "loss", getattr(losses, loss))
    exact = HessianTrace(sample=FEW).measure(problem, weights)
    monkeypatch.setattr(hessian_trace, "MATRIX_NUMBERS", 3200)  # two examples at once
    assert torch.equal(HessianTrace(sample=FEW).measure(problem, weights)["trace"], exact["trace"])
    monkeypatch.setattr(hessian_trace, "MOST_CLASSES", 39)
    by_columns = HessianTrace(sample=FEW).measure(problem, weights)
    for name, value in exact.items():
        near(by_columns[name], value, 1e-7)


@pytest.mark.slow
def test_thousands_of_classes_need_little_memory():
    net = lambda: Net(lambda net, x: net.o(torch.relu(net.a(x))), a=nn.Linear(8, 2), o=nn.Linear(2, 3000))  # noqa: E731
    problem, weights = problem_of(net)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = HessianTraceOrEstimate(sample=SINGLE, probes=2).measure(problem, weights)
    assert not float(found["exact"])
    GradientTrace(sample=SINGLE).measure(problem, weights)
    HessianTrace(sample=Sample(examples=1)).measure(problem, weights)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KiB; a matrix has 72 MB
