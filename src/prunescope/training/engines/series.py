"""Many steps of a chain whose layers are all sparse, in one call of machine code.

Belongs here: the calls of one step, and the same again for the next ones. Does not belong here: what each of them does
(`links.py`, `tasks/kernels/`), which steps may be taken so (`lean.py`).

Such steps are so short that Python between their loops takes as long as the loops. Bits are those of the same steps one
by one: the loops are called with the same numbers in the same order.
"""

import numpy as np
import torch
from torch import Tensor

from prunescope.tasks.kernels.other_code import MOST
from prunescope.tasks.kernels.products import Columns
from prunescope.tasks.kernels.sparse_code import Given, code
from prunescope.tasks.kernels.writer import LANES
from prunescope.training.engines.chain import Links
from prunescope.training.engines.links import SparseLink

SOURCES, LABELS, LOSS, STEP = (-1 - number for number in range(4))
"""What stands for the addresses that differ from step to step."""


class Series:
    """The calls of one step of a chain on batches of one size, and of many."""

    def __init__(self, columns: Columns, links: Links) -> None:
        """columns: what reads a batch. links: of a chain that is sparse throughout."""
        self.columns, self.links = columns, links
        layers = [link for link in links.links if isinstance(link, SparseLink)]
        calls = columns.calls(SOURCES)
        seen = [columns.into]
        for link in layers:
            calls += link.forward_calls(seen[-1])
            seen.append(link.h)
        calls += links.loss_calls(seen[-1], LABELS, LOSS)
        for number in reversed(range(len(layers))):
            if number:
                calls += layers[number].back_calls(seen[number], layers[number - 1].g)
            calls += layers[number].descend_calls(seen[number], STEP)
        self.calls = np.array([_row(call) for call in calls], dtype=np.int64)

    def run(self, rows: Tensor, labels: Tensor, steps: Tensor) -> Tensor:
        """Takes as many steps as there are rows and returns their mean losses (nats), float32 [n].

        rows: int64 [n, B], the examples of each step; labels: int64 [n, B]; steps: float32 [n, 2], what weights are
        multiplied by, and the learning rate.
        """
        count, losses = len(rows), torch.empty(len(rows))
        given = self.columns.sources(rows), labels.contiguous(), losses, steps.contiguous()
        table = np.repeat(self.calls[None], count, axis=0)
        for mark, tensor in zip((SOURCES, LABELS, LOSS, STEP), given, strict=True):
            stride = tensor.stride(0) * tensor.element_size()
            places = tensor.data_ptr() + stride * np.arange(count, dtype=np.int64)
            # The first column is the loop; no address and no number is negative.
            table[:, self.calls == mark] = places[:, None]
        code()[f"in_order{LANES}"](table.shape[0] * table.shape[1], table.ctypes.data)
        return losses


def _row(call: Given) -> list[int]:
    name, numbers = call
    loop: int = code()[name].address  # type: ignore[attr-defined]
    return [loop, *numbers, *[0] * (MOST - len(numbers))]
