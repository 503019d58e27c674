"""The contract of every measure, and each against a slow loop in float64."""

import math
from dataclasses import replace

import pytest
import torch

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.streams import Seeds
from prunescope.measures import (
    EL2N,
    AdaptiveSharpness,
    ClassRisk,
    Examples,
    GradientTrace,
    GraNd,
    GroupRisk,
    Halves,
    HessianSpectrum,
    HessianTrace,
    HessianTraceEstimate,
    HessianTraceOrEstimate,
    Labels,
    LayerSparsity,
    LossAlongEigenvectors,
    Measure,
    Neighbours,
    NoiseResponse,
    Normality,
    OutOfSample,
    Outputs,
    OutputsUnder,
    PruningRise,
    Risk,
    Sample,
    SeenUnseen,
    SignalAndNoise,
    SignalNeurons,
    Traces,
    UnitsGone,
    WeightCount,
    WeightVector,
)
from prunescope.measures.measure import plain
from prunescope.measures.robustness import OtherData
from prunescope.tasks.data.signal_noise import signal_noise
from prunescope.tasks.data.source import InMemory
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task

FEW = Sample(examples=12)
SETTINGS: dict[type[Measure], Measure] = {
    Risk: Risk(split="train"),
    Examples: Examples(split="train"),
    ClassRisk: ClassRisk(split="train"),
    EL2N: EL2N(split="train"),
    GraNd: GraNd(split="train"),
    Halves: Halves(split="test"),
    Labels: Labels(split="train"),
    OutOfSample: OutOfSample(),
    Outputs: Outputs(split="test"),
    OutputsUnder: OutputsUnder(condition=OtherData(source=synthetic(shape=(3, 8, 8), seed=1))),
    PruningRise: PruningRise(),
    Neighbours: Neighbours(split="test", count=3),
    SeenUnseen: SeenUnseen(),
    LayerSparsity: LayerSparsity(),
    UnitsGone: UnitsGone(),
    WeightCount: WeightCount(),
    Normality: Normality(examples=12, layers=2),
    WeightVector: WeightVector(),
    AdaptiveSharpness: AdaptiveSharpness(sample=FEW, steps=2, draws=2),
    GradientTrace: GradientTrace(sample=FEW),
    HessianTrace: HessianTrace(sample=FEW),
    HessianTraceEstimate: HessianTraceEstimate(sample=FEW, probes=4, sketch=1),
    HessianTraceOrEstimate: HessianTraceOrEstimate(sample=FEW, probes=4),
    Traces: Traces(sample=FEW),
    HessianSpectrum: HessianSpectrum(sample=FEW, count=3, tolerance=1e-2),
    LossAlongEigenvectors: LossAlongEigenvectors(
        sample=FEW, losses=FEW, count=2, reach=0.02, step=0.01, tolerance=1e-2
    ),
    SignalAndNoise: SignalAndNoise(),
    SignalNeurons: SignalNeurons(),
    NoiseResponse: NoiseResponse(),
}
OF_THE_THEORY = (SignalAndNoise, SignalNeurons, NoiseResponse)
every = pytest.mark.parametrize("measure", SETTINGS.values(), ids=lambda value: type(value).__name__)


def load(label_noise=0.2):
    net = network("prunescope.tasks.nets:CifarResNet", depth=8, width=2, classes=4)
    source = synthetic(classes=4, shape=(3, 8, 8), train=90, test=30, separation=3.0)
    data = Data(source=source, label_noise=label_noise, validation=10)
    return Task(network=net, data=data).load(Seeds(), source.load())


def theory():
    source = signal_noise(dimension=16, train=20, test=30)
    net = network("prunescope.tasks.nets:TwoLayer", inputs=16, width=5, deviation=0.3)
    return Task(network=net, data=Data(source=source)).load(Seeds(), source.load())


def suited(measure):
    """A problem that the measure is made for, and a state of its network."""
    problem = theory() if isinstance(measure, OF_THE_THEORY) else load()
    return problem, pruned(problem)


def pruned(problem):
    params, buffers = problem.model.init(0)
    x, _ = problem.train.batch(torch.arange(len(problem.train)))
    _, buffers = problem.model.apply(params, buffers, x, train=True)
    masks = {n: params[n] > -0.1 for n in params if n in problem.model.maskable}
    return Weights(tree.masked(params, masks), buffers, masks)


@pytest.fixture(scope="module")
def problem():
    return load()


@pytest.fixture(scope="module")
def weights(problem):
    return pruned(problem)


