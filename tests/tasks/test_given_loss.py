"""A loss that is given as a function, and what shows that a loss or a network cannot be trained by it."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import prunescope as ps
from prunescope.base.errors import UsageError

X = torch.randn(24, 5, generator=torch.Generator().manual_seed(0))
Y = torch.arange(24) % 3


def focal(logits: Tensor, y: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss of each example."""
    right = F.log_softmax(logits, 1).gather(1, y[:, None])[:, 0]
    return -((1 - right.exp()) ** gamma) * right


def cut_off(logits: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(logits.detach(), y, reduction="none")


def linear() -> nn.Module:
    return nn.Linear(5, 3)


def with_softmax() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 3), nn.Softmax(1))


def drawn_by_numpy() -> nn.Module:
    layer = nn.Linear(5, 3)
    layer.weight.data = torch.tensor(np.random.default_rng().normal(size=(3, 5)), dtype=torch.float32)
    return layer


class Detached(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).detach()


def task(network=linear, **others):
    return ps.Task.from_module(network, train=(X, Y), test=(X, Y), **others)


def recipe(task):
    return ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=8, length="1ep")


def final_loss(task, tmp_path):
    node = ps.Reading(measure=ps.Risk(split="test"), state=ps.final(recipe(task)))
    return float(ps.ensure([node], store=tmp_path, workers=1)[node]["loss"])


def test_a_function_and_its_path_are_the_same_loss(tmp_path):
    path = f"{focal.__module__}:focal"
    assert task(loss=focal) == task(loss=path)
    assert task(loss=partial(focal, gamma=3.0)) == task(loss=path, loss_args={"gamma": 3.0})
    assert len({task(loss=loss).id for loss in (None, focal, partial(focal, gamma=3.0))}) == 3
    assert final_loss(task(loss=focal), tmp_path) != final_loss(task(loss=partial(focal, gamma=3.0)), tmp_path)


def test_a_loss_of_torch_needs_no_function_of_its_own(tmp_path):
    given = task(loss=F.cross_entropy, loss_args={"reduction": "none"})
    assert final_loss(given, tmp_path) == pytest.approx(final_loss(task(), tmp_path), rel=1e-6)


@pytest.mark.parametrize(
    "loss", [lambda logits, y: focal(logits, y), nn.CrossEntropyLoss(reduction="none"), nn.CrossEntropyLoss, 5]
)
def test_a_loss_without_a_name_is_refused(loss):
    with pytest.raises(UsageError, match="no name that it can be imported by"):
        task(loss=loss)


@pytest.mark.parametrize(("network", "loss"), [(linear, cut_off), (partial(Detached, 5, 3), None)])
def test_what_no_gradient_reaches_is_refused_before_it_trains(network, loss, tmp_path):
    with pytest.raises(UsageError, match="no gradient of loss"):
        final_loss(task(network, loss=loss), tmp_path)


def test_a_network_that_is_drawn_without_the_seed_is_refused(tmp_path):
    with pytest.raises(UsageError, match="builds another network each time from the same seed"):
        final_loss(task(drawn_by_numpy), tmp_path)


def test_probabilities_where_logits_belong_are_said():
    assert "leave softmax or sigmoid out" in ps.inspect(recipe(task(with_softmax))).sentence
    assert "softmax" not in ps.inspect(recipe(task())).sentence
