"""EL2N, GraNd and halves against loops over single examples; combinations of readings."""

import math

import numpy as np
import pytest
import torch

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.streams import Seeds
from prunescope.measures import EL2N, GraNd, Halves, combine
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task


def load(path="prunescope.tasks.nets:CifarResNet", **args):
    net = network(path, classes=3, **args)
    source = synthetic(classes=3, shape=(3, 8, 8), train=24, test=9, separation=2.0)
    return Task(network=net, data=Data(source=source, label_noise=0.25)).load(Seeds(), source.load())


@pytest.fixture(scope="module")
def problem():
    return load(depth=8, width=2)


@pytest.fixture(scope="module")
def weights(problem):
    params, buffers = problem.model.init(0)
    x, _ = problem.train.batch(torch.arange(24))
    _, buffers = problem.model.apply(params, buffers, x, train=True)
    masks = {name: params[name] > -0.1 for name in params if name in problem.model.maskable}
    return Weights(tree.masked(params, masks), buffers, masks)


def test_el2n_is_the_distance_to_the_label_used(problem, weights):
    found = EL2N(split="train").measure(problem, weights)["el2n"].tolist()
    for row in range(24):
        x, y = problem.train.batch(torch.tensor([row]))
        scores = problem.model.apply(weights.params, weights.buffers, x, train=False)[0][0].double().tolist()
        total = sum(math.exp(s) for s in scores)
        error = [math.exp(s) / total - (c == int(y)) for c, s in enumerate(scores)]
        assert found[row] == pytest.approx(math.hypot(*error), rel=1e-4)
    assert bool(problem.train.noisy.any()) and min(found) >= 0 and max(found) <= math.sqrt(2) + 1e-6


def test_el2n_keeps_its_digits_where_examples_are_fitted_well():
    y, margins = torch.arange(20) % 2, torch.linspace(1, 30, 20)
    x = torch.where(torch.arange(3) == y[:, None], margins[:, None], torch.tensor([0.0, 0.0, 1.0]))
    task = Task.from_module(
        lambda: torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(3, 3)), train=(x, y), test=(x, y)
    )
    loaded = task.load(Seeds(), task.data.source.load())
    weights = loaded.model.fresh(0).replace(params={"1.weight": torch.eye(3), "1.bias": torch.zeros(3)})
    found = EL2N(split="train").measure(loaded, weights)["el2n"].tolist()
    for row, label, el2n in zip(x.double().tolist(), y.tolist(), found, strict=True):
        others = [math.exp(score - row[label]) for place, score in enumerate(row) if place != label]
        total = 1 + sum(others)
        assert el2n == pytest.approx(math.hypot(*others, sum(others)) / total, rel=1e-5)


def test_grand_is_the_gradient_norm_over_kept_weights(problem, weights, monkeypatch):
    from prunescope.measures import gradient_trace

    monkeypatch.setattr(gradient_trace, "CHUNK", 7)  # examples a pass, so that passes are joined
    with torch.no_grad():  # as the workbench calls it
        found = GraNd(split="train").measure(problem, weights)["grand"]
    for row in range(24):
        x, y = problem.train.batch(torch.tensor([row]))
        leaves = {name: leaf.clone().requires_grad_() for name, leaf in weights.params.items()}
        scores, _ = problem.model.apply(leaves, weights.buffers, x, train=False)
        slopes = torch.autograd.grad(problem.loss(scores, y).sum(), list(leaves.values()))
        kept = tree.masked(dict(zip(leaves, slopes, strict=True)), weights.masks)
        assert float(found[row]) == pytest.approx(float(tree.norm(kept)), rel=1e-4)
        whole = float(tree.norm(dict(zip(leaves, slopes, strict=True))))
        assert float(found[row]) < whole


def test_halves_alternate_and_average_to_the_whole(problem, weights):
    found = Halves(split="train").measure(problem, weights)
    x, y = problem.train.batch(torch.arange(24))
    wrong = problem.model.apply(weights.params, weights.buffers, x, train=False)[0].argmax(1) != y
    assert float(found["even_error"]) == pytest.approx(sum(wrong[0::2].tolist()) / 12)
    assert float(found["odd_error"]) == pytest.approx(sum(wrong[1::2].tolist()) / 12)


def test_an_ensemble_is_the_mean_of_its_members():
    members = [{"el2n": np.array([0.0, 1.0], dtype=np.float32)}, {"el2n": np.array([1.0, 1.0])}]
    assert combine.mean(members)["el2n"].tolist() == [0.5, 1.0]
    with pytest.raises(UsageError, match="2 kinds"):
        combine.mean([{"el2n": np.zeros(2)}, {"el2n": np.zeros(3)}])


def test_forgetting_counts_falls_from_right_to_wrong():
    seen = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 0, 0]], dtype=bool)
    found = combine.forgetting([{"correct": row} for row in seen])
    assert found["forgotten"].tolist() == [1, 1, 1, 0]
    assert found["learned"].tolist() == [True, True, True, False]
    assert found["last"].tolist() == [True, True, False, False]


def test_differences_are_of_the_first_reading():
    one, two = {"loss": np.array([1.0, 2.0])}, {"loss": np.array([0.5, 3.0])}
    assert combine.difference([one, two])["difference"].tolist() == [0.5, -1.0]
