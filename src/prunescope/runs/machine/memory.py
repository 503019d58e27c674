"""How much memory there is for runs, and which failures mean that it did not suffice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from prunescope.base.errors import PrunescopeError
from prunescope.base.free_memory import counted, free_here

SHARE = 0.4
"""Of the free memory, so much is given to the tensors of programs; the rest is for what is not counted beforehand."""

_MESSAGES = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")
"""Words of such failures where torch, the CUDA driver and its libraries raise a plain RuntimeError."""


class DoesNotFit(PrunescopeError):
    """A run, or a reading, by itself needs more memory than there is."""

    @classmethod
    def because(cls, problem: BaseException) -> "DoesNotFit":
        """The error for people of work that ran out of memory by itself."""
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        return cls(
            f"it runs out of memory even by itself ({reason}); use a smaller batch or network, fewer workers, or a "
            "device with more memory"
        )


def out_of_memory(problem: BaseException) -> bool:
    """Whether memory did not suffice: torch raises a class for it on a GPU, and a plain error with a text on a CPU."""
    if isinstance(problem, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(problem, RuntimeError) and any(words in str(problem) for words in _MESSAGES)


def budget(device: str, workers: int) -> int:
    """Bytes that one of so many workers may fill with a program: its part of a share of what is free now."""
    free = free_here() if device == "cpu" else torch.cuda.mem_get_info()[0]
    return int(SHARE * free / max(1, workers))


@contextmanager
def watched(device: str) -> Iterator[Callable[[], int]]:
    """Bytes that the work inside takes at its peak beyond what was held before, as a function to call after it.

    On a GPU the memory of libraries is included. On a CPU it is what this process holds, so that memory which was freed
    before and is used again counts nothing; 0 where the system has no such count (Linux has).
    """
    if device == "cpu":
        counts = _forget_peak()
        held = _resident("VmRSS")
        yield lambda: max(0, _resident("VmHWM") - held) if counts else 0
        return
    torch.cuda.empty_cache()
    before = torch.cuda.mem_get_info()[0]
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_reserved()
    # Reserved, not allocated: what fits is what the allocator can get from the device.
    yield lambda: max(torch.cuda.max_memory_reserved() - held, before - torch.cuda.mem_get_info()[0])


def _forget_peak() -> bool:
    """Makes the peak of this process count anew; False where the system cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _resident(name: str) -> int:
    """Bytes that this process holds (VmRSS), or held at most (VmHWM)."""
    return 1024 * counted(Path("/proc/self/status"), f"{name}:")
