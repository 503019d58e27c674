"""Eigenpairs against dense and sparse eigensolvers."""

import numpy as np
import pytest
import torch
from scipy.sparse import linalg

from prunescope.measures import Sample
from prunescope.measures.curvature import eigenpairs
from prunescope.measures.curvature.products import operator
from prunescope.measures.curvature.surface import surface


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_values(values, seed=0):
    basis, _ = torch.linalg.qr(draw(len(values), len(values), seed=seed))
    return basis @ torch.diag(values) @ basis.T


def times(matrix):
    return lambda vectors: vectors @ matrix


@pytest.mark.parametrize("count", [1, 5, 20])
def test_both_ends_of_the_spectrum_are_found_with_their_sign(count):
    values = torch.cat([torch.linspace(-3, 3, 190), torch.tensor([9.0, -8.0, 7.0, -7.5, 6.0]).double()])
    matrix = with_values(values.double())
    found = eigenpairs.top(times(matrix), draw(195, seed=1), count, tolerance=1e-12)
    expected = values.double()[values.abs().argsort(descending=True)][:count]
    if count < 20:  # beyond, values come in pairs of equal size
        assert torch.allclose(found.values, expected, rtol=1e-10)
    assert torch.allclose(found.values.abs(), expected.abs(), rtol=1e-8)
    rest = found.vectors @ matrix - found.values.unsqueeze(1) * found.vectors
    assert float(rest.norm(dim=1).max()) < 1e-9
    assert torch.allclose(found.vectors @ found.vectors.T, torch.eye(count).double(), atol=1e-9)


@pytest.mark.parametrize("rank", [1, 3, 12])
def test_a_matrix_of_low_rank_has_zeros_after_its_rank(rank):
    values = torch.zeros(40).double()
    values[:rank] = torch.arange(1, rank + 1)
    found = eigenpairs.top(times(with_values(values)), draw(40, seed=2), 10, tolerance=1e-10)
    expected = values.sort(descending=True).values[:10]
    assert torch.allclose(found.values, expected, atol=1e-9)


def test_every_eigenvalue_can_be_asked_for_and_repeated_ones_are_counted():
    values = torch.tensor([2.0, 2.0, 2.0, -1.0, 0.5]).double()
    found = eigenpairs.top(times(with_values(values)), draw(5, seed=3), 5, tolerance=1e-12)
    assert torch.allclose(found.values, values, atol=1e-10)
    more = eigenpairs.top(times(with_values(values)), draw(5, seed=3), 7, tolerance=1e-12)
    assert torch.equal(more.values[:5], found.values) and more.vectors.shape == (7, 5)
    assert not more.values[5:].any() and not more.vectors[5:].any()
    assert eigenpairs.top(times(values), values[:0], 2, tolerance=1e-6).values.tolist() == [0, 0]


def test_restarts_keep_memory_bounded_and_agree_with_scipy(monkeypatch):
    monkeypatch.setattr(eigenpairs, "BASIS_NUMBERS", 1)
    matrix = draw(400, 400, seed=4)
    matrix = (matrix + matrix.T) / 2
    widths = []

    def apply(vectors):
        widths.append(len(vectors))
        return vectors @ matrix

    found = eigenpairs.top(apply, draw(400, seed=5), 6, tolerance=1e-10)
    expected = linalg.eigsh(matrix.numpy(), k=6, which="LM", return_eigenvectors=False)
    assert eigenpairs.basis_size(6, 400) == 16 and len(widths) > 16
    assert torch.allclose(found.values.abs().sort().values, torch.tensor(expected).abs().sort().values, rtol=1e-10)


def test_power_iteration_finds_well_separated_values_only():
    values = torch.tensor([50.0, -20.0, 8.0, *([0.01] * 30)]).double()
    found, vectors = eigenpairs.deflated(times(with_values(values)), draw(33, seed=6), 3, steps=20, tolerance=1e-4)
    assert torch.allclose(found, values[:3], rtol=1e-3)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3).double())
    close = with_values(torch.linspace(1, 2, 33).double())
    rough, _ = eigenpairs.deflated(times(close), draw(33, seed=6), 3, steps=20, tolerance=1e-4)
    exact = eigenpairs.top(times(close), draw(33, seed=6), 3, tolerance=1e-10).values
    assert abs(float(rough.sum() / exact.sum()) - 1) > 1e-3


@pytest.mark.parametrize(
    ("path", "args", "least"),
    [("LeNet", {"hidden": (60, 10), "inputs": 48}, 3000), ("CifarResNet", {"depth": 8, "width": 6}, 10_000)],
)
def test_ten_pairs_of_a_network_agree_with_scipy_on_products_of_its_own(path, args, least, state, dense):
    """A pruned network: scipy's solver, and products by PyTorch's double backward through another loss."""
    problem, weights = state(f"prunescope.tasks.nets:{path}", **args)
    sample = Sample(examples=12, precision="float64")
    around = surface(problem, weights, sample)
    found = eigenpairs.top(operator(around, "hessian"), draw(around.dimension, seed=7), 10, tolerance=1e-9)
    reference = dense(problem, weights, 12)

    def product(vector):
        along = torch.from_numpy(vector.reshape(-1).copy())
        return torch.autograd.functional.hvp(reference.loss, reference.flat, along)[1].numpy()

    size = len(reference.flat)
    assert size > least and around.dimension < size
    linear = linalg.LinearOperator((size, size), matvec=product, dtype=np.float64)
    first = draw(size, seed=8).numpy()
    expected = linalg.eigsh(linear, k=10, return_eigenvectors=False, tol=1e-10, v0=first)
    assert sorted(found.values.tolist()) == pytest.approx(sorted(expected.tolist()), rel=1e-6)
