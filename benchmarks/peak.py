"""How much memory something takes.

Belongs here: the peak of this process. Does not belong here: what is measured.
"""

from collections.abc import Callable
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak(run: Callable[[], object]) -> float:
    """MiB by which the resident memory of this process rose above where it stood, while `run` ran (Linux only)."""
    CLEAR.write_text("5")  # from here on the peak counts anew
    before = _mib("VmRSS")
    run()
    return _mib("VmHWM") - before


def _mib(name: str) -> float:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024
