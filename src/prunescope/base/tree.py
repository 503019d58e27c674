"""Algebra of trees: plain dictionaries of tensors, keyed by parameter name."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

Tree = dict[str, Tensor]
Masks = dict[str, Tensor]
"""Boolean tensors, True = kept. A name that is absent is not maskable."""


def tree_map(function: Callable[..., Tensor], tree: Tree, *others: Tree) -> Tree:
    """The tree of function(leaf, *leaves of the others), name by name; every tree has the names of the first.

    >>> tree_map(torch.add, {"w": torch.ones(2)}, {"w": torch.ones(2)})["w"].tolist()
    [2.0, 2.0]
    """
    return {name: function(leaf, *(other[name] for other in others)) for name, leaf in tree.items()}


def masked(tree: Tree, masks: Masks) -> Tree:
    """The tree with removed entries at exactly 0; leaves without a mask are returned as they are."""
    return {name: leaf.masked_fill(~masks[name], 0.0) if name in masks else leaf for name, leaf in tree.items()}


def clone(tree: Mapping[str, Tensor]) -> Tree:
    """A copy of the tree that shares neither memory nor an autograd graph with it."""
    return {name: leaf.detach().clone() for name, leaf in tree.items()}


def to(tree: Mapping[str, Tensor], device: torch.device | str) -> Tree:
    """The tree on another device."""
    return {name: leaf.to(device) for name, leaf in tree.items()}


def size(tree: Mapping[str, Tensor]) -> int:
    """Number of entries in all leaves."""
    return sum(leaf.numel() for leaf in tree.values())


def kept(masks: Masks) -> int:
    """Number of True entries in all masks: the remaining weights."""
    return sum(int(mask.sum()) for mask in masks.values())


def sparsity(masks: Masks) -> float:
    """Zeros over maskable weights, excluded layers included in the count; 0 for a network without masks."""
    total = size(masks)
    return 1.0 - kept(masks) / total if total else 0.0


def leaves_of(tree: Tree) -> Tree:
    """The same tensors as leaves of a new autograd graph."""
    return {name: leaf.detach().requires_grad_() for name, leaf in tree.items()}


def slope(value: Tensor, leaves: Tree, *, differentiable: bool = False, kept: bool = False) -> Tree:
    """The gradient of a 0-D tensor, 0 for a leaf that it does not depend on.

    differentiable: whether the gradient can be differentiated again.
    kept: whether the graph is, so that it can be asked once more.
    """
    if not value.requires_grad:
        return tree_map(torch.zeros_like, leaves)
    again, every = differentiable or kept, list(leaves.values())
    grads = torch.autograd.grad(value, every, allow_unused=True, create_graph=differentiable, retain_graph=again)
    return {
        name: torch.zeros_like(leaf) if grad is None else grad.to_dense() if grad.is_sparse else grad
        for (name, leaf), grad in zip(leaves.items(), grads, strict=True)
    }


def dot(left: Tree, right: Tree) -> Tensor:
    """Sum over all leaves of the elementwise product, a 0-D tensor."""
    return torch.stack([(leaf * right[name]).sum() for name, leaf in left.items()]).sum()


def norm(tree: Tree) -> Tensor:
    """Euclidean norm of all leaves taken as one vector, a 0-D tensor."""
    return dot(tree, tree).sqrt()


def stack(trees: Iterable[Tree]) -> Tree:
    """The trees of R replicas, which have equal names and shapes, as one tree of tensors [R, ...]."""
    replicas = list(trees)
    return {name: torch.stack([replica[name] for replica in replicas]) for name in replicas[0]}


def equal(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    """Whether two trees have the same names and the same bits."""
    return left.keys() == right.keys() and all(
        leaf.dtype == right[name].dtype and torch.equal(leaf, right[name]) for name, leaf in left.items()
    )
