"""Seconds that `ensure` takes, as a command does: in a fresh process, on an empty store."""

import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

from prunescope.base.value import Value
from prunescope.runs.execution.ensure import ensure


def ensured(
    nodes: Sequence[Value], *, workers: int = 1, engine: str | None = None, stack: int | None = None
) -> float:
    """Seconds until all nodes are stored, calibration, evaluation and starting workers included, imports not.

    Raises EOFError if the process ends before that; what went wrong stands above.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    # Not daemonic: it may have to start workers.
    process = context.Process(target=_ensured, args=(theirs, list(nodes), workers, engine, stack))
    process.start()
    theirs.close()
    try:
        return float(ours.recv())
    finally:
        process.join()


def _ensured(
    pipe: Connection, nodes: list[Value], workers: int, engine: str | None, stack: int | None
) -> None:
    with tempfile.TemporaryDirectory(prefix="prunescope-whole-") as folder:
        began = time.perf_counter()
        ensure(nodes, store=folder, workers=workers, engine=engine, stack=stack)
        pipe.send(time.perf_counter() - began)
