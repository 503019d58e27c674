"""Numbers too small for float32's full precision, taken as 0."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def available() -> bool:
    """Whether this processor can take such numbers as 0."""
    before = _flushes()
    can = torch.set_flush_denormal(True)
    torch.set_flush_denormal(before)
    return can


@contextmanager
def flushing(*, wanted: bool) -> Iterator[None]:
    """Within it, in this thread, numbers below 1.2e-38 are 0 where that is wanted; the mode before is put back."""
    before = _flushes()
    torch.set_flush_denormal(wanted or before)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _flushes() -> bool:
    return torch.full((), 1e-30).mul_(1e-10).item() == 0
