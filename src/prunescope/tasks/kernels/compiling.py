"""Training passes that torch compiles: normalization, activation and sums in one sweep, forward and backward."""

import inspect
import os
import shutil
import sys
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from prunescope.base.tree import Tree

Pass = Callable[[Tree, Tensor], Tensor]
"""From parameters and buffers, which are changed in place, and inputs x [B, ...] to outputs [B, C]."""


def available(device: str = "cpu") -> bool:
    """Whether there is what `torch.compile` needs: a C++ compiler for a CPU, triton for a GPU."""
    if device != "cpu":
        from importlib.util import find_spec

        return find_spec("triton") is not None
    return shutil.which(os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")) is not None


def compiled_pass(module: nn.Module) -> Pass:
    """The pass of a module on tensors that are not its own. Compiles at its first call, for every shape of x anew."""

    def run(tensors: Tree, x: Tensor) -> Tensor:
        return cast(Tensor, torch.func.functional_call(module, tensors, (x,)))

    # All networks share this code; where torch can, each has shapes of its own to be compiled for, of eight.
    apart = {"isolate_recompiles": True}
    known = inspect.signature(torch.compile).parameters
    options = {key: value for key, value in apart.items() if key in known}
    return cast(Pass, torch.compile(run, dynamic=False, **options))  # type: ignore[call-overload]
