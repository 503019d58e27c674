"""Tensors without the units that are gone.

Belongs here: taking rows and columns out of tensors, and putting them back. Does not belong here: which units can be
taken out (`cutting.py`).
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Cut:
    """What of a tensor stays: these of its first axis, these of its second; int64, None where all stay."""

    rows: Tensor | None = None
    columns: Tensor | None = None

    def pack(self, full: Tensor) -> Tensor:
        """What stays."""
        for axis, index in enumerate((self.rows, self.columns)):
            if index is not None:
                full = full.index_select(axis, index)
        return full

    def unpack(self, part: Tensor, onto: Tensor) -> Tensor:
        """`onto` with what stays replaced by `part`."""
        if self.rows is None:
            assert self.columns is not None
            return onto.index_copy(1, self.columns, part)
        if self.columns is not None:
            part = onto.index_select(0, self.rows).index_copy_(1, self.columns, part)
        return onto.index_copy(0, self.rows, part)
