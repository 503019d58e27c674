"""Memorization and influence against their definitions, in loops; what networks get right of seen and unseen."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.streams import Seeds
from prunescope.measures import ClassRisk, Labels, OutOfSample, SeenUnseen
from prunescope.measures.memorization import influences, influential_pairs, memorization
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.targets import Binary, Classes
from prunescope.tasks.task import Data, Task


def made_up(models=40, train=7, test=5, seed=0):
    rng = np.random.default_rng(seed)
    seen = rng.random((models, train)) < 0.7
    correct = rng.random((models, train)) < np.where(seen, 0.9, 0.4)
    right = rng.random((models, test)) < 0.6
    return [{"seen": s, "correct": c, "test_correct": t} for s, c, t in zip(seen, correct, right, strict=True)]


def share(outcomes):
    return sum(outcomes) / len(outcomes)


def test_memorization_is_right_with_minus_right_without():
    values = made_up()
    found = memorization(values)
    for i in range(7):
        inside = [float(v["correct"][i]) for v in values if v["seen"][i]]
        outside = [float(v["correct"][i]) for v in values if not v["seen"][i]]
        p, q = share(inside), share(outside)
        error = math.sqrt(p * (1 - p) / len(inside) + q * (1 - q) / len(outside))
        assert found["memorization"][i] == pytest.approx(p - q, abs=1e-12)
        assert found["memorization_se"][i] == pytest.approx(error, abs=1e-12)
        accuracy = [[share(v["test_correct"]) for v in values if bool(v["seen"][i]) is part] for part in (True, False)]
        spread = math.sqrt(sum(np.var(part, ddof=1) / len(part) for part in accuracy))
        assert found["influence"][i] == pytest.approx(share(accuracy[0]) - share(accuracy[1]), abs=1e-12)
        assert found["influence_se"][i] == pytest.approx(spread, abs=1e-12)


def test_halves_are_of_every_other_network():
    values = made_up()
    found = memorization(values)
    np.testing.assert_allclose(found["even"], memorization(values[::2])["memorization"])
    np.testing.assert_allclose(found["odd"], memorization(values[1::2])["memorization"])


def test_the_standard_error_is_the_spread_over_repetitions():
    """Three hundred times forty networks: the mean of the standard errors is the deviation of the estimates."""
    found = [memorization(made_up(seed=seed)) for seed in range(300)]
    spread = np.std([one["memorization"] for one in found], axis=0)
    claimed = np.sqrt(np.mean([one["memorization_se"] ** 2 for one in found], axis=0))
    np.testing.assert_allclose(claimed, spread, rtol=0.15)


def test_an_example_that_all_networks_saw_has_no_memorization():
    values = [{**value, "seen": value["seen"] | (np.arange(7) == 3)} for value in made_up()]
    found = memorization(values)
    assert np.isnan(found["memorization"][3]) and np.isfinite(np.delete(found["memorization"], 3)).all()
    assert influential_pairs(values)["pairs"] >= 0


def test_influences_of_pairs_and_their_count():
    values = made_up()
    seen, right = (np.stack([v[name] for v in values]) for name in ("seen", "test_correct"))
    found, memorized = influences(seen, right), memorization(values)["memorization"]
    pairs = 0
    for i in range(7):
        for j in range(5):
            with_i = [float(v["test_correct"][j]) for v in values if v["seen"][i]]
            without = [float(v["test_correct"][j]) for v in values if not v["seen"][i]]
            assert found[i, j] == pytest.approx(share(with_i) - share(without), abs=1e-6)
            pairs += memorized[i] >= 0.25 and share(with_i) - share(without) >= 0.05
    counted = influential_pairs(values, influence=0.05)
    assert counted["pairs"] == pairs and counted["examples"] == (memorized >= 0.25).sum()


def test_a_planted_influence_is_beyond_chance():
    values = made_up(models=200)
    for value in values:
        value["correct"] = value["seen"].copy()
        value["test_correct"] = value["seen"][:5].copy()
    counted = influential_pairs(values, influence=0.5)
    assert (counted["pairs"], counted["by_chance"]) == (5, 0)


@pytest.mark.parametrize("values", [[], made_up()[:1], [made_up()[0], made_up(train=8)[0]]])
def test_networks_that_do_not_compare_are_refused(values):
    with pytest.raises(UsageError, match="at least 2 networks on the same"):
        memorization(values)


@pytest.fixture(scope="module")
def problem():
    source = synthetic(classes=4, shape=(3, 8, 8), train=90, test=30, separation=3.0)
    net = network("prunescope.tasks.nets:CifarResNet", depth=8, width=2, classes=4)
    return Task(network=net, data=Data(source=source, label_noise=0.2, share=0.8)).load(Seeds(), source.load())


def fresh(problem):
    params, buffers = problem.model.init(0)
    return Weights(params, buffers, {name: params[name] != 0 for name in problem.model.maskable})


def test_a_subset_is_seen_and_the_rest_is_judged_too(problem):
    rows = torch.tensor([0, 3, 4, 50, 71])
    weights = fresh(problem)
    found = SeenUnseen().measure(problem.restricted(rows), weights)
    assert torch.nonzero(found["seen"]).flatten().tolist() == rows.tolist() and len(found["seen"]) == 72
    x, y = problem.train.batch(torch.arange(72))
    expected = problem.model.apply(weights.params, weights.buffers, x, train=False)[0].argmax(1) == y
    assert torch.equal(found["correct"], expected) and len(found["test_correct"]) == 30
    assert bool(SeenUnseen().measure(problem, weights)["seen"].all())


def test_probabilities_out_of_sample_are_those_of_the_label_used(problem):
    weights = fresh(problem)
    values = OutOfSample().measure(problem.restricted(torch.tensor([1, 5])), weights)
    x, y = problem.train.batch(torch.arange(72))
    logits = problem.model.apply(weights.params, weights.buffers, x, train=False)[0].double()
    expected = [float(row.exp()[label] / row.exp().sum()) for row, label in zip(logits, y, strict=True)]
    assert torch.allclose(values["probability"].double(), torch.tensor(expected).double(), atol=1e-6)
    assert torch.equal(values["prediction"], logits.argmax(1))
    assert torch.nonzero(values["seen"]).flatten().tolist() == [1, 5]


def test_labels_before_and_after_noise(problem):
    found = Labels().measure(problem, fresh(problem))
    assert torch.equal(found["label"] != found["clean"], problem.train.noisy)
    assert int(problem.train.noisy.sum()) == round(0.2 * 72) and torch.equal(found["index"], problem.train.index)


def test_class_risk_against_one_example_after_the_other(problem):
    weights = fresh(problem)
    found = ClassRisk(split="train").measure(problem, weights)
    wrong, loss = {c: [] for c in range(4)}, {c: [] for c in range(4)}
    for row in range(72):
        x, y = problem.train.batch(torch.tensor([row]))
        scores = problem.model.apply(weights.params, weights.buffers, x, train=False)[0][0].double()
        wrong[int(y)].append(float(int(scores.argmax()) != int(y)))
        loss[int(y)].append(float(scores.logsumexp(0) - scores[int(y)]))
    for c in range(4):
        assert float(found["examples"][c]) == len(wrong[c])
        assert float(found["error"][c]) == pytest.approx(share(wrong[c]))
        assert float(found["loss"][c]) == pytest.approx(share(loss[c]), rel=1e-5)


def test_probabilities_of_one_logit_and_of_weighted_examples():
    draw = torch.Generator().manual_seed(0)
    x, weights = torch.randn(12, 4, generator=draw), torch.rand(12, generator=draw)
    for target, outputs, y in ((Binary(), 1, torch.arange(12) % 2), (Classes(), 3, torch.arange(12) % 3)):
        task = Task.from_module(nn.Linear(4, outputs), train=(x, y), test=(x, y), target=target, weights=weights)
        problem = task.load(Seeds(), task.data.source.load())
        state = problem.model.fresh(0)
        values = OutOfSample().measure(problem, state)
        scores = x.double() @ state.params["weight"].double().T + state.params["bias"].double()
        for row, label in enumerate(y.tolist()):
            each = [0.0, float(scores[row])] if outputs == 1 else scores[row].tolist()
            expected = math.exp(each[label]) / sum(math.exp(score) for score in each)
            assert float(values["probability"][row]) == pytest.approx(expected, rel=1e-5)
            assert int(values["prediction"][row]) == each.index(max(each))
