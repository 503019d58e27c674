"""Sparse products against dense ones in float64."""

import pytest
import torch
from torch import nn

from prunescope.tasks.data.source import InMemory
from prunescope.tasks.kernels import codes, jit, products
from prunescope.tasks.kernels.choice import Kernels
from prunescope.tasks.kernels.modules import ColumnLinear, OneDnnLinear, SparseLinear, has_onednn
from prunescope.tasks.kernels.tailored import tailored
from prunescope.tasks.model import Model, network

MAKINGS = ["torch", pytest.param("llvm", marks=pytest.mark.skipif(not jit.available(), reason="no llvmlite"))]
makings = pytest.mark.parametrize("making", MAKINGS)


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


@makings
@pytest.mark.parametrize("examples", [1, 3, 16, 17, 64, 128, 150, 300])
@pytest.mark.parametrize("name", MASKS)
def test_a_sparse_layer_and_its_gradients_are_those_of_the_dense_one(making, examples, name):
    mask = MASKS[name]
    layer = nn.Linear(mask.shape[1], mask.shape[0])
    pattern = products.pattern_of(mask, making)
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


@makings
def test_a_layer_without_bias_with_more_axes(making):
    mask = random_mask(6, 8, 0.4)
    layer = nn.Linear(8, 6, bias=False)
    x = drawn(3, 5, 8)
    found = SparseLinear(layer, products.pattern_of(mask, making))(x)
    torch.testing.assert_close(found, x @ (layer.weight * mask).t(), rtol=1e-5, atol=1e-5)


@makings
def test_the_same_pattern_gives_the_same_bits(making):
    mask, values, x = random_mask(50, 60, 0.2), None, drawn(60, 133)
    pattern = products.pattern_of(mask, making)
    values, g = drawn(pattern.weights, seed=2), drawn(50, 133, seed=3)
    first, again = (products.forward(pattern, values, x.clone(), None) for _ in range(2))
    assert torch.equal(first, again)
    slopes = [products.weight_gradient(pattern, g, x.clone())[0] for _ in range(2)]
    assert torch.equal(*slopes)


@makings
def test_what_is_not_a_number_stays_one(making):
    """A diverging run is known by it."""
    mask = random_mask(10, 10, 0.5)
    pattern = products.pattern_of(mask, making)
    values = drawn(pattern.weights)
    values[3] = float("nan")
    assert products.forward(pattern, values, drawn(10, 20), None).isnan().any()


def test_packing_and_unpacking_are_inverse_and_leave_others_alone():
    mask, full, other = random_mask(9, 11, 0.3), drawn(9, 11), drawn(9, 11, seed=1)
    pattern = products.pattern_of(mask, "torch")
    assert torch.equal(pattern.unpack(pattern.pack(full)), full * mask)
    assert torch.equal(pattern.unpack(pattern.pack(full), other), torch.where(mask, full, other))
    assert pattern.leaves_out(full) and not pattern.leaves_out(full * mask)


@pytest.mark.skipif(not jit.available(), reason="no llvmlite")
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


@pytest.mark.parametrize("kind", [ColumnLinear, *([OneDnnLinear] if has_onednn() else [])])
@pytest.mark.parametrize("bias", [True, False])
def test_other_dense_layers_compute_the_same(kind, bias):
    layer = nn.Linear(9, 7, bias=bias)
    x, g = drawn(2, 5, 9), drawn(2, 5, 7, seed=1)
    made = kind(layer)
    leaves = list(layer.parameters())
    x1, x2 = x.clone().requires_grad_(), x.clone().requires_grad_()
    found, wanted = made(x1), layer(x2)
    torch.testing.assert_close(found, wanted)
    for one, other in zip(
        torch.autograd.grad(found, [x1, *leaves], g),
        torch.autograd.grad(wanted, [x2, *leaves], g),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def pixels(*shape, spacing=0.1):
    drawn_ones = torch.randint(256, shape, generator=torch.Generator().manual_seed(0))
    return (drawn_ones.float() * spacing - 3.7).contiguous()


@pytest.mark.skipif(not jit.available(), reason="no llvmlite")
@pytest.mark.parametrize("examples", [1, 15, 16, 40])
def test_columns_gathered_from_bytes_are_the_very_same(examples, monkeypatch):
    monkeypatch.setattr(codes, "LARGE", 0)
    data = pixels(500, 23)
    known = codes.coded(data)
    assert torch.equal(known.numbers[known.codes.long()], data) and codes.coded(data) is known
    rows = torch.randint(500, (examples,), generator=torch.Generator().manual_seed(1))
    live = torch.tensor([0, 3, 4, 22], dtype=torch.int32)
    found, wanted = (torch.full((23, examples), -1.0) for _ in range(2))
    products.Columns(known, live, found).read(rows)
    products.Columns(data, live, wanted).read(rows)
    assert torch.equal(found, wanted)


def test_data_that_bytes_cannot_stand_for_are_left_as_they_are(monkeypatch):
    assert codes.coded(pixels(50, 10)) is None, "small data stay in a cache"
    monkeypatch.setattr(codes, "LARGE", 0)
    between, many, wide, nan = pixels(5000, 10), drawn(500, 10), pixels(500, 10), pixels(5000, 10)
    between[4500, 3] += 0.05  # a number between two others, far behind those that are looked at first
    wide[400, 2] = 1e4
    nan[4500, 3] = float("nan")
    for data in (between, many, wide, nan, torch.zeros(500, 10)):
        assert codes.coded(data) is None


@pytest.mark.skipif(not jit.available(), reason="no llvmlite")
def test_training_and_evaluation_from_bytes_give_the_same_bits(monkeypatch):
    data = pixels(300, 1, 4, 6)
    model = Model(network("prunescope.tasks.nets:LeNet", hidden=(20,), inputs=24))
    params, buffers = model.init(0)
    masks = {name: random_mask(*params[name].shape, 0.2) for name in model.maskable}
    params = {name: leaf * masks.get(name, 1) for name, leaf in params.items()}
    kernels = Kernels(sparse="llvm", train_below=1.0, evaluate_below=1.0, least=1)
    found = []
    for large in (0, 2**60):
        monkeypatch.setattr(codes, "LARGE", large)
        inputs = InMemory(data.clone())
        made = tailored(model, params, buffers, masks, kernels, train=True, probe=data[:2])
        made.fill({**made.pack(params), **made.pack(buffers)})
        rows = torch.arange(0, 300, 7)
        found.append(made.module(made.inputs(inputs, rows)))
        assert isinstance(made.columns_of(inputs, len(rows)).examples, codes.Codes) == (large == 0)
    assert torch.equal(*found)
