"""Squared norms of derivatives of single examples: sums_k s_ik |J_i^T u_ik|^2, by parameter.

u_ik [C] are directions in the logits of example i, s_ik their factors; which ones is up to the measure.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice

import torch
from torch import Tensor

from prunescope.base import tree
from prunescope.base.errors import PrunescopeError
from prunescope.base.tree import Tree
from prunescope.measures.curvature.surface import Surface, require_separate
from prunescope.tasks.twice import twice_differentiable

GRADIENT_NUMBERS = 2**25
"""Numbers of whole derivatives held at once (128 MiB in float32)."""
AT_ONCE = 16
"""Directions that share a forward pass."""
Directions = Iterator[tuple[Tensor, Tensor]]
"""Directions u [B, C] in the logits of some examples, each with its factors s [B, *shape], one after the other."""
Along = Callable[[Tensor, Tensor], Directions]
"""Logits [B, C] and labels [B] to directions."""
Batches = Iterable[tuple[Tensor, Tensor]]


@torch.enable_grad()
def sums(surface: Surface, along: Along, batches: Batches | None = None, shape: Sequence[int] = ()) -> Tree:
    """The sums of every example by parameter, float64 [N, *shape], over kept entries.

    batches: inputs and labels to take instead of the surface's sample.
    shape: of an example's factor, where several sums are made of the same directions.
    Memory: whole derivatives of as many examples as `GRADIENT_NUMBERS` permits.
    Raises: UsageError where examples mix.
    """
    require_separate(surface)
    parts: list[Tree] = []
    for x, y in surface.chunks() if batches is None else batches:
        parts.append(_of_chunk(surface, x, y, along, shape))
        surface.beat()
    return {name: torch.cat([part[name] for part in parts]) for name in surface.params}


def _of_chunk(surface: Surface, x: Tensor, y: Tensor, along: Along, shape: Sequence[int]) -> Tree:
    """Of many examples at once, or one by one where the network forbids it."""
    try:
        return _vectorized(surface, x, y, along, shape)
    except (PrunescopeError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as problem:
        _say_slow(surface.model.network.path, str(problem).partition("\n")[0])
        return _one_by_one(surface, x, y, along, shape)


@cache
def _say_slow(path: str, reason: str) -> None:
    """Says once a process why a measure takes its time."""
    warnings.warn(f"{path} is differentiated one example at a time, which is slow: {reason}", stacklevel=2)


def _vectorized(surface: Surface, x: Tensor, y: Tensor, along: Along, shape: Sequence[int]) -> Tree:
    """As many examples at once as GRADIENT_NUMBERS permits. Raises what `torch.func` does where it cannot."""

    def squares(params: Tree, example: Tensor, directions: tuple[Tensor, ...]) -> list[Tree]:
        pull = torch.func.vjp(lambda at: surface.logits(at, example.unsqueeze(0)).squeeze(0), params)[1]
        slopes = (tree.masked(pull(direction)[0], surface.masks) for direction in directions)
        return [tree.tree_map(lambda leaf: leaf.square().sum(), slope) for slope in slopes]

    many = torch.func.vmap(squares, in_dims=(None, 0, 0))
    with torch.no_grad():
        logits = surface.logits(surface.params, x)
    size = max(1, GRADIENT_NUMBERS // tree.size(surface.params))
    total, pairs = _zeros(surface, x, shape), along(logits, y)
    while some := list(islice(pairs, AT_ONCE)):
        for rows in torch.split(torch.arange(len(x), device=x.device), size):
            with twice_differentiable(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "There is a performance drop")
                found = many(surface.params, x[rows], tuple(direction[rows] for direction, _ in some))
            for (_, factor), squared in zip(some, found, strict=True):
                for name, square in squared.items():
                    total[name][rows] += factor[rows].double() * square.double().view(-1, *(1 for _ in shape))
    return total


def _one_by_one(surface: Surface, x: Tensor, y: Tensor, along: Along, shape: Sequence[int]) -> Tree:
    """One example after the other, by `torch.autograd`."""
    total, leaves = _zeros(surface, x, shape), tree.leaves_of(surface.params)
    outputs = (1, *surface.outputs)  # asked for before, as it takes a pass with other tensors
    for row in range(len(x)):
        logits = surface.logits(leaves, x[row : row + 1]).reshape(outputs)
        for direction, factor in along(logits.detach(), y[row : row + 1]) if logits.requires_grad else ():
            slopes = torch.autograd.grad(logits, list(leaves.values()), direction, retain_graph=True, allow_unused=True)
            slope = {name: leaf.to_dense() for name, leaf in zip(leaves, slopes, strict=True) if leaf is not None}
            for name, leaf in tree.masked(slope, surface.masks).items():
                total[name][row] += factor[0].double() * leaf.square().sum().double()
    return total


def _zeros(surface: Surface, x: Tensor, shape: Sequence[int]) -> Tree:
    return {name: torch.zeros(len(x), *shape, dtype=torch.float64, device=x.device) for name in surface.params}
