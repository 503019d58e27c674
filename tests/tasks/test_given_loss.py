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


def normalized(x: Tensor) -> Tensor:
    return x.exp() / x.exp().sum(1, keepdim=True)


class Ends(nn.Module):
    """A layer and what a forward pass does to its outputs, in evaluation mode or always."""

    def __init__(self, outputs: int, end, always: bool = True) -> None:
        super().__init__()
        self.layer, self.end, self.always = nn.Linear(5, outputs), end, always

    def forward(self, x: Tensor) -> Tensor:
        logits = self.layer(x)
        return self.end(logits) if self.always or not self.training else logits


BITS, MANY, TOKENS = (Y == 0).float(), torch.stack([Y == 0, Y == 1], 1).float(), torch.stack([Y, Y], 1)


@pytest.mark.parametrize(
    ("outputs", "end", "always", "y", "target"),
    [
        (3, partial(torch.softmax, dim=1), True, Y, ps.Classes()),
        (3, normalized, False, Y, ps.Classes()),
        (3, torch.sigmoid, False, Y, ps.Classes()),
        (1, lambda x: torch.sigmoid(x).squeeze(1), True, BITS, ps.Binary()),
        (1, lambda x: torch.sigmoid(x).clamp(1e-6, 1 - 1e-6), False, BITS, ps.Binary()),
        (2, torch.sigmoid, True, MANY, ps.MultiLabel()),
        (6, lambda x: x.view(-1, 2, 3).softmax(2), True, TOKENS, ps.Sequence(classes_at="last")),
    ],
)
def test_probabilities_where_logits_belong_are_refused(outputs, end, always, y, target):
    made = ps.Task.from_module(Ends(outputs, end, always), train=(X, y), test=(X, y), target=target)
    with pytest.raises(UsageError, match=r"returns probabilities in .* leave s\w+ out of forward\(\), or wrap"):
        ps.inspect(recipe(made))


@pytest.mark.parametrize(
    ("outputs", "end", "y", "target"),
    [
        (3, partial(torch.log_softmax, dim=1), Y, ps.Classes()),
        (1, lambda x: torch.logit(torch.sigmoid(x)), BITS, ps.Binary()),
        (1, lambda x: 0.5 + x.clamp(-0.4, 0.4), BITS, ps.Binary()),
        (1, torch.sigmoid, BITS, ps.Regression()),
    ],
)
def test_their_logarithms_small_logits_and_numbers_are_none(outputs, end, y, target):
    made = ps.Task.from_module(Ends(outputs, end), train=(X, y), test=(X, y), target=target)
    assert ps.inspect(recipe(made)).outputs == outputs
