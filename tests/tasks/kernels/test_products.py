"""Sparse products against dense ones in float64."""

import pytest
import torch
from torch import nn

from prunescope.tasks.kernels import jit, products
from prunescope.tasks.kernels.products import SparseLinear

pytestmark = pytest.mark.skipif(not jit.available(), reason="no numba")


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_mask(out, inputs, density, seed=0):
    mask = torch.rand(out, inputs, generator=torch.Generator().manual_seed(seed)) < density
    mask[0, 0] = True
    return mask


def one_weight():
    mask = torch.zeros(5, 7, dtype=torch.bool)
    mask[3, 2] = True
    return mask


def empty_rows():
    mask = random_mask(20, 30, 0.3)
    mask[4:11], mask[:, 17:] = False, False
    return mask


MASKS = {
    "dense": torch.ones(6, 9, dtype=torch.bool),
    "one weight": one_weight(),
    "empty rows and columns": empty_rows(),
    "one output": random_mask(1, 40, 0.5),
    "one input": random_mask(40, 1, 0.5),
    "large": random_mask(70, 90, 0.1),
    "very sparse": random_mask(70, 90, 0.001),
}


@pytest.mark.parametrize("examples", [1, 3, 16, 17, 64, 128, 150, 300])
@pytest.mark.parametrize("name", MASKS)
def test_a_sparse_layer_and_its_gradients_are_those_of_the_dense_one(examples, name):
    mask = MASKS[name]
    layer = nn.Linear(mask.shape[1], mask.shape[0])
    pattern = products.pattern_of(mask)
    sparse, dense = SparseLinear(layer, pattern), nn.Linear(mask.shape[1], mask.shape[0]).double()
    dense.weight.data, dense.bias.data = layer.weight.detach().double() * mask, layer.bias.detach().double()
    x, g = drawn(examples, mask.shape[1]), drawn(examples, mask.shape[0], seed=1)
    x1, x2 = x.clone().requires_grad_(), x.double().requires_grad_()
    values, bias = sparse.weight.detach().requires_grad_(), layer.bias.detach().requires_grad_()
    sparse._parameters.update(weight=values, bias=bias)
    y1, y2 = sparse(x1), dense(x2)
    torch.testing.assert_close(y1.double(), y2, rtol=1e-5, atol=1e-5)
    found = torch.autograd.grad(y1, (x1, values, bias), g)
    wanted = torch.autograd.grad(y2, (x2, dense.weight, dense.bias), g.double())
    close = {"rtol": 1e-5, "atol": 1e-5 * examples**0.5}
    torch.testing.assert_close(found[0].double(), wanted[0], **close)
    torch.testing.assert_close(found[1].double(), wanted[1][mask], **close)
    torch.testing.assert_close(found[2].double(), wanted[2], **close)


def test_a_layer_without_bias_with_more_axes():
    mask = random_mask(6, 8, 0.4)
    layer = nn.Linear(8, 6, bias=False)
    x = drawn(3, 5, 8)
    found = SparseLinear(layer, products.pattern_of(mask))(x)
    torch.testing.assert_close(found, x @ (layer.weight * mask).t(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 9), (5, 2, 9)])
def test_what_comes_after_may_work_in_place(shape):
    """As nn.ReLU(inplace=True) does in many classifiers."""
    mask, layer, x = random_mask(6, 9, 0.5), nn.Linear(9, 6), drawn(*shape)
    sparse = SparseLinear(layer, products.pattern_of(mask))
    values = sparse.weight.detach().requires_grad_()
    sparse._parameters["weight"] = values
    weight = (layer.weight.detach().double() * mask).requires_grad_()
    ends = sparse(x).relu_().square(), (x.double() @ weight.T + layer.bias.detach().double()).relu().square()
    torch.testing.assert_close(ends[0].double(), ends[1], rtol=1e-5, atol=1e-5)
    for end in ends:
        end.sum().backward()
    torch.testing.assert_close(values.grad.double(), weight.grad[mask], rtol=1e-5, atol=1e-5)


def test_the_same_pattern_gives_the_same_bits():
    mask, values, x = random_mask(50, 60, 0.2), None, drawn(60, 133)
    pattern = products.pattern_of(mask)
    values, g = drawn(pattern.weights, seed=2), drawn(50, 133, seed=3)
    first, again = (products.forward(pattern, values, x.clone(), None) for _ in range(2))
    assert torch.equal(first, again)
    slopes = [products.weight_gradient(pattern, g, x.clone())[0] for _ in range(2)]
    assert torch.equal(*slopes)


def test_what_is_not_a_number_stays_one():
    """A diverging run is known by it."""
    mask = random_mask(10, 10, 0.5)
    pattern = products.pattern_of(mask)
    values = drawn(pattern.weights)
    values[3] = float("nan")
    assert products.forward(pattern, values, drawn(10, 20), None).isnan().any()


def test_packing_and_unpacking_are_inverse_and_leave_others_alone():
    mask, full, other = random_mask(9, 11, 0.3), drawn(9, 11), drawn(9, 11, seed=1)
    pattern = products.pattern_of(mask)
    assert torch.equal(pattern.unpack(pattern.pack(full)), full * mask)
    assert torch.equal(pattern.unpack(pattern.pack(full), other), torch.where(mask, full, other))
    assert pattern.leaves_out(full) and not pattern.leaves_out(full * mask)


@pytest.mark.parametrize("examples", [1, 15, 16, 40])
def test_gathered_columns_are_the_examples(examples):
    data = drawn(100, 23)
    rows = torch.randint(100, (examples,), generator=torch.Generator().manual_seed(0))
    live = torch.tensor([0, 3, 4, 22], dtype=torch.int32)
    into = torch.full((23, examples), -1.0)
    assert products.Columns(data, live, into).read(rows) is into
    assert torch.equal(into[live.long()], data[rows].t()[live.long()])
    others = [i for i in range(23) if i not in live.tolist()]
    assert bool((into[others] == -1).all())
