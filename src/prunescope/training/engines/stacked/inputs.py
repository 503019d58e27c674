"""Inputs of a stack that stay the same from step to step: prepared once.

Where a batch is the whole training split, the first layer sees the same numbers at every step. In the theory's data
half of the patches hold one number each, so half of the product is multiplication by zero.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

LANES = 16
"""Numbers that a processor takes at once: loops over multiples of it have no slow rest."""
LONE_SHARE = 1 / 16
"""A column is taken apart if at most this share of its numbers are not 0."""


@dataclass(frozen=True)
class Fixed:
    """Inputs of R members at B columns, split into full columns and lone numbers.

    x: the inputs as the network gets them, [R, ..., I] with B columns in between.
    order: int32 [R, B], the columns in an order that has the D full ones in front; D = B where nothing is taken apart.
    full: [R, I, D], the full columns.
    count: int32 [R], lone numbers of each member in the other columns.
    index, column, value: [R, most], at which input, at which place of the order, and what; by input.
    start: int32 [R, I + 1], where those of each input begin.
    """

    x: Tensor
    order: Tensor
    full: Tensor
    count: Tensor
    index: Tensor
    column: Tensor
    value: Tensor
    start: Tensor

    @property
    def split(self) -> bool:
        """Whether any column is taken apart."""
        return self.full.shape[2] < self.order.shape[1]

    def without(self, row: int, x: Tensor) -> "Fixed":
        """The inputs of the other members, whose `x` is given; the last takes the place of the one that leaves."""
        others = {
            part.name: without(getattr(self, part.name), row) for part in fields(self) if part.name != "x"
        }
        return Fixed(x=x, **others)


def without(tensor: Tensor, row: int) -> Tensor:
    """The first axis without one row, whose place the last one takes; in place, so nobody else may hold it."""
    last = len(tensor) - 1
    if row != last:
        tensor[row] = tensor[last]
    return tensor[:last]


def fixed(x: Tensor) -> Fixed:
    """Prepares inputs [R, ..., I]."""
    columns = x.flatten(1, -2).transpose(1, 2)
    R, inputs, B = columns.shape
    filled = (columns != 0).sum(1)
    lone = filled <= LONE_SHARE * inputs
    D = int((B - lone.sum(1)).max())
    D = min(B, -(-D // LANES) * LANES)
    if 4 * D > 3 * B:  # too few to be worth it
        D, lone = B, torch.zeros_like(lone)
    # Full columns first; a member that has fewer of them than another fills up with columns of lone numbers.
    order = lone.to(torch.int8).argsort(dim=1, stable=True)
    ordered = columns.gather(2, order[:, None, :].expand(R, inputs, B))
    full, alone = ordered[:, :, :D].contiguous(), ordered[:, :, D:]
    count = (alone != 0).sum((1, 2))
    most = max(1, int(count.max()))
    index, column = torch.zeros(2, R, most, dtype=torch.int32)
    value = torch.zeros(R, most)
    start = torch.zeros(R, inputs + 1, dtype=torch.int32)
    for r in range(R):
        i, c = alone[r].nonzero(as_tuple=True)
        index[r, : len(i)], column[r, : len(i)], value[r, : len(i)] = i.int(), D + c.int(), alone[r, i, c]
        start[r, 1:] = torch.bincount(i, minlength=inputs).cumsum(0)
    return Fixed(x, order.int().contiguous(), full, count.int(), index, column, value, start)
