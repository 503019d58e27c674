"""One pass over a split against one example at a time."""

import math

import pytest
import torch
from torch import nn

from prunescope.base.state import Weights
from prunescope.base.streams import Seeds
from prunescope.tasks import evaluation
from prunescope.tasks.data.synthetic import synthetic
from prunescope.tasks.model import network
from prunescope.tasks.targets import Binary
from prunescope.tasks.task import Data, Task


@pytest.fixture(scope="module")
def problem():
    source = synthetic(classes=4, shape=(3, 8, 8), train=60, test=25)
    net = network("prunescope.tasks.nets:CifarResNet", depth=8, width=2, classes=4)
    return Task(network=net, data=Data(source=source, label_noise=0.2)).load(Seeds(), source.load())


@pytest.fixture(scope="module")
def weights(problem):
    params, buffers = problem.model.init(0)
    x, _ = problem.train.batch(torch.arange(60))
    return Weights(params, problem.model.apply(params, buffers, x, train=True)[1], {})


@pytest.mark.parametrize("name", ["train", "test"])
def test_evaluation_equals_a_loop_over_examples(problem, weights, name, monkeypatch):
    split = problem.split(name)
    seen = evaluation.evaluate(problem, weights, split)
    losses, wrong = [], 0
    for row in range(len(split)):
        x, y = split.batch(torch.tensor([row]))
        scores = problem.model.apply(weights.params, weights.buffers, x, train=False)[0][0].double().tolist()
        losses.append(math.log(sum(math.exp(s) for s in scores)) - scores[int(y)])
        wrong += scores.index(max(scores)) != int(y)
    assert seen.loss.tolist() == pytest.approx(losses, rel=1e-4, abs=1e-6)
    assert seen.risk == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert seen.error == pytest.approx(wrong / len(split), abs=1e-12)
    assert seen.loss.dtype == torch.float32 and seen.y is split.y
    monkeypatch.setattr(evaluation, "BATCH", 7)
    torch.testing.assert_close(evaluation.evaluate(problem, weights, split).loss, seen.loss)


class OneLogit(nn.Module):
    """One number an example, without a dimension for it; of negative inputs none."""

    def __init__(self):
        super().__init__()
        self.logit = nn.Linear(4, 1)

    def forward(self, x):
        return self.logit(x).flatten() + x.sum(1).sqrt()


def test_only_an_output_that_is_no_number_makes_its_error_none():
    x, y = torch.ones(6, 4), torch.tensor([0.0, 1, 0, 1, 0, 1])
    task = Task.from_module(OneLogit, train=(x, y), test=(torch.cat([x, -x]), torch.cat([y, y])), target=Binary())
    problem = task.load(Seeds(), task.data.source.load())
    seen = evaluation.evaluate(problem, problem.model.fresh(0), problem.test)
    assert seen.wrong.isnan().tolist() == [False] * 6 + [True] * 6
