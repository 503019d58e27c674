"""Which machine this is, as far as speed and rounding depend on it.

Belongs here: its name for people and for what is measured once a machine. Does not belong here: measuring.
"""

import os
import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@cache
def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's own name, "AMD EPYC 9B14", say; what Python knows of it where the system does not tell."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    named = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return named.get("model name") or platform.processor() or platform.machine()


def machine() -> str:
    """The machine for people."""
    return f"{platform.node()} {platform.machine()} {os.cpu_count()} cores, {processor()}"


@cache
def compilers() -> dict[str, str]:
    """Versions of what compiles the loops of sparse products (extra "fast"); empty where it is not installed."""
    found = {}
    for name in ("llvmlite", "numba"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
