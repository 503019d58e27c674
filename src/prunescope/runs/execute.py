"""`ensure`: make whatever the store lacks.

Belongs here: the order of work and what its end means. Does not belong here: the work itself (`workbench.py`), the
workers (`executors/`), what people see (`display.py`).
"""

import os
import pickle
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.runs.executors.executor import Executor, Message
from prunescope.runs.executors.inline import Inline
from prunescope.runs.executors.processes import Processes
from prunescope.runs.graph import Reading
from prunescope.runs.plan import Job, Plan, plan, prices, remaining
from prunescope.runs.pricing import Prices
from prunescope.runs.results import Results
from prunescope.runs.store import Store
from prunescope.runs.workbench import Workbench, device_named


@dataclass(frozen=True)
class Status:
    """How far the work is. running: for each busy worker, what it does and the share done of it."""

    runs_done: int
    runs: int
    readings_done: int
    readings: int
    seconds: float
    seconds_left: float
    running: dict[int, tuple[str, float]]
    failed: int


class Display:
    """What is told of progress; this one says nothing."""

    def update(self, status: Status) -> None:
        """Told often."""

    def note(self, text: str) -> None:
        """Told of something worth a line."""


class Interrupted(PrunescopeError):
    """The user stopped the work; everything reached is stored."""

    exit_code = 130


def ensure(
    *nodes: Value | Iterable[Value],
    store: Store | Path | str,
    workers: int | None = None,
    device: str = "cpu",
    display: Display | None = None,
) -> Results:
    """Makes whatever of the nodes (recipes, readings, traces, combinations) the store lacks, and reads them.

    workers: processes to use, default one a core; 1 works in this process. Stored failures are not tried again.

    Raises UsageError for impossible recipes, Interrupted after Ctrl-C, PrunescopeError when work went wrong for
    another reason than the recipe's own (a full disk, a crash); everything else is done by then.
    """
    shop = store if isinstance(store, Store) else Store(store)
    wanted = [node for item in nodes for node in ([item] if isinstance(item, Value) else item)]
    bench = Workbench(shop, device=device_named(device))
    left = plan(wanted, shop)
    if left.left:
        screen = display or Display()
        seconds = prices(left, Prices(bench))
        schedule = _Schedule(left, seconds, screen)
        executor = _executor(left, bench, workers, schedule, screen)
        try:
            schedule.run(executor)
        except KeyboardInterrupt:
            raise Interrupted(
                "stopped; everything reached is stored, the same command goes on from there"
            ) from None
        finally:
            executor.stop()
        if schedule.errors:
            raise schedule.error()
    return Results(shop)


