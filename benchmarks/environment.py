"""When and with what something was measured, and whether other programs were running."""

import math
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch

from prunescope import __version__
from prunescope.runs.machine.devices import compilers

BUSY = 0.5
"""Load a core above which other programs disturb what is measured here."""
MINUTE = 60.0
"""The time over which the system averages the load, seconds."""
ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"prunescope \S+ \(")
"""How versions begin where a section names them."""
NO_GPU = "none here"


def graphics() -> str:
    """The GPU and its libraries, if there is one."""
    if not torch.cuda.is_available():
        return f"{NO_GPU}; `python -m benchmarks.gpu` measures one, and until then its numbers are open"
    libraries = f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"  # type: ignore[no-untyped-call]
    return f"{torch.cuda.get_device_name()}, {libraries}; measured by `python -m benchmarks.gpu`"


def environment(images: str) -> str:
    """When a question was asked, with which programs, whether others were running, what LeNet's images are."""
    load, spent = os.getloadavg()[0], sum(os.times()[:4])
    others = max(0.0, load - own_load(spent))
    busy = ": **other programs are running, only ratios mean something**"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, load {load:.2f} at the start, {others:.2f} of it others'"
        f"{busy * (others > BUSY * (os.cpu_count() or 1))}. {versions()}; {images}"
    )


def own_load(seconds: float) -> float:
    """What one process that has just computed for so long adds to the load of the last minute.

    >>> round(own_load(1.0), 2), round(own_load(300.0), 2)
    (0.02, 0.99)
    """
    return 1 - math.exp(-seconds / MINUTE)


def versions() -> str:
    """The commit, and everything whose version changes what is measured."""
    libraries = {"torch": torch.__version__, **compilers(), "Python": platform.python_version()}
    named = ", ".join(f"{name} {version}" for name, version in libraries.items())
    return f"prunescope {__version__} ({commit()}), {named}, {platform.system()} {platform.release()}"


def commit(root: Path = ROOT) -> str:
    """The commit that is measured, and whether the files differ from it; "no commit" outside of a repository."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks")
        return git("rev-parse", "--short", "HEAD") + " with changes" * bool(changed)
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
