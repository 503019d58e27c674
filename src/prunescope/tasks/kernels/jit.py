"""Plain loops over arrays as machine code, where numba (extra "fast") is installed."""

import importlib.util
import logging
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor

from prunescope.base.installed import is_shipped

# Sums may be reordered, but a number that is not finite must stay so: a diverging run is known by it.
_FASTMATH = ("reassoc", "contract", "nsz", "arcp")


@cache
def available() -> bool:
    """Whether loops can be compiled; everything works without them, by torch's products."""
    return importlib.util.find_spec("numba") is not None


def compiled_for(x: Tensor) -> bool:
    """Whether compiled loops take tensors like this one: float32 on a CPU."""
    return available() and x.dtype == torch.float32 and x.device.type == "cpu"


class compiled:  # noqa: N801 - a decorator
    """A function that is machine code from its first call on, kept on disk where that is possible.

    It may call other such functions of its module. Importing numba takes half a second, so it waits for the first call;
    without numba nobody may call it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.__doc__ = function, function.__doc__

    def __call__(self, *args: Any) -> Any:
        """What the function returns."""
        return self.code(*args)

    @cached_property
    def code(self) -> Callable[..., Any]:
        """Numba's version of the function."""
        names = self.function.__globals__
        for name in self.function.__code__.co_names:
            if isinstance(names.get(name), compiled):  # numba knows its own functions only
                names[name] = names[name].code
        return _njit(self.function)


def _njit(function: Callable[..., Any]) -> Callable[..., Any]:
    import numba

    _announce()
    options: dict[str, Any] = {"fastmath": set(_FASTMATH), "boundscheck": False, "error_model": "numpy"}
    made: Callable[..., Any]
    try:
        made = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder for it can be written
        made = numba.njit(**options)(function)
    return made


@cache
def _announce() -> None:
    """Has numba say once a process that it compiles, which takes seconds where the disk has no code yet."""
    from numba.core import event

    class Announcer(event.Listener):
        told = False

        def on_start(self, event: Any) -> None:
            if not self.told and is_shipped(event.data["dispatcher"].py_func.__module__):
                self.told = True
                logging.getLogger("prunescope").warning(
                    "compiling loops for this machine, once; this takes some seconds"
                )

        def on_end(self, event: Any) -> None:
            """Says nothing."""

    event.register("numba:compile", Announcer())  # type: ignore[no-untyped-call]