def test_every_measure_of_the_package_has_a_setting_here(leaves):
    assert leaves(Measure) == {*SETTINGS, GroupRisk}, "groups need data of one's own: tests/runs/test_groups.py"


@every
def test_a_measure_leaves_the_state_alone_and_repeats_itself(measure):
    problem, weights = suited(measure)
    parts = (weights.params, weights.buffers, weights.masks, {"y": problem.train.y})
    copies, random = [tree.clone(part) for part in parts], torch.get_rng_state()
    one, same = measure.measure(problem, weights), measure.measure(problem, weights)
    assert all(tree.equal(part, copy) for part, copy in zip(parts, copies, strict=True))
    assert torch.equal(random, torch.get_rng_state())
    assert one and tree.equal(one, same)


@every
def test_its_values_are_finite_numbers_and_vectors(measure):
    values = measure.measure(*suited(measure))
    assert values and all(name.isidentifier() or "." in name for name in values)
    for value in values.values():
        assert isinstance(value, torch.Tensor) and not value.requires_grad
        assert value.ndim <= (2 if isinstance(measure, Outputs | OutputsUnder | Neighbours) else 1) and bool(
            value.double().isfinite().all()
        )


def by_hand(problem, weights, split):
    """Per example: loss, prediction, label, label before the flip."""
    rows = []
    for row in range(len(split)):
        x, y = split.batch(torch.tensor([row]))
        scores = problem.model.apply(weights.params, weights.buffers, x, train=False)[0][0].double().tolist()
        loss = math.log(sum(math.exp(s) for s in scores)) - scores[int(y)]
        rows.append((loss, scores.index(max(scores)), int(y), int(split.clean[row])))
    return rows


def test_outputs_are_the_log_probabilities_of_every_example(problem, weights):
    values = Outputs(split="train").measure(problem, weights)
    for k, (loss, prediction, label, _) in enumerate(by_hand(problem, weights, problem.train)):
        assert float(values["log_probability"][k, label]) == pytest.approx(-loss, abs=1e-5)
        assert int(values["log_probability"][k].argmax()) == prediction
        assert int(values["label"][k]) == label
    assert torch.allclose(values["log_probability"].exp().sum(1), torch.ones(len(problem.train)), atol=1e-5)


def test_outputs_that_are_not_finite_are_refused(problem, weights):
    params = {**weights.params, "fc.bias": torch.full_like(weights.params["fc.bias"], torch.nan)}
    with pytest.raises(UsageError, match="not finite for 30 of 30 test examples"):
        Outputs().measure(problem, weights.replace(params=params))


@pytest.mark.parametrize("offset", [0, 1e4])
def test_neighbours_are_those_of_the_other_half(problem, weights, offset):
    split = replace(problem.train, inputs=InMemory(problem.train.inputs.tensor + offset))
    found = Neighbours(split="train", count=4).measure(replace(problem, train=split), weights)["neighbours"].tolist()
    x, _ = split.batch(torch.arange(len(split)))
    rows = x.reshape(len(x), -1).double().tolist()
    for k, nearest in enumerate(found):
        others = sorted((math.dist(rows[k], rows[j]), j) for j in range(len(rows)) if (j - k) % 2)
        assert nearest == [j for _, j in others[:4]]


def test_neighbours_among_some_are_the_nearest_of_those(problem, weights):
    rows = problem.train.batch(torch.arange(len(problem.train)))[0].flatten(1).double()
    every, some = (
        Neighbours(split="train", count=count, among=among).measure(problem, weights)["neighbours"]
        for count, among in ((80, 0), (12, 9))
    )
    assert some.shape == (len(rows), 9)
    for half in (0, 1):
        (drawn,) = {tuple(sorted(near)) for near in some[half::2].tolist()}  # for all the same
        assert len(set(drawn)) == 9 and all((k - half) % 2 for k in drawn)
        for near, all_of_them in zip(some[half::2].tolist(), every[half::2].tolist(), strict=True):
            assert near == [k for k in all_of_them if k in drawn]
    enough = Neighbours(split="train", count=4, among=len(rows)).measure(problem, weights)["neighbours"]
    assert torch.equal(enough, every[:, :4])


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def test_risk_and_its_noisy_and_original_parts(problem, weights):
    rows = by_hand(problem, weights, problem.train)
    noisy = [row for row in rows if row[2] != row[3]]
    original = [row for row in rows if row[2] == row[3]]
    assert len(noisy) == 16 and len(original) == 64
    expected = {
        "loss": mean(row[0] for row in rows),
        "error": mean(row[1] != row[2] for row in rows),
        "examples": 80,
        "original_loss": mean(row[0] for row in original),
        "noisy_loss": mean(row[0] for row in noisy),
        "original_error": mean(row[1] != row[2] for row in original),
        "noisy_error": mean(row[1] != row[2] for row in noisy),
        "noisy_true_error": mean(row[1] != row[3] for row in noisy),
    }
    found = Risk(split="train").measure(problem, weights)
    assert {value.dtype for value in found.values()} == {torch.float64}
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("split", "count"), [("test", 30), ("validation", 10), ("train", 80)])
def test_without_noise_there_are_no_parts(split, count):
    problem = load(label_noise=0.0)
    found = Risk(split=split).measure(problem, pruned(problem))
    assert found.keys() == {"loss", "error", "examples"} and float(found["examples"]) == count


