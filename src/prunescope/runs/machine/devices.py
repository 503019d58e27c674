"""Where tensors lie and how torch computes with them: devices, threads, precision of convolutions."""

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.training.progress import Progress


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread, as threads that share small products slow each other down and change rounding.

    float32 is float32, and a GPU takes the same algorithm every time, so that the same run has the same bits.
    """
    cudnn = torch.backends.cudnn
    before = torch.get_num_threads(), cudnn.deterministic, cudnn.benchmark
    torch.set_num_threads(1)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with _float32():
            yield
    finally:
        torch.set_num_threads(before[0])
        _, cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def _float32() -> Iterator[None]:
    """Products and convolutions of float32 are computed in it, and not in TF32 (10 bits of mantissa) or bfloat16.

    cuDNN's convolutions are in TF32 by default, in NVIDIA's containers products are, too.
    """
    backends = torch.backends
    cudnn, products, mkldnn = backends.cudnn, backends.cuda.matmul, backends.mkldnn
    parts = (cudnn.conv, cudnn.rnn, products, mkldnn.conv, mkldnn.matmul)  # type: ignore[attr-defined]
    before = [part.fp32_precision for part in parts]
    _set_precision(parts, ["ieee"] * len(parts))
    try:
        yield
    finally:
        _set_precision(parts, before)


def _set_precision(parts: Sequence[Any], values: Sequence[str]) -> None:
    """Sets the precision of convolutions, recurrent layers and products on a GPU, convolutions and products on a CPU.

    torch has an older switch for the same, too, and refuses to go on where the two differ.
    """
    convolutions, _, products, _, on_cpu = values
    torch.backends.cudnn.allow_tf32 = convolutions == "tf32"
    older = {"bf16": "medium", "tf32": "high"}.get(on_cpu, "high" if products == "tf32" else "highest")
    torch.set_float32_matmul_precision(older)
    for part, value in zip(parts, values, strict=True):
        part.fp32_precision = value


def seconds_worked(device: str) -> float:
    """Seconds that this process has computed: those of its processor, which what else runs on the machine does not
    lengthen; on a GPU, whose work no process counts, the clock's after it has finished.
    """
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def device_named(name: str) -> str:
    """The device called `name`, "cpu" or a GPU with its number; "cuda" is the one that is current.

    Raises UsageError when this machine does not have it.
    """
    if name != "cpu":  # before the device is first used: cuBLAS sums in an order of its own otherwise
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        device = torch.empty(1, device=name).device
    except (RuntimeError, AssertionError) as problem:
        raise UsageError(_no_device(name)) from problem
    if device.type not in ("cpu", "cuda"):
        raise UsageError(_no_device(name))
    return "cpu" if device.type == "cpu" else str(device)


def _no_device(name: str) -> str:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = ["cpu", *(f"cuda:{number}" for number in range(count))]
    return f"device {name!r} is not on this machine; it has {', '.join(devices)}"


def make_current(device: str) -> None:
    """Makes a GPU the one that torch uses for memory, streams, recordings and waiting where no device is named."""
    gpu = torch.device(device)
    if gpu.type == "cuda" and gpu.index is not None:
        torch.cuda.set_device(gpu)


def weights_on(weights: Weights, device: str) -> Weights:
    """The same weights on a device."""
    parts = (weights.params, weights.buffers, weights.masks)
    return Weights(*(tree.to(part, device) for part in parts))


def progress_on(progress: Progress, device: str) -> Progress:
    """The same progress on a device."""
    state = progress.state
    moved = state.replace(
        weights=weights_on(state.weights, device),
        opt={name: tree.to(part, device) for name, part in state.opt.items()},
        memory={name: tree.to(part, device) for name, part in state.memory.items()},
        held=tree.to(state.held, device),
    )
    return progress.replace(state=moved, running=progress.running.to(device))


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
