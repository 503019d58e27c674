"""What tests of every floor share."""

import gc
import importlib
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
import typer

sys.path.append(str(Path(__file__).parent))  # for `pretended`

import prunescope
from prunescope.runs.machine import pricing
from prunescope.runs.machine.devices import device_named, one_thread


def pytest_configure() -> None:
    """Nothing that collecting makes is garbage: looking for some took a sixth of its time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """The tests' own modules are kept compiled, which one worker takes from another, and no module that a test writes.

    Python knows what it keeps by second and size, and tests write modules again within a second.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)  # walks through what fixtures keep were a twentieth of all time
    gc.enable()
    sys.dont_write_bytecode = True


@pytest.fixture(autouse=True, scope="session")
def _frugal() -> Iterator[None]:
    """A price is of three steps; commands are put together once; no test waits for a disk, as no power is cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(pricing, "CALIBRATION_SECONDS", 0.0)
        patch.setattr("typer.testing._get_command", cache(typer.main.get_command), raising=False)
        yield


@pytest.fixture
def little_room() -> Iterator[None]:
    """The system itself refuses files of more than 2 KB, as a full disk does."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(scope="session")
def leaves() -> Callable[[type], set[type]]:
    """All classes of the package below a base class that have no subclasses of their own."""
    for module in pkgutil.walk_packages(prunescope.__path__, "prunescope."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    def below(base: type) -> Iterator[type]:
        for child in base.__subclasses__():
            if child.__module__.startswith("prunescope."):
                inner = set(below(child))
                yield from inner or {child}

    return lambda base: set(below(base))


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=GPU)])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a test computes, with torch set up as it is for work: no TF32, the same algorithms every time."""
    name = device_named(request.param)
    with one_thread():
        yield name
