"""Many steps of a chain with little Python between its loops, and none where all layers are sparse.

Belongs here: the calls of one step, and the same again for the next ones. Does not belong here: what each of them does
(`links.py`, `tasks/kernels/`), which steps may be taken so (`lean.py`).

Sparse steps are so short that Python between their loops takes as long as the loops. Bits are those of the same steps
one by one: the loops are called with the same numbers in the same order.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from prunescope.tasks.kernels.other_code import MOST
from prunescope.tasks.kernels.products import Columns
from prunescope.tasks.kernels.sparse_code import Given, code
from prunescope.tasks.kernels.writer import LANES
from prunescope.training.engines.chain import Links
from prunescope.training.engines.links import Call, Descent

SOURCES, LABELS, LOSS, STEP = (-1 - number for number in range(4))
"""What stands for the addresses that differ from step to step; no other address or number is negative."""


class Series:
    """The calls of one step of a chain on batches of one size, and of many."""

    def __init__(self, columns: Columns, links: Links) -> None:
        """columns: what reads a batch, which the first link takes."""
        self.columns, self.links = columns, links
        self.parts: list[Any] = []
        for own, some in groupby(_calls(columns, links), key=callable):
            loops = [call if callable(call) else _row(call) for call in some]
            self.parts += loops if own else [np.array(loops, dtype=np.int64)]

    @torch.no_grad()
    def run(self, rows: Tensor, labels: Tensor, steps: Sequence[Descent]) -> Tensor:
        """Takes the steps and returns their mean losses (nats), float32 [n].

        rows: int64 [n, B], the examples of each step; labels: int64 [n, B].
        """
        losses, each = torch.empty(len(steps)), torch.tensor([(one.shrinkage, one.lr) for one in steps])
        given = {SOURCES: self.columns.sources(rows), LABELS: labels.contiguous(), LOSS: losses, STEP: each}
        parts = [part if callable(part) else _table(part, given) for part in self.parts]
        if len(parts) == 1 and not callable(parts[0]):
            _in_order(parts[0].reshape(1, -1, 1 + MOST), 0)
            return losses
        for number, step in enumerate(steps):
            for part in parts:
                if callable(part):
                    part(step)
                else:
                    _in_order(part, number)
        return losses


def _calls(columns: Columns, links: Links) -> list[Call]:
    """What one step does."""
    calls: list[Call] = [*columns.calls(SOURCES)]
    seen, layers = [columns.into], links.links
    for link in layers:
        calls += link.forward_calls(seen[-1])
        seen.append(link.h)
    calls += links.loss_calls(seen[-1], LABELS, LOSS)
    for number in reversed(range(len(layers))):
        if number:
            calls += layers[number].back_calls(seen[number], layers[number - 1].g)
        calls += layers[number].descend_calls(seen[number], STEP)
    return calls


def _row(call: Given) -> list[int]:
    name, numbers = call
    loop: int = code()[name].address  # type: ignore[attr-defined]
    return [loop, *numbers, *[0] * (MOST - len(numbers))]


def _table(calls: np.ndarray, given: dict[int, Tensor]) -> np.ndarray:
    """The calls of every step, [n, calls, 1 + MOST]. given: by mark, what has a row for each step, contiguous."""
    count = len(given[LOSS])
    table = np.repeat(calls[None], count, axis=0)
    for mark, tensor in given.items():
        stride = tensor.stride(0) * tensor.element_size()
        places = tensor.data_ptr() + stride * np.arange(count, dtype=np.int64)
        table[:, calls == mark] = places[:, None]
    return table


def _in_order(table: np.ndarray, step: int) -> None:
    code()[f"in_order{LANES}"](table.shape[1], table.ctypes.data + step * table.strides[0])
