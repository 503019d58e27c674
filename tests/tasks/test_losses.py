import math

import pytest
import torch
from torch.func import grad, vmap

from prunescope.tasks.losses import cross_entropy, squared_error


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(7, 4, generator=generator)
    return logits, torch.randint(4, (7,), generator=generator)


def slow_cross_entropy(row, label):
    return math.log(sum(math.exp(logit) for logit in row)) - row[label]


def slow_squared_error(row, label):
    return sum((logit - (index == label)) ** 2 for index, logit in enumerate(row))


@pytest.mark.parametrize(
    ("loss", "reference"), [(cross_entropy, slow_cross_entropy), (squared_error, slow_squared_error)]
)
def test_loss_of_each_example_equals_the_sum_written_out(batch, loss, reference):
    logits, y = batch
    expected = torch.tensor([reference(*example) for example in zip(logits.tolist(), y.tolist(), strict=True)])
    torch.testing.assert_close(loss(logits, y), expected, rtol=1e-5, atol=1e-6)


def test_cross_entropy_keeps_the_small_losses_of_fitted_examples_in_float32():
    fitted = cross_entropy(torch.tensor([[1010.0, 1000.0]]), torch.tensor([0]))
    assert fitted.item() == pytest.approx(math.log1p(math.exp(-10)), abs=1e-7)


def test_cross_entropy_stays_finite_where_the_softmax_overflows():
    assert cross_entropy(torch.tensor([[0.0, 1e4]]), torch.tensor([0])).item() == 1e4


@pytest.mark.parametrize(
    ("loss", "slope"),
    [
        (cross_entropy, lambda logits, labels: logits.softmax(-1) - labels),
        (squared_error, lambda logits, labels: 2 * (logits - labels)),
    ],
)
def test_gradient_of_replicas_under_vmap_equals_the_closed_form(batch, loss, slope):
    logits, y = batch
    replicas = torch.stack([logits, -logits])
    gradients = vmap(grad(lambda each: loss(each, y).sum()))(replicas)
    torch.testing.assert_close(gradients, slope(replicas, torch.eye(4)[y]))
