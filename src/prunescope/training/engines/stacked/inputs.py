"""Inputs of a stack that stay the same from step to step: prepared once.

Belongs here: which columns of them hold next to nothing. Does not belong here: products (`linear.py`).

Where a batch is the whole training split, the first layer sees the same numbers at every step. In the theory's data
half of the patches hold one number each, so half of the product is multiplication by zero.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

LONE_SHARE = 1 / 16
"""A column is taken apart if at most this share of its numbers are not 0."""


@dataclass(frozen=True)
class Fixed:
    """Inputs of R members at B columns, split into full columns and lone numbers.

    x: the inputs as the network gets them, [R, ..., I] with B columns in between. columns: [R, I, B], the same
    features first. full: [R, I, D], the columns that are taken as they are, at place: int32 [R, D]. count: int32 [R],
    lone numbers of each member. index, column, value: [R, most], where they are and what. start: int32 [R, I + 1],
    where those of each input begin, as they are ordered by input. D = B where nothing is taken apart.
    """

    x: Tensor
    columns: Tensor
    full: Tensor
    place: Tensor
    count: Tensor
    index: Tensor
    column: Tensor
    value: Tensor
    start: Tensor

    @property
    def split(self) -> bool:
        """Whether any column is taken apart."""
        return self.full.shape[2] < self.columns.shape[2]

    def without(self, row: int, x: Tensor) -> "Fixed":
        """The inputs of the other members, whose `x` is given; the last takes the place of the one that leaves."""
        others = {part.name: without(getattr(self, part.name), row) for part in fields(self) if part.name != "x"}
        return Fixed(x=x, **others)


def without(tensor: Tensor, row: int) -> Tensor:
    """The first axis without one row, whose place the last one takes; in place, so nobody else may hold it."""
    last = len(tensor) - 1
    if row != last:
        tensor[row] = tensor[last]
    return tensor[:last]


def fixed(x: Tensor) -> Fixed:
    """Prepares inputs [R, ..., I]."""
    columns = x.flatten(1, -2).transpose(1, 2).contiguous()
    R, I, B = columns.shape
    filled = (columns != 0).sum(1)
    lone = filled <= LONE_SHARE * I
    D = int((B - lone.sum(1)).max())
    if 2 * D > B + B // 2:  # too few to be worth it
        D, lone = B, torch.zeros_like(lone)
    # Full columns first; a member that has fewer of them than another fills up with columns of lone numbers.
    order = lone.to(torch.int8).argsort(dim=1, stable=True)
    place, apart = order[:, :D], order[:, D:]
    full = columns.gather(2, place[:, None, :].expand(R, I, D)).contiguous()
    alone = torch.zeros_like(columns)
    alone.scatter_(2, apart[:, None, :].expand(R, I, B - D), 1.0)
    alone *= columns
    count = (alone != 0).sum((1, 2))
    most = max(1, int(count.max()))
    index, column = torch.zeros(2, R, most, dtype=torch.int32)
    value = torch.zeros(R, most)
    start = torch.zeros(R, I + 1, dtype=torch.int32)
    for r in range(R):
        i, c = alone[r].nonzero(as_tuple=True)
        index[r, : len(i)], column[r, : len(i)], value[r, : len(i)] = i.int(), c.int(), alone[r, i, c]
        start[r, 1:] = torch.bincount(i, minlength=I).cumsum(0)
    return Fixed(x, columns, full, place.int().contiguous(), count.int(), index, column, value, start)
