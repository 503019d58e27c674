"""`ensure`: make whatever the store lacks.

Belongs here: from a plan to workers that carry it out. Does not belong here: the order of work (`schedule.py`), the
work itself (`workbench.py`), the workers (`executors/`), what people see (`display.py`).
"""

import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prunescope.base.errors import PrunescopeError
from prunescope.base.value import Value
from prunescope.runs.executors.executor import Executor, Message
from prunescope.runs.executors.inline import Inline
from prunescope.runs.executors.processes import Processes
from prunescope.runs.plan import Plan, plan, recipes_of
from prunescope.runs.preparation import Prepared, prepare, workers_for
from prunescope.runs.results import Results
from prunescope.runs.schedule import Schedule
from prunescope.runs.status import Display
from prunescope.runs.store import Store
from prunescope.runs.workbench import CHECKPOINT_SECONDS

_LOCAL_KIND = '"kind":"__main__:'
"""How the canonical text of a node begins to name a class of the calling script."""


class Interrupted(PrunescopeError):
    """The user stopped the work; everything reached is stored."""

    exit_code = 130


def ensure(
    *nodes: Value | Iterable[Value],
    store: Store | Path | str,
    workers: int | None = None,
    device: str = "cpu",
    engine: str | None = None,
    stack: int | None = None,
    display: Display | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Results:
    """Makes whatever of the nodes (recipes, readings, traces, combinations) the store lacks, and reads them.

    workers: processes to use, default one a core, on a GPU one; 1 works in this process. checkpoint_seconds: at most
    so much work of a run is lost by a kill. engine: "loop", "lean" or "compiled", how runs are trained; by default lean
    on a CPU, on a GPU the fastest there is. stack: most runs that train in one program, fewer where memory or
    the network does not admit so many; by default as many as is fastest. Stored failures are not tried again.

    Raises UsageError for impossible recipes, Interrupted after Ctrl-C, PrunescopeError when work went wrong for
    another reason than the recipe's own (a full disk, a crash); everything else is done by then.
    """
    shop = store if isinstance(store, Store) else Store(store)
    wanted = [node for item in nodes for node in ([item] if isinstance(item, Value) else item)]
    left = plan(wanted, shop)
    count, screen = workers_for(left, workers, device), display or Display()
    try:
        ready = prepare(
            left,
            shop,
            workers=count,
            device=device,
            engine=engine,
            stack=stack,
            checkpoint_seconds=checkpoint_seconds,
        )
        for note in ready.packed.notes:
            screen.note(note)
        schedule = Schedule(left, ready.seconds, screen, ready.packed)
        if left.left:
            with _executor(ready, count, schedule, screen) as executor:
                schedule.run(executor)
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped; everything reached is stored, the same command goes on from there"
        ) from None
    if schedule.errors:
        raise schedule.error()
    return Results(shop)


@contextmanager
def _executor(ready: Prepared, count: int, schedule: Schedule, display: Display) -> Iterator[Executor]:
    bench = ready.bench
    if count > 1 and (why := _immovable(ready.left)):
        display.note(f"{why}: working here, on one core")
        count = 1

    def beat(message: Message) -> None:
        schedule.told(message)
        display.update(schedule.status())

    executor: Executor = (
        Inline(bench, beat)
        if count == 1
        else Processes(
            bench.store.root,
            workers=count,
            device=bench.device,
            checkpoint_seconds=bench.checkpoint_seconds,
            setting=bench.setting,
        )
    )
    try:
        yield executor
    finally:
        executor.stop()


def _immovable(left: Plan) -> str:
    """Why the work cannot be done in other processes; empty if it can."""
    for node in left.nodes.values():
        if (where := node.canonical.find(_LOCAL_KIND)) >= 0:
            name = node.canonical[where + len(_LOCAL_KIND) :].partition('"')[0]
            return f"{name} is defined only in this process"
    for work in left.left.values():
        for recipe in recipes_of(work):
            if recipe.task.network.local:
                return f"{recipe.task.network.path} is defined only in this process"
    try:
        pickle.dumps(next(iter(left.left.values())))
    except Exception as problem:
        return f"the work cannot be sent to other processes ({problem})"
    return ""
