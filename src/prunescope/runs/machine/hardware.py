"""Which machine this is, as far as speed and rounding depend on it: processor and compilers."""

import os
import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@cache
def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The name of the processor, "AMD EPYC 9B14", say; without /proc/cpuinfo what Python knows of it."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return facts.get("model name") or platform.processor() or platform.machine()


@cache
def instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """What the processor can do, by its own names; empty where nobody says."""
    try:
        return frozenset(cpuinfo.read_text().split())
    except OSError:
        return frozenset()


def has_bfloat16() -> bool:
    """Whether the processor itself multiplies in bfloat16; where it emulates that, it takes many times as long."""
    return bool({"avx512_bf16", "amx_bf16"} & instructions())


def machine() -> str:
    """The machine for people."""
    return f"{platform.node()} {platform.machine()} {os.cpu_count()} cores, {processor()}"


@cache
def compilers() -> dict[str, str]:
    """Versions of what compiles the loops of sparse products (extra "fast"); empty where it is not installed."""
    versions = {}
    for name in ("llvmlite", "numba"):
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
