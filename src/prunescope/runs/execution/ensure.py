"""`ensure`: make whatever the store lacks, from a plan to the workers that carry it out."""

import pickle
import reprlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from prunescope.base.blame import blaming
from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.value import Value
from prunescope.runs.execution.display import default_display, summary
from prunescope.runs.execution.executors.carried import LOCAL, MOST, baggage, dumps
from prunescope.runs.execution.executors.cluster import Cluster, Connection
from prunescope.runs.execution.executors.processes import Immovable, Processes
from prunescope.runs.execution.executors.worker import Inline
from prunescope.runs.execution.manifest import keep_given
from prunescope.runs.execution.messages import Executor, Message
from prunescope.runs.execution.preparation import Prepared, prepare
from prunescope.runs.execution.queue import WorkQueue
from prunescope.runs.execution.status import Display
from prunescope.runs.execution.workbench import CHECKPOINT_SECONDS, Workbench
from prunescope.runs.machine.engines import EngineSetting
from prunescope.runs.store.opening import open_store
from prunescope.runs.store.plan import Plan, plan
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import Store

ALONE = "working here, on one core"


class FailedRuns(UserWarning):
    """Some runs are stored as failed, so that what needs them has no result."""


class Interrupted(PrunescopeError):
    """The user stopped the work; everything reached is stored."""

    exit_code = 130

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the user knows where the work was stopped."""
        return [str(self)]


def ensure(
    *nodes: Value | Iterable[Value],
    store: Store | Path | str,
    workers: int | None = None,
    device: str = "cpu",
    engine: str | EngineSetting | None = None,
    stack: int | None = None,
    display: Display | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ray: str | None = None,
) -> StoredResults:
    """Makes whatever of the nodes (recipes, readings, traces, combinations) the store lacks, and reads them.

    Stored failures are not tried again. What needs a failed run has no result: the display is told, or a warning
    (`FailedRuns`) without a display, and asking for such a result raises the reason.

    workers: processes to use; 1 works in this process. By default one a core, on a GPU one, and 1 for less work than
        other processes need to begin.
    engine: "loop" or "lean", how runs are trained; by default lean on a CPU, on a GPU the fastest there is; or a
        setting that was recorded, with its products.
    stack: most runs that train in one program, fewer where memory or the network does not admit so many; by default as
        many as is fastest.
    display: what shows how far the work is; by default bars in a notebook and on a terminal, nothing elsewhere.
    checkpoint_seconds: at most so much work of a run is lost by a kill.
    ray: work as tasks of Ray: "local" starts it here, "auto" or HOST:PORT joins a cluster that reaches the same store.

    Raises UsageError for impossible recipes, Interrupted after Ctrl-C, PrunescopeError when work went wrong for
    another reason than the recipe's own (a full disk, a crash); everything else is done by then.
    """
    store, shown = open_store(store, new=True), display or default_display()
    chosen = partial(prepare, device=device, engine=engine, stack=stack, checkpoint_seconds=checkpoint_seconds)
    make = partial(_made, _listed(nodes), store, chosen, device=device)
    queue = make(shown, workers=workers, ray=ray)
    if any(message.error is Immovable for message in queue.errors.values()):
        shown.note(f"{queue.error()}: {ALONE}")
        queue = make(display or default_display(), workers=1)
    if display is None and (failures := queue.plan.failed | queue.failures):
        warnings.warn(_failures_text(failures), FailedRuns, stacklevel=2)
    if queue.errors:
        raise queue.error()
    return StoredResults(store)


def _made(
    nodes: list[Value],
    store: Store,
    chosen: Callable[..., Prepared],
    display: Display,
    *,
    device: str,
    workers: int | None,
    ray: str | None = None,
) -> WorkQueue:
    """The work at its end, whatever failed; chosen: `prepare` with what the user chose. Raises Interrupted."""
    todo = plan(nodes, store)
    queue: WorkQueue | None = None
    kept = True
    cluster = Connection(ray, device=device, workers=workers) if ray and todo.work else None
    try:
        keep_given(todo.nodes.values(), store)
        with blaming("the network, its loss or its data"):
            prepared = chosen(todo, store, workers=cluster.slots if cluster else workers)
        if todo.failed:
            display.note(_failures_text(todo.failed))
        for note in prepared.notes:
            display.note(note)
        stored = partial(todo.stored, store=store)
        queue = WorkQueue(todo, prepared.seconds, display, prepared.packing, stored=stored)
        if todo.work:
            executor = _executor(prepared, queue, display, cluster)
            try:
                queue.run(executor)
            finally:
                kept = executor.stop()
                display.end()
                prepared.prices.learn({todo.readings[key]: seconds for key, seconds in queue.took.items()})
    except KeyboardInterrupt:
        at = f" at {summary(queue.status())}" if queue else ""
        reached = "everything reached is stored" if kept else "a worker could not store what it reached (see above)"
        raise Interrupted(f"stopped{at}; {reached}, the same command goes on from there") from None
    return queue


def _listed(items: Iterable[Value | Iterable[Value]]) -> list[Value]:
    """The nodes that are asked for. Raises UsageError for what is none."""
    nodes: list[Any] = []
    for item in items:
        several = isinstance(item, Iterable) and not isinstance(item, Value | str | Mapping)
        nodes += item if several else [item]
    if odd := [node for node in nodes if not isinstance(node, Value)]:
        has = "; of a study or a quantity give its .nodes" if hasattr(odd[0], "nodes") else ""
        raise UsageError(f"{reprlib.repr(odd[0])} is no node; give readings, runs or traces, or lists of them{has}")
    return nodes


def _failures_text(failures: Mapping[str, str]) -> str:
    """How many runs failed, and why the first did."""
    run, why = next(iter(failures.items()))
    more = f" ({len(failures) - 1} more in `prunescope runs ls`)" if len(failures) > 1 else ""
    subject = f"{len(failures)} runs" if len(failures) > 1 else "a run"
    return f"{subject} failed, so that what needs them has no result: run {run[:8]} failed: {why}{more}"


def _executor(prepared: Prepared, queue: WorkQueue, display: Display, cluster: Connection | None) -> Executor:
    bench, count, luggage = prepared.bench, prepared.workers, b""
    if count > 1 or cluster:
        try:
            luggage = _baggage(prepared.plan)
            if luggage and cluster:
                raise UsageError("what a script or notebook defines goes to no other machine; put it into a module")
        except Exception as problem:  # whatever a user's object does when it is pickled
            display.note(f"the work cannot be sent to other processes ({problem}): {ALONE}")
            count, cluster = 1, None
    make = partial(
        Workbench,
        bench.store,
        device=bench.device,
        checkpoint_seconds=bench.checkpoint_seconds,
        setting=bench.setting,
    )
    if cluster is not None:
        return Cluster(cluster, make)
    if count > 1:
        return Processes(make, workers=count, baggage=luggage)

    def report(message: Message) -> None:
        queue.receive(message)
        display.update(queue.status())

    return Inline(bench, report)


def _baggage(todo: Plan) -> bytes:
    """What workers need of the calling script or notebook; nothing where all that the work names can be imported."""
    work = next(iter(todo.work.values()))
    named_here = any(LOCAL.search(node.canonical) for node in todo.nodes.values())
    if not named_here and not any(run.task.local for run in todo.at_work):
        pickle.dumps(work)  # raises what it raises
        return b""
    content = baggage(todo.nodes.values())
    if (size := len(content) + len(dumps(work))) > MOST:
        raise UsageError(f"what it reads of this script or notebook has {size >> 20} MB; {MOST >> 20} are the most")
    return content
