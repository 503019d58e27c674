"""Signal and noise in a two-layer network, against slow loops; and the whole path from recipe to combination."""

import math

import numpy as np
import pytest
import torch

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.reference import Moment, StateRef
from prunescope.base.state import Weights
from prunescope.base.streams import Seeds, stream
from prunescope.measures import NoiseResponse, Risk, SignalAndNoise, SignalNeurons, WeightVector
from prunescope.papers.yang2023.scales import Setting
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.nodes import Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.tasks.data.signal_noise import DenseSignal, Signal, signal_noise
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.interventions import Bernoulli
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant
from prunescope.training.stopping import LossBelow

SIGNALS = {"sparse": Signal, "dense": DenseSignal}

K, M, D, N = 3, 4, 12, 20


def setting(kind="sparse", label_noise=0.2):
    """A problem, random weights with a mask, the signals, and patches as plain lists."""
    source = signal_noise(classes=K, dimension=D, signal=SIGNALS[kind](strength=1.5), noise=0.5, train=N, test=9)
    net = network("prunescope.tasks.nets:TwoLayer", inputs=D, width=M, classes=K, deviation=0.5)
    problem = Task(network=net, data=Data(source=source, label_noise=label_noise)).load(Seeds(), source.load())
    params, buffers = problem.model.init(0)
    masks = {"fc1.weight": torch.rand(K * M, D, generator=stream(0, "mask")) < 0.5}
    return problem, Weights(tree.masked(params, masks), buffers, masks), source.signal


def product(left, right):
    return math.fsum(a * b for a, b in zip(left.tolist(), right.tolist(), strict=True))


def noise_of(split, signals):
    """Patch by patch: the one that is not the signal of the class before label noise."""
    x = split.inputs.take(split.index)
    return [x[i, 1] if torch.equal(x[i, 0], signals[split.clean[i]]) else x[i, 0] for i in range(len(split))]


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_signal_learned_and_noise_memorized(kind):
    problem, weights, signal = setting(kind)
    w, mu = weights.params["fc1.weight"], signal.vectors(K, D)
    found = SignalAndNoise(signal=signal).measure(problem, weights)
    learned = [max(0.0, *(product(w[j * M + r], mu[j]) for r in range(M))) for j in range(K)]
    y = problem.train.y
    memorized = [
        max(product(w[int(y[i]) * M + r], xi) for r in range(M)) for i, xi in enumerate(noise_of(problem.train, mu))
    ]
    assert bool((y != problem.train.clean).any())
    assert found["signal"].tolist() == pytest.approx(learned, rel=1e-5)
    assert found["noise"].tolist() == pytest.approx(memorized, rel=1e-5, abs=1e-6)
    assert float(found["signal_mean"]) == pytest.approx(math.fsum(learned) / K, rel=1e-5)
    assert float(found["signal_min"]) == pytest.approx(min(learned), rel=1e-5)
    assert float(found["noise_mean"]) == pytest.approx(math.fsum(memorized) / N, rel=1e-5)


def test_signal_neurons_are_counted_by_mask_and_by_sign():
    problem, weights, signal = setting()
    w, mask = weights.params["fc1.weight"], weights.masks["fc1.weight"]
    found = SignalNeurons(signal=signal).measure(problem, weights)
    kept = [sum(bool(mask[j * M + r, j]) for r in range(M)) for j in range(K)]
    active = [sum(float(w[j * M + r, j]) > 0 for r in range(M)) for j in range(K)]
    assert found["kept"].tolist() == kept and found["active"].tolist() == active and kept != active
    numbers = [float(found[name]) for name in ("kept_min", "active_min", "dead")]
    assert numbers == [min(kept), min(active), active.count(0)]
    blind = weights.replace(params={"fc1.weight": w.clone()})
    blind.params["fc1.weight"][:M, 0] = -1.0
    assert float(SignalNeurons(signal=signal).measure(problem, blind)["dead"]) == active.count(0) + 1


