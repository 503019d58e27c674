"""How much memory there is for runs, and which failures mean that it did not suffice."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import torch

from prunescope.base.errors import PrunescopeError

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
    return 1024 * _count(Path("/proc/self/status"), f"{name}:")


def free_here(root: Path = Path("/")) -> int:
    """Bytes that this process could still get: what the machine has available, or less where a cgroup limits it.

    root: where /proc and /sys lie. Memory that only holds files counts as free.
    """
    return min([_available(root), *_free_in_groups(root)])


def _available(root: Path) -> int:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    # Not Linux, and no file names what is free: half of the machine.
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _free_in_groups(root: Path) -> list[int]:
    """Free bytes of each cgroup with a limit, from this process's group to the top."""
    free = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if kinds else "")
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if kinds
            else ("memory.max", "memory.current", "inactive_file")
        )
        group = PurePosixPath(path.lstrip("/"))
        # Inside a container the path may be the host's, and the files of the group lie at the top.
        for folder in {top / group, *(top / parent for parent in group.parents), top}:
            limit, used = (_text(folder / name).strip() for name in names[:2])
            if limit.isdigit() and used.isdigit():
                free.append(max(0, int(limit) - int(used) + _count(folder / "memory.stat", names[2])))
    return free


def _count(path: Path, name: str) -> int:
    return next((int(words[1]) for words in map(str.split, _text(path).splitlines()) if words[:1] == [name]), 0)


def _text(path: Path) -> str:
    """The content of a file; empty where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
