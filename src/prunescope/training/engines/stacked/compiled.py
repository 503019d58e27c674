"""Compiling small loops, where numba is installed.

Belongs here: whether it is, and how functions are compiled. Does not belong here: the loops (`kernels.py`).
"""

import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

F = TypeVar("F", bound=Callable[..., Any])
AVAILABLE = importlib.util.find_spec("numba") is not None
"""Whether compiled loops can be used; everything works without, by dense products."""

# Sums may be reordered, but a number that is not finite must stay so: a diverging run is known by it.
_FASTMATH = ("reassoc", "contract", "nsz", "arcp")


def compiled_for(x: Tensor) -> bool:
    """Whether compiled loops take tensors like this one: float32 on a CPU."""
    return AVAILABLE and x.dtype == torch.float32 and x.device.type == "cpu"


def compiled(function: F) -> F:
    """The function as machine code from its first call on; compiled code is kept on disk where that is possible.

    Without numba the function is returned as it is, and nobody calls it.
    """
    if not AVAILABLE:
        return function
    made: Any = None

    def call(*args: Any) -> Any:
        nonlocal made
        if made is None:  # importing numba takes half a second, which only those pay who use it
            made = _jit(function)
        return made(*args)

    return call  # type: ignore[return-value]


def _jit(function: Callable[..., Any]) -> Any:
    import numba

    options: dict[str, Any] = {"fastmath": set(_FASTMATH), "boundscheck": False, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for it can be written
        return numba.njit(**options)(function)
