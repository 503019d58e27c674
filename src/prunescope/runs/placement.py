"""Where tensors lie and how torch computes with them: devices, threads, precision of convolutions.

Belongs here: what is set for a whole process or a piece of work, moving states between devices. Does not belong here:
work itself (`workbench.py`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.training.progress import Progress


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread, as threads that share small products slow each other down and change rounding.

    On a GPU no TF32, which is what cuDNN computes float32 convolutions in unless it is told otherwise (10 bits of
    mantissa), and the same algorithm every time, so that the same run has the same bits.
    """
    cudnn = torch.backends.cudnn
    before = torch.get_num_threads(), cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark
    torch.set_num_threads(1)
    cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = False, True, False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        _, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = before


def device_named(name: str) -> str:
    """The device called `name`, "cpu" or a GPU with its number; "cuda" is the one that is current.

    Raises UsageError when this machine does not have it.
    """
    if name != "cpu":  # before the device is first used: cuBLAS sums in an order of its own otherwise
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        found = torch.empty(1, device=name).device
    except (RuntimeError, AssertionError) as problem:
        raise UsageError(_not_here(name)) from problem
    if found.type not in ("cpu", "cuda"):
        raise UsageError(_not_here(name))
    return "cpu" if found.type == "cpu" else str(found)


def _not_here(name: str) -> str:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has = ["cpu", *(f"cuda:{number}" for number in range(count))]
    return f"device {name!r} is not on this machine; it has {', '.join(has)}"


def make_current(device: str) -> None:
    """From here on a GPU's memory, streams, recordings and waiting are this one's where torch is not told of which."""
    found = torch.device(device)
    if found.type == "cuda" and found.index is not None:
        torch.cuda.set_device(found)


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
