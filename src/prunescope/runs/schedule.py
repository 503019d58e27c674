"""Which piece of work comes next, and what its end means for the others.

Belongs here: the order of work. Does not belong here: the work itself (`workbench.py`), the workers (`executors/`).
"""

import heapq
import time

from prunescope.base.errors import PrunescopeError
from prunescope.base.reference import StateRef
from prunescope.runs.executors.executor import Executor, Message
from prunescope.runs.graph import Reading
from prunescope.runs.packing import ALONE, Pack, Packing, take
from prunescope.runs.plan import Job, Plan, remaining
from prunescope.runs.status import Display, Status

RETRY_SECONDS = 0.5
"""How soon work is asked for again that another process is doing."""


class Schedule:
    """The work of a plan: readings first, while their state is at hand, then what has the longest path behind it."""

    def __init__(
        self, left: Plan, seconds: dict[str, float], display: Display, packing: Packing = ALONE
    ) -> None:
        """seconds: what each piece of work will take, by id."""
        self.packing = packing
        self.left, self.work, self.seconds, self.display = left, left.left, seconds, display
        self.path = remaining(left, seconds)
        self.waiting = {key: len(before) for key, before in left.waits.items()}
        self.behind: dict[str, list[str]] = {key: [] for key in self.work}
        for key, before in left.waits.items():
            for one in before:
                self.behind[one].append(key)
        self.ready: list[tuple[bool, float, str]] = []
        self.later: list[tuple[float, str]] = []
        self.running: dict[int, list[str]] = {}
        self.given: dict[int, int] = {}
        self.limits: dict[str, int] = {}
        self.steps: dict[str, int] = {}
        self.ended: dict[str, bool] = {}
        self.errors: dict[str, Message] = {}
        self.deaths: set[str] = set()
        self.began, self.reached, self.total = time.monotonic(), 0.0, sum(seconds.values())
        self._drop(self._impossible())
        for key in self.work:
            self._offer(key)

    def run(self, executor: Executor) -> None:
        """Works until nothing is left that can be done."""
        idle = set(range(executor.workers))
        while True:
            for worker in sorted(idle):
                key = self._next()
                if key is None:
                    break
                idle.discard(worker)
                work = self._piece(key, executor.workers)
                keys = [job.id for job in work.jobs] if isinstance(work, Pack) else [key]
                self.running[worker], self.given[worker] = keys, len(keys)
                executor.start(worker, work)
            if not self.running and not self.later and not self.ready:
                return
            for message in executor.wait(0.2):
                self.told(message)
                if message.kind != "beat" and message.idle:
                    idle.add(message.worker)
            self.display.update(self.status())

    def told(self, message: Message) -> None:
        """Takes a worker's word into account."""
        key = message.node
        if message.kind == "beat":
            self.steps[key] = message.steps
            return
        if key in self.running.get(message.worker, ()):
            self.running[message.worker].remove(key)
        if message.idle:
            self.running.pop(message.worker, None)
        if message.kind == "free":
            return
        if message.kind == "done":
            self._end(key, well=True)
        elif message.kind == "busy":
            heapq.heappush(self.later, (time.monotonic() + RETRY_SECONDS, key))
        elif message.kind == "failed":
            self.display.note(f"run {key[:8]} failed: {message.why}")
            self._drop([key])
        elif message.kind == "died" and (self.given.get(message.worker, 1) > 1 or key not in self.deaths):
            self._died(key, message)
        else:
            self.errors[key] = message
            self._drop([key])

    def _died(self, key: str, message: Message) -> None:
        """The work is taken up again: once more by itself, what was in a pack in smaller ones."""
        together = self.given.get(message.worker, 1)
        if key and together > 1:
            self.limits[key] = together // 2
            self._offer(key)
        elif key:
            self.deaths.add(key)
            self._offer(key)
        if message.idle:
            self.display.note(
                "a worker process ended unexpectedly (out of memory?); its work is taken up again"
                + (", fewer runs at a time" if together > 1 else "")
            )

    def status(self) -> Status:
        """How far the work is now."""
        shares = {key: self._share(key) for keys in self.running.values() for key in keys}
        reached = self.reached + sum(self.seconds[key] * share for key, share in shares.items())
        elapsed = time.monotonic() - self.began
        measured = reached > 0.02 * self.total and elapsed > 3
        pace = reached / elapsed if measured else float(max(1, len(self.running)))
        runs = sum(key in self.left.jobs for key in self.ended)
        return Status(
            runs_done=runs,
            runs=len(self.left.jobs),
            readings_done=len(self.ended) - runs,
            readings=len(self.left.readings),
            seconds=elapsed,
            seconds_left=(self.total - reached) / max(pace, 1e-9),
            running={worker: self._doing(keys, shares) for worker, keys in self.running.items() if keys},
            failed=sum(not well for well in self.ended.values()),
        )

    def error(self) -> PrunescopeError:
        """What went wrong for another reason than a recipe's own, as one error."""
        first = next(iter(self.errors.values()))
        why = (
            first.why
            if first.kind != "died"
            else "its worker process ended twice without a word (out of memory?)"
        )
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        return first.error(f"{label(self.work[first.node])}: {why}{more}")

    def _doing(self, keys: list[str], shares: dict[str, float]) -> tuple[str, float]:
        more = f"{len(keys)} runs together, among them " if len(keys) > 1 else ""
        return more + label(self.work[keys[0]]), sum(shares[key] for key in keys) / len(keys)

    def _piece(self, key: str, workers: int) -> Job | Reading | Pack:
        """The work that is given out: a run with those that train in one program with it, anything else alone."""
        job = self.left.jobs.get(key)
        most = self._most(key)
        if job is None or most < 2:
            return self.work[key]
        waiting = [
            other for _, _, other in self.ready if other in self.left.jobs and self._most(other) >= most
        ]
        keys = take(key, waiting, self.left.jobs.__getitem__, most=most, workers=workers)
        taken = set(keys)
        self.ready = [entry for entry in self.ready if entry[2] not in taken]
        heapq.heapify(self.ready)
        return self.packing.pack([self.left.jobs[key] for key in keys], most)

    def _most(self, key: str) -> int:
        most = self.packing.size(self.left.jobs[key].recipe) if key in self.left.jobs else 1
        return min(most, self.limits.get(key, most))

    def _next(self) -> str | None:
        while self.later and self.later[0][0] <= time.monotonic():
            self._offer(heapq.heappop(self.later)[1])
        while self.ready:
            key = heapq.heappop(self.ready)[2]
            if key not in self.ended:
                return key
        return None

    def _offer(self, key: str) -> None:
        if self.waiting[key] == 0 and key not in self.ended:
            heapq.heappush(self.ready, (key in self.left.jobs, -self.path[key], key))

    def _end(self, key: str, *, well: bool) -> None:
        self.ended[key] = well
        self.reached += self.seconds[key]
        if well:
            for after in self.behind[key]:
                self.waiting[after] -= 1
                self._offer(after)

    def _drop(self, keys: list[str]) -> None:
        """These, and all that needs them, cannot be done."""
        pending = list(keys)
        while pending:
            key = pending.pop()
            if key not in self.ended:
                self._end(key, well=False)
                pending.extend(self.behind[key])

    def _impossible(self) -> list[str]:
        """The work that needs a run that is stored as failed."""
        lost = set(self.left.failed)
        for key, node in self.left.nodes.items():
            if any(value.id in lost for value in node.references):
                lost.add(key)
        return [key for key in self.work if key in lost]

    def _share(self, key: str) -> float:
        work = self.work[key]
        return min(1.0, self.steps.get(key, 0) / max(1, work.recipe.steps)) if isinstance(work, Job) else 0.0


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
