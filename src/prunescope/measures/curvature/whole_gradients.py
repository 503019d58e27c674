"""Squared norms of derivatives of single examples from the derivatives themselves, for any network."""

import warnings
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from prunescope.base import tree
from prunescope.base.errors import PrunescopeError
from prunescope.base.tree import Tree
from prunescope.measures.curvature.network import twice_differentiable
from prunescope.measures.curvature.surface import Surface

GRADIENT_NUMBERS = 2**25
"""Numbers of whole derivatives held at once (128 MiB in float32)."""


class Directions(NamedTuple):
    """Directions in the logits of some examples.

    most: at most so many.
    pairs: each direction u [B, C] and its factor s [B], one after the other.
    """

    most: int
    pairs: Iterable[tuple[Tensor, Tensor]]


Along = Callable[[Tensor, Tensor], Directions]
"""Logits [B, C] and labels [B] to directions."""


def whole_sums(surface: Surface, x: Tensor, y: Tensor, along: Along) -> Tree:
    """The sums of a chunk from whole derivatives: of many examples at once, or alone where the network forbids it."""
    try:
        return _vectorized(surface, x, y, along)
    except (PrunescopeError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as problem:
        _say_slow(surface.model.network.path, str(problem).partition("\n")[0])
        return sums_one_by_one(surface, x, y, along)


@cache
def _say_slow(path: str, reason: str) -> None:
    """Says once a process why a measure takes its time."""
    warnings.warn(f"{path} is differentiated one example at a time, which is slow: {reason}", stacklevel=2)


def _vectorized(surface: Surface, x: Tensor, y: Tensor, along: Along) -> Tree:
    """As many examples at once as GRADIENT_NUMBERS permits. Raises what `torch.func` does where it cannot."""

    def pulled(params: Tree, example: Tensor, direction: Tensor) -> Tensor:
        return (surface.logits(params, example.unsqueeze(0)).squeeze(0) * direction).sum()

    derivative = torch.func.vmap(torch.func.grad(pulled), in_dims=(None, 0, 0))
    with torch.no_grad():
        logits = surface.logits(surface.params, x)
    size = max(1, GRADIENT_NUMBERS // tree.size(surface.params))
    total = {name: torch.zeros(len(x), dtype=torch.float64, device=x.device) for name in surface.params}
    for direction, factor in along(logits, y).pairs:
        for rows in torch.split(torch.arange(len(x), device=x.device), size):
            with twice_differentiable(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "There is a performance drop")
                slopes = derivative(surface.params, x[rows], direction[rows])
            for name, leaf in tree.masked(slopes, surface.masks).items():
                square = leaf.flatten(1).square().sum(1).double()
                total[name][rows] += factor[rows].double() * square
    return total


def sums_one_by_one(surface: Surface, x: Tensor, y: Tensor, along: Along) -> Tree:
    """One example after the other, by `torch.autograd`."""
    total = {name: torch.zeros(len(x), dtype=torch.float64, device=x.device) for name in surface.params}
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in surface.params.items()}
    shape = (1, *surface.outputs)  # asked for before, as it takes a pass with other tensors
    for row in range(len(x)):
        logits = surface.logits(leaves, x[row : row + 1]).reshape(shape)
        directions = along(logits.detach(), y[row : row + 1])
        for direction, factor in directions.pairs if logits.requires_grad else ():
            slopes = torch.autograd.grad(
                logits, list(leaves.values()), direction, retain_graph=True, allow_unused=True
            )
            slope = {
                name: leaf.to_dense() for name, leaf in zip(leaves, slopes, strict=True) if leaf is not None
            }
            for name, leaf in tree.masked(slope, surface.masks).items():
                total[name][row] += factor[0].double() * leaf.square().sum().double()
    return total
