"""How much memory this process could still get."""

from pathlib import Path, PurePosixPath

import psutil


def free_here(root: Path = Path("/")) -> int:
    """Bytes that this process could still get: what the machine has available, or less where a cgroup limits it.

    root: where the /proc and /sys of cgroups lie. Memory that only holds files counts as free.
    """
    return min([int(psutil.virtual_memory().available), *_free_in_groups(root)])


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
                free.append(max(0, int(limit) - int(used) + counted(folder / "memory.stat", names[2])))
    return free


def counted(path: Path, name: str) -> int:
    """The number behind a name in a file of the system; 0 where there is none."""
    return next((int(words[1]) for words in map(str.split, _text(path).splitlines()) if words[:1] == [name]), 0)


def _text(path: Path) -> str:
    """The content of a file; empty where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