def test_examples_say_what_happens_to_each(problem, weights):
    found = Examples(split="train").measure(problem, weights)
    rows = by_hand(problem, weights, problem.train)
    assert found["loss"].tolist() == pytest.approx([row[0] for row in rows], rel=1e-4, abs=1e-6)
    assert found["prediction"].tolist() == [row[1] for row in rows]
    assert found["correct"].tolist() == [row[1] == row[2] for row in rows]
    assert found["noisy"].tolist() == [row[2] != row[3] for row in rows]
    assert torch.equal(found["index"], problem.train.index)
    kinds = {name: value.dtype for name, value in found.items()}
    assert kinds == {
        "loss": torch.float32,
        "prediction": torch.int64,
        "correct": torch.bool,
        "noisy": torch.bool,
        "index": torch.int64,
    }


def test_sparsity_is_counted_over_all_and_over_each(problem, weights):
    found = LayerSparsity().measure(problem, weights)
    zeros, total = 0, 0
    for name, mask in weights.masks.items():
        flat = mask.flatten().tolist()
        assert float(found[name]) == pytest.approx(flat.count(False) / len(flat), abs=1e-15)
        zeros, total = zeros + flat.count(False), total + len(flat)
    assert float(found["sparsity"]) == pytest.approx(zeros / total, abs=1e-15) and zeros > 0
    assert found.keys() == {"sparsity", *weights.masks}


def test_an_empty_split_is_refused_with_the_fix():
    problem = theory()
    with pytest.raises(UsageError, match="validation=N"):
        Risk(split="validation").measure(problem, pruned(problem))


def test_weights_that_are_kept_are_counted(problem, weights):
    counts = WeightCount().measure(problem, weights)
    arrays = [mask.numpy() for mask in weights.masks.values()]
    assert float(counts["weights"]) == sum(mask.size for mask in arrays)
    assert float(counts["kept"]) == sum(int(mask.sum()) for mask in arrays) < float(counts["weights"])
    assert float(counts["parameters"]) == sum(leaf.numel() for leaf in problem.model.parameters.values())


def test_the_rise_of_a_pruning_is_that_of_the_pruned_state_in_float64(state):
    problem, weights = state(width=4, depth=8)
    found = PruningRise(fraction=0.3, exclude=("fc.weight",)).measure(problem, weights)
    names = [name for name in weights.masks if name != "fc.weight"]
    kept = torch.cat([weights.params[name][weights.masks[name]].abs() for name in names])
    smallest = kept.sort().values[round(0.3 * len(kept)) - 1]
    pruned = {n: p * (p.abs() > smallest) if n in names else p for n, p in weights.params.items()}
    x, y = problem.test.batch(torch.arange(24))
    module = problem.model.network.build().double().eval()

    def seen(params):
        tensors = {name: leaf.double() for name, leaf in {**params, **weights.buffers}.items()}
        logits = torch.func.functional_call(module, tensors, (x.double(),))
        return torch.nn.functional.cross_entropy(logits, y), (logits.argmax(1) != y).double().mean()

    (loss, error), (before, wrong) = seen(pruned), seen(weights.params)
    assert found["loss"].item() == pytest.approx((loss - before).item(), abs=1e-5)
    assert found["error"].item() == pytest.approx((error - wrong).item())
    assert abs(loss - before) > 1e-3


@pytest.mark.parametrize("value", [torch.tensor(1j), torch.ones(3).to_sparse()])
def test_what_a_measure_returns_is_real_and_dense(value):
    with pytest.raises(UsageError, match="Mine returned 'v' as a complex or sparse tensor"):
        plain({"v": value}, "Mine")


def test_short_floats_are_read_as_floats():
    for kind in (torch.bfloat16, torch.float8_e4m3fn):
        assert plain({"v": torch.tensor(1.5).to(kind)}, "Mine")["v"].numpy() == 1.5