def test_noise_response_is_the_spread_of_logits_without_the_signal():
    problem, weights, signal = setting()
    w = weights.params["fc1.weight"]
    noise = noise_of(problem.test, signal.vectors(K, D))
    logits = [[math.fsum(max(0.0, product(w[j * M + r], xi)) ** 3 for r in range(M)) for j in range(K)] for xi in noise]
    expected = torch.tensor(logits, dtype=torch.float64).std(dim=0)
    found = NoiseResponse(signal=signal).measure(problem, weights)
    assert found["response"].tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert float(found["response_mean"]) == pytest.approx(float(expected.mean()), rel=1e-5)


def test_another_network_other_data_and_another_signal_are_refused():
    problem, weights, _ = setting()
    for measure in (SignalAndNoise(), NoiseResponse()):
        with pytest.raises(UsageError, match="do not hold the signal"):
            measure.measure(problem, weights)
    net = network("prunescope.tasks.nets:LeNet", inputs=2 * D, hidden=[5], classes=K)
    source = signal_noise(classes=K, dimension=D, train=N, test=9)
    other = Task(network=net, data=Data(source=source)).load(Seeds(), source.load())
    params, buffers = other.model.init(0)
    masks = {name: torch.ones_like(params[name], dtype=torch.bool) for name in other.model.maskable}
    for measure in (SignalAndNoise(), NoiseResponse(), SignalNeurons()):
        with pytest.raises(UsageError, match="TwoLayer"):
            measure.measure(other, Weights(params, buffers, masks))


def test_predictors_are_the_formulas():
    assert Setting(examples=100, classes=2, noise=0.25, dimension=400).race(0.1) == pytest.approx(
        50 * (1 / (0.25 * 40**0.5)) ** 3
    )
    # By counting: in each of m neurons, kept with probability p and positive with 1 / 2.
    draws = torch.rand(20_000, 6, 2, generator=stream(0, "draws"), dtype=torch.float64)
    dead = ~((draws[..., 0] < 0.3) & (draws[..., 1] < 0.5)).any(dim=1)
    assert Setting(width=6).death(0.3) == pytest.approx(float(dead.double().mean()), abs=0.014)


def recipe(keep, *, dimension=100, noise=0.5):
    """A reduced version of the setting in which the dense network memorizes and the pruned one generalizes."""
    source = signal_noise(dimension=dimension, noise=noise, train=50, test=500)
    net = network("prunescope.tasks.nets:TwoLayer", inputs=dimension, width=50, deviation=0.02)
    return Recipe(
        task=Task(network=net, data=Data(source=source)),
        optimizer=SGD(),
        schedule=Constant(lr=0.5),
        batch=50,
        length="3000it",
        stop=LossBelow(loss=0.01),
        interventions=(Bernoulli(keep=keep),),
    )


def test_from_recipe_to_combination(tmp_path):
    """The model goes the way of every other task: full batch, stop at a loss, nested masks, readings."""
    runs = {keep: recipe(keep) for keep in (1.0, 0.1)}
    signal = runs[1.0].task.data.source.signal
    nodes = {}
    for keep, run in runs.items():
        start, end = (StateRef(run=run, moment=m) for m in (Moment(when="after", at="0it"), Moment()))
        nodes[keep, "train"] = Reading(measure=Risk(split="train"), state=end)
        nodes[keep, "signal"] = Reading(measure=SignalAndNoise(signal=signal), state=end)
        nodes[keep, "usable"] = Reading(measure=SignalNeurons(signal=signal), state=start)
        nodes[keep, "before"], nodes[keep, "after"] = (
            Reading(measure=WeightVector(), state=state) for state in (start, end)
        )
    results = ensure(*nodes.values(), store=tmp_path / "store", workers=1)
    values = {key: results[node] for key, node in nodes.items()}
    for keep in runs:
        assert values[keep, "train"]["loss"] <= 0.01 and values[keep, "train"]["error"] == 0
        before, after = (values[keep, when]["weights"] for when in ("before", "after"))
        assert np.linalg.norm(after - before) > np.linalg.norm(before)
        assert int(results[runs[keep]]["steps"]) < 3000
    assert values[1.0, "usable"]["kept"].tolist() == [50, 50]
    assert bool((values[0.1, "usable"]["active"] <= values[1.0, "usable"]["active"]).all())
    assert values[0.1, "signal"]["signal_mean"] > 2 * values[1.0, "signal"]["signal_mean"]
