"""What the units of one layer do to the inputs of other layers: which they change, and which they make 0.

Belongs here: the two questions, asked of a recorded pass. Does not belong here: what follows for units
(`structure.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from prunescope.sparsity.tape import OUTPUT, Tape


@dataclass(frozen=True)
class Reach:
    """What the rows of a layer do to the columns of one that reads them.

    owner: the block of rows that changes a column, int64 [columns]; -1 where none does.
    zeros: whether the column is exactly 0 when the block is, bool [columns].
    constant: whether it is then one number for all inputs, in each of the passes, bool [columns].
    """

    owner: Tensor
    zeros: Tensor
    constant: Tensor


@dataclass(frozen=True)
class Influence:
    """The influence of a layer's rows on the calls that read them, directly or through calls without a weight.

    blocks: int64 [rows]; rows of one block change columns together (the rows of an attention head).
    count: number of blocks.
    reaches: by position of the reading call in the tape.
    """

    blocks: Tensor
    count: int
    reaches: Mapping[int, Reach]


def influence_of(tapes: tuple[Tape, Tape], source: int) -> Influence:
    """The influence of the call at `source`, a layer or a gate."""
    question = _Question(tapes, source)
    for blocks in question.partitions():
        owners = question.owners(blocks)
        if owners is not None:
            break
    assert owners is not None  # one block of all rows shares nothing
    zeros = question.zeros()
    return Influence(blocks, int(blocks.max()) + 1, {i: Reach(owners[i], *zeros[i]) for i in owners})


class _Question:
    """Answers for sets of rows of one call, each by replays with these rows at 0."""

    def __init__(self, tapes: tuple[Tape, Tape], source: int) -> None:
        self.tapes, self.source, self.following = tapes, source, tapes[0].after(source)
        call = tapes[0].calls[source]
        self.rows, self.axis = call.count, call.axes[0] % call.out.ndim
        self.alive = self.killed(torch.zeros(self.rows, dtype=torch.bool))

    def partitions(self) -> Iterator[Tensor]:
        """Partitions of the rows into blocks, int64 [rows], from the finest one on."""
        yield torch.arange(self.rows)
        yield self.merged()
        yield torch.zeros(self.rows, dtype=torch.int64)

    def killed(self, rows: Tensor) -> list[dict[int, Tensor]]:
        """The inputs of readers without the rows (bool [rows]), in both tapes.

        Each is a matrix [columns, all else]; the network's output is one column.
        """
        answers = []
        for tape in self.tapes:
            out = tape.calls[self.source].out
            kept = (~rows).view(-1, *[1] * (out.ndim - 1 - self.axis))
            inputs = tape.replay(self.source, torch.where(kept, out, 0.0), self.following)
            axes = {i: tape.calls[i].axes[1] for i in inputs if i != OUTPUT}
            answers.append({i: x.movedim(axes[i], 0).flatten(1) if i in axes else x[None] for i, x in inputs.items()})
        return answers

    def changes(self, rows: Tensor) -> dict[int, Tensor]:
        """By reading call: the columns that change without these rows, bool [columns]."""
        pairs = list(zip(self.alive, self.killed(rows), strict=True))
        return {i: torch.stack([(a[i] != k[i]).any(1) for a, k in pairs]).any(0) for i in self.alive[0]}

    def owners(self, blocks: Tensor) -> dict[int, Tensor] | None:
        """The block that changes each column; None where several blocks change one.

        Blocks are numbered in binary. A column that some block changes does so in the replay without the blocks that
        have a digit 1, or in that without the others; in both, if several blocks change it.
        """
        owner = {i: torch.zeros(len(x), dtype=torch.int64) for i, x in self.alive[0].items()}
        any_change = self.changes(blocks >= 0)
        for digit in range(int(blocks.max()).bit_length()):
            rows = (blocks >> digit) & 1 == 1
            ones, others = self.changes(rows), self.changes(~rows)
            if any(bool((ones[i] & others[i]).any()) for i in owner if i != OUTPUT):
                return None
            owner = {i: owner[i] + ones[i].long() * 2**digit for i in owner}
        return {i: owner[i].where(any_change[i], torch.tensor(-1)) for i in owner}

    def zeros(self) -> dict[int, tuple[Tensor, Tensor]]:
        """By reading call: the columns that are 0, and those that are constant, without the block that owns them."""
        # No two blocks change one column, so that it is the same without its block and without all blocks.
        lost = self.killed(_range(0, self.rows, self.rows))
        answer = {}
        for i in self.alive[0]:
            parts = [pair[i] for pair in lost]
            both, alive = torch.cat(parts, 1), torch.cat([pair[i] for pair in self.alive], 1)
            constant = torch.stack([x.amax(1) - x.amin(1) <= 1e-5 * x.abs().amax(1) for x in parts]).all(0)
            answer[i] = ((both == 0).all(1) & (alive != 0).any(1), constant)
        return answer

    def merged(self) -> Tensor:
        """The blocks of rows that change columns together, int64 [rows], in the order of their first rows."""
        label = torch.arange(self.rows)
        seen = {i: torch.full((len(x),), -1) for i, x in self.alive[0].items() if i != OUTPUT}
        first = 0
        while first < self.rows:
            changes = self.changes(_range(first, first + 1, self.rows))
            touched = torch.cat([seen[i][changes[i]] for i in seen])
            touched = touched[touched >= 0]
            columns = {i: changes[i] | torch.isin(seen[i], touched) for i in seen}
            last = self._end(first, columns)
            label[torch.isin(label, touched)] = first
            label[first:last] = first
            for i in seen:
                seen[i][columns[i]] = first
            first = last
        order: dict[int, int] = {}
        return torch.tensor([order.setdefault(value, len(order)) for value in label.tolist()])

    def _end(self, first: int, columns: dict[int, Tensor]) -> int:
        """The end of the longest range of rows from `first` on that change none but these columns."""

        def fits(size: int) -> bool:
            changes = self.changes(_range(first, first + size, self.rows))
            return not any(bool((changes[i] & ~columns[i]).any()) for i in columns)

        size, most = 1, self.rows - first
        while size < most and fits(min(2 * size, most)):
            size = min(2 * size, most)
        low, high = size, min(2 * size, most)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return first + low


def _range(first: int, last: int, size: int) -> Tensor:
    places = torch.arange(size)
    return (places >= first) & (places < last)