def default_workers() -> int:
    """One worker a core that this process may use."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _executor(
    left: Plan, bench: Workbench, workers: int | None, schedule: "_Schedule", display: Display
) -> Executor:
    count = min(workers or default_workers(), len(left.left))
    if count < 1:
        raise UsageError(f"workers={workers} is not possible; use 1 or more")
    local = [job for job in left.jobs.values() if job.recipe.task.network.local]
    if local and count > 1:
        display.note(
            f"{local[0].recipe.task.network.path} is defined only in this process: working here, on one core"
        )
        count = 1
    if count > 1:
        try:
            pickle.dumps(next(iter(left.left.values())))
        except Exception as problem:
            display.note(f"the work cannot be sent to other processes ({problem}): working here, on one core")
            count = 1
    if count == 1:
        return Inline(bench, schedule.told)
    return Processes(bench.store.root, workers=count, device=bench.device)


@dataclass
class _Schedule:
    """Which piece of work comes next: the one with the longest path behind it."""

    left: Plan
    seconds: dict[str, float]
    display: Display
    steps: dict[str, int] = field(default_factory=dict)
    running: dict[int, str] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    errors: dict[str, Message] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    later: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.work = self.left.left
        self.path = remaining(self.left, self.seconds)
        self.waits = {key: set(before) for key, before in self.left.waits.items()}
        self.began = time.monotonic()
        # A reading takes next to nothing while its state is at hand, so readings come first.
        self.order = sorted(self.work, key=lambda key: (key in self.left.jobs, -self.path[key]))
        for key in list(self.left.failed):
            self._drop_dependents(key)

    def run(self, executor: Executor) -> None:
        """Works until nothing is left that can be done."""
        idle = set(range(executor.workers))
        while True:
            for worker in sorted(idle):
                key = self._next()
                if key is None:
                    break
                idle.discard(worker)
                self.running[worker] = key
                executor.start(worker, self.work[key])
            if not self.running and not self.later:
                return
            for message in executor.wait(0.2):
                self.told(message)
                if message.kind != "beat":
                    idle.add(message.worker)
            self.display.update(self.status())

    def told(self, message: Message) -> None:
        """Takes a worker's word into account."""
        key = message.node
        if message.kind == "beat":
            self.steps[key] = message.steps
            if message.worker == 0:
                self.display.update(self.status())
            return
        self.running.pop(message.worker, None)
        if message.kind == "done":
            self.done.add(key)
            for before in self.waits.values():
                before.discard(key)
        elif message.kind == "busy":
            self.later[key] = time.monotonic() + 0.5
        elif message.kind == "failed":
            self.display.note(f"run {key[:8]} failed: {message.why}")
            self._fail(key)
        elif message.kind == "died" and key and self.deaths.setdefault(key, 0) < 1:
            self.deaths[key] += 1
            self.display.note(
                "a worker process ended unexpectedly (out of memory?); its work is taken up again"
            )
        elif key:
            self.errors[key] = message
            self._fail(key)

    def _next(self) -> str | None:
        now = time.monotonic()
        busy = set(self.running.values())
        for key in self.order:
            if key in self.done or key in self.failed or key in busy or self.waits[key]:
                continue
            if self.later.get(key, 0.0) > now:
                continue
            self.later.pop(key, None)
            return key
        return None

    def _fail(self, key: str) -> None:
        self.failed.add(key)
        self._drop_dependents(key)

    def _drop_dependents(self, key: str) -> None:
        """What needs a failed node cannot be done."""
        lost = {key}
        for name, node in self.left.nodes.items():
            if any(value.id in lost for value in node.references):
                lost.add(name)
        self.failed |= lost & self.work.keys()

    def status(self) -> Status:
        """How far the work is now."""
        ended = self.done | self.failed
        shares = {key: self._share(key) for key in self.running.values()}
        reached = sum(self.seconds[key] for key in ended) + sum(
            self.seconds[key] * share for key, share in shares.items()
        )
        total, elapsed = sum(self.seconds.values()), time.monotonic() - self.began
        pace = (
            reached / elapsed if reached > 0.02 * total and elapsed > 3 else float(max(1, len(self.running)))
        )
        return Status(
            runs_done=len(ended & self.left.jobs.keys()),
            runs=len(self.left.jobs),
            readings_done=len(ended & self.left.readings.keys()),
            readings=len(self.left.readings),
            seconds=elapsed,
            seconds_left=(total - reached) / max(pace, 1e-9),
            running={worker: (label(self.work[key]), shares[key]) for worker, key in self.running.items()},
            failed=len(self.failed),
        )

    def _share(self, key: str) -> float:
        work = self.work[key]
        return min(1.0, self.steps.get(key, 0) / max(1, work.recipe.steps)) if isinstance(work, Job) else 0.0

    def error(self) -> PrunescopeError:
        """What went wrong for another reason than a recipe's own, as one error."""
        first = next(iter(self.errors.values()))
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        text = f"{label(self.work[first.node])}: {first.why}{more}"
        return UsageError(text) if first.usage else PrunescopeError(text)


def label(work: Job | Reading) -> str:
    """A short name for people: network, level, seed, run id."""
    if isinstance(work, Reading):
        return f"{type(work.measure).__name__} of {work.state.run.id[:8]}"
    recipe, level = work.recipe, 0
    while isinstance(recipe.start, StateRef) and isinstance(recipe.start.run, type(recipe)):
        recipe, level = recipe.start.run, level + 1
    name = work.recipe.task.network.path.rpartition(":")[2]
    noise = work.recipe.task.data.label_noise
    noisy = f", noise {100 * noise:g} %" if noise else ""
    return f"{name}{noisy}, level {level}, seed {work.recipe.seeds.order} ({work.id[:8]})"
