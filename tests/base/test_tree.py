"""Trees against NumPy in float64."""

import numpy as np
import pytest
import torch

from prunescope.base import tree
from prunescope.base.state import TrainState, Weights
from prunescope.base.streams import stream

SHAPES = {"b": (3, 4), "a": (5,), "c": (2, 1, 2)}


def make(name: str, dtype: torch.dtype = torch.float32) -> tree.Tree:
    generator = stream(0, name)
    return {key: torch.randn(shape, generator=generator).to(dtype) for key, shape in SHAPES.items()}


def flat(leaves: tree.Tree) -> np.ndarray:
    return np.concatenate([leaf.double().numpy().ravel() for leaf in leaves.values()])


def test_dot_norm_and_size():
    left, right = make("left"), make("right")
    assert float(tree.dot(left, right)) == pytest.approx(float(flat(left) @ flat(right)), rel=1e-5)
    assert float(tree.norm(left)) == pytest.approx(float(np.linalg.norm(flat(left))), rel=1e-6)
    assert tree.size(left) == 21 and tree.dot(left, right).ndim == 0


def test_map_goes_by_name_not_by_order():
    left, right = make("left"), make("right")
    backwards = dict(reversed(right.items()))
    summed = tree.tree_map(torch.add, left, backwards)
    assert list(summed) == list(left)
    np.testing.assert_array_equal(flat(summed), flat(tree.tree_map(torch.add, left, right)))
    assert float(tree.dot(left, backwards)) == float(tree.dot(left, right))


def test_masked_sets_exactly_zero_and_passes_the_rest_through():
    leaves = make("left")
    leaves["b"][0, 0] = float("inf")
    masks = {"b": torch.zeros(3, 4, dtype=torch.bool), "a": torch.tensor([True, False, True, True, False])}
    before = tree.clone(leaves)
    out = tree.masked(leaves, masks)
    assert out["b"].abs().max() == 0 and out["c"] is leaves["c"]
    np.testing.assert_array_equal(out["a"].numpy(), leaves["a"].numpy() * [1, 0, 1, 1, 0])
    assert tree.equal(leaves, before)


def test_kept_and_sparsity_count():
    masks = {name: leaf > 0 for name, leaf in make("mask").items()}
    ones = sum(int(mask.numpy().sum()) for mask in masks.values())
    assert tree.kept(masks) == ones
    assert tree.sparsity(masks) == pytest.approx(1 - ones / 21, abs=1e-15)
    assert tree.sparsity({}) == 0.0


def test_a_stack_has_its_trees_along_the_first_axis():
    members = [make("one"), make("two"), make("three")]
    stacked = tree.stack(members)
    assert stacked["b"].shape == (3, 3, 4)
    for k, member in enumerate(members):
        assert tree.equal({name: leaf[k] for name, leaf in stacked.items()}, member)


def test_clone_shares_nothing():
    leaves = {"w": torch.ones(3, requires_grad=True)}
    copied = tree.clone(leaves)
    copied["w"].zero_()
    assert leaves["w"].detach().tolist() == [1, 1, 1] and not copied["w"].requires_grad
    assert tree.to(leaves, "cpu")["w"] is leaves["w"]


def test_equal_sees_names_bits_and_types():
    leaves = make("left")
    assert tree.equal(leaves, tree.clone(leaves))
    assert not tree.equal(leaves, {**leaves, "d": torch.zeros(1)})
    assert not tree.equal(leaves, {**leaves, "a": leaves["a"].double()})
    assert not tree.equal(leaves, {**leaves, "a": torch.nextafter(leaves["a"], leaves["a"] + 1)})


def test_free_is_kept_and_not_held():
    masks = {"b": torch.tensor([True, True, False, False]), "a": torch.tensor([True, False])}
    held = {"b": torch.tensor([True, False, True, False])}
    weights = Weights({"b": torch.zeros(4), "a": torch.zeros(2)}, {}, masks)
    state = TrainState(0, 0, weights, held=held)
    assert {name: leaf.tolist() for name, leaf in state.free.items()} == {
        "b": [False, True, False, False],
        "a": [True, False],
    }
    assert weights.sparsity == 0.5
    assert state.replace(step=3).step == 3 and state.step == 0
    assert weights.replace(masks={}).masks == {} and weights.masks is masks
