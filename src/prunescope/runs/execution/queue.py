"""Which piece of work comes next, and what its end means for the others.

Belongs here: the order of work. Does not belong here: the work itself (`workbench.py`), the workers (`executors/`).
"""

import heapq
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import replace

from prunescope.base.digest import text_digest
from prunescope.base.errors import PrunescopeError
from prunescope.runs.execution.messages import Executor, Message, Work, ids_of
from prunescope.runs.execution.status import Display, WorkStatus
from prunescope.runs.graph.nodes import Measured
from prunescope.runs.graph.recipe import level_of
from prunescope.runs.machine.packing import ALONE, Packing, choose_pack
from prunescope.runs.store.plan import Job, Plan

RETRY_SECONDS = 0.5
"""How soon work that another process holds is tried again."""
LOOK_SECONDS = 5.0
"""How often the store is looked at for what others have done; a look takes no more than a twentieth of the time."""


class WorkQueue:
    """The work of a plan: readings first, while their state is in memory, then what has the longest path behind it."""

    def __init__(
        self,
        plan: Plan,
        seconds: dict[str, float],
        display: Display,
        packing: Packing = ALONE,
        *,
        stored: Callable[[Collection[str]], dict[str, str]] = lambda keys: {},
    ) -> None:
        """seconds: what each piece of work will take, by id.

        stored: of some pieces of work, those that somebody has stored by now, as `Plan.stored`.
        """
        self.stored = stored
        self.plan, self.seconds, self.display, self.packing = plan, seconds, display, packing
        self.paths = plan.longest_paths(seconds)
        self.waits = {key: len(before) for key, before in plan.waits.items()}
        self.dependents: dict[str, list[str]] = {key: [] for key in plan.work}
        for key, before in plan.waits.items():
            for needed in before:
                self.dependents[needed].append(key)
        self.ready: list[tuple[bool, float, str, str]] = []  # a heap: readings first, longest path first
        self.retries: list[tuple[float, str]] = []  # a heap: when work that another process held is tried again
        self.running: dict[int, list[str]] = {}  # by worker, the ids whose end is not known yet
        self.given: dict[int, int] = {}  # by worker, how many ids its last work had
        self.limits: dict[str, int] = {}  # most runs of a pack, after a worker died of a larger one
        self.steps: dict[str, int] = {}
        self.took: dict[str, float] = {}  # seconds of readings, by id
        self.ended: dict[str, bool] = {}  # whether it ended well
        self.errors: dict[str, Message] = {}
        self.failures: dict[str, str] = {}  # why, of runs that were stored as failed
        self.others: set[str] = set()  # who else works on some of it
        self.salt = ""  # once others are met: an order of its own among what is equally urgent
        self.next_look = 0.0
        self.deaths: set[str] = set()  # work during which, by itself, a worker died
        self.began, self.reached, self.total = time.monotonic(), 0.0, sum(seconds.values())
        self.moves: float | None = None  # since when workers, who have to start first, say something
        self.progress = 0.0, self.began  # how far it was when it last went on, and when that was
        impossible = plan.downstream(plan.failed)
        self._drop([key for key in plan.work if key in impossible])
        for key in plan.work:
            self._offer(key)

    def run(self, executor: Executor) -> None:
        """Gives work to workers until everything that can be done is done."""
        free = set(range(executor.workers))
        while True:
            self._look()
            for worker in sorted(free):
                key = self._next()
                if key is None:
                    break
                free.discard(worker)
                work = self._work(key, executor.workers)
                keys = ids_of(work)
                self.running[worker], self.given[worker] = keys, len(keys)
                executor.start(worker, work)
            if not self.running and not self.retries and not self.ready:
                return
            for message in executor.wait(0.2):
                self.receive(message)
                if message.kind == "free":
                    free.add(message.worker)
            self.display.update(self.status())

    def receive(self, message: Message) -> None:
        """Takes note of what a worker says; what it says without a name holds for all that it has not finished."""
        key, self.moves = message.node, self.moves or time.monotonic()
        if message.kind == "beat":
            self.steps[key] = message.steps
            return
        if message.kind == "free":
            self.running.pop(message.worker, None)
            return
        unfinished = self.running.get(message.worker, [])
        if not key and unfinished:
            for name in list(unfinished):
                self.receive(replace(message, node=name))
            return
        if key in unfinished:
            unfinished.remove(key)
        if message.kind == "done":
            if key in self.plan.readings and message.steps:
                self.took[key] = message.steps / 1000
            self._end(key, well=True)
        elif message.kind == "busy":
            if message.why not in self.others:
                if not self.others:
                    self._meet_others()
                self.others.add(message.why)
                self.display.note(f"{message.why} works on some of this, too; what it makes is waited for")
            heapq.heappush(self.retries, (time.monotonic() + RETRY_SECONDS, key))
        elif message.kind == "failed":
            self.failures[key] = message.why
            self.display.note(f"{label(self.plan.work[key])} failed: {message.why}")
            self._drop([key])
        elif message.kind == "died" and (self.given.get(message.worker, 1) > 1 or key not in self.deaths):
            self._try_again(key, self.given.get(message.worker, 1), is_last=not unfinished)
        else:
            self.errors[key] = message
            self._drop([key])

    def _try_again(self, key: str, pack: int, *, is_last: bool) -> None:
        """Offers work whose worker died: once more by itself, what was in a pack of so many runs in smaller ones."""
        if key:
            if pack > 1:
                self.limits[key] = pack // 2
            else:
                self.deaths.add(key)
            self._offer(key)
        if is_last:
            self.display.note(
                "a worker process ended unexpectedly (out of memory?); its work is taken up again"
                + (", fewer runs at a time" if pack > 1 else "")
            )

    def status(self) -> WorkStatus:
        """How far the work is now."""
        shares = {key: self._share(key) for keys in self.running.values() for key in keys}
        reached = self.reached + sum(self.seconds[key] * share for key, share in shares.items())
        now = time.monotonic()
        moved = now - (self.moves or now)
        is_measured = reached > 0.02 * self.total and moved > 3
        pace = reached / moved if is_measured else float(max(1, len(self.running)))
        if reached > self.progress[0]:
            self.progress = reached, now
        runs = sum(key in self.plan.jobs for key in self.ended)
        return WorkStatus(
            runs_done=runs,
            runs=len(self.plan.jobs),
            readings_done=len(self.ended) - runs,
            readings=len(self.plan.readings),
            seconds=now - self.began,
            # What has stood still for longer than it was to take will take at least as long again.
            seconds_left=max((self.total - reached) / max(pace, 1e-9), now - self.progress[1]),
            running={worker: self._summary(keys, shares) for worker, keys in self.running.items() if keys},
            failed=sum(not well for well in self.ended.values()),
        )

    def error(self) -> PrunescopeError:
        """All errors as one: what went wrong for another reason than the recipe itself."""
        first = next(iter(self.errors.values()))
        why = first.why if first.kind != "died" else "its worker process ended twice without a word (out of memory?)"
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        return first.error(f"{label(self.plan.work[first.node])}: {why}{more}")

    def _summary(self, keys: list[str], shares: dict[str, float]) -> tuple[str, float]:
        """What a worker does, for people, and the share that is done of it."""
        more = f"{len(keys)} runs together, among them " if len(keys) > 1 else ""
        return more + label(self.plan.work[keys[0]]), sum(shares[key] for key in keys) / len(keys)

    def _share(self, key: str) -> float:
        job = self.plan.jobs.get(key)
        if job is None:  # what it will take is a guess
            return min(0.99, self.steps.get(key, 0) / 1000 / max(self.seconds[key], 1e-3))
        return min(1.0, self.steps.get(key, 0) / max(1, job.recipe.steps))

    def _work(self, key: str, workers: int) -> Work:
        """What a worker gets: a run with those that train in one program with it, anything else by itself."""
        job, most = self.plan.jobs.get(key), self._pack_size(key)
        if job is None or most < 2:
            return self.plan.work[key]
        waiting = [other for *_, other in self.ready if other in self.plan.jobs and self._pack_size(other) >= most]
        keys = choose_pack(key, waiting, self.plan.jobs.__getitem__, most=most, workers=workers)
        chosen = set(keys)
        self.ready = [entry for entry in self.ready if entry[-1] not in chosen]
        heapq.heapify(self.ready)
        return self.packing.pack([self.plan.jobs[key] for key in keys], most)

    def _pack_size(self, key: str) -> int:
        size = self.packing.size(self.plan.jobs[key].recipe) if key in self.plan.jobs else 1
        return min(size, self.limits.get(key, size))

    def _next(self) -> str | None:
        while self.retries and self.retries[0][0] <= time.monotonic():
            self._offer(heapq.heappop(self.retries)[1])
        while self.ready:
            key = heapq.heappop(self.ready)[-1]
            if key not in self.ended:
                return key
        return None

    def _offer(self, key: str) -> None:
        if self.waits[key] == 0 and key not in self.ended:
            heapq.heappush(self.ready, self._rank(key))

    def _rank(self, key: str) -> tuple[bool, float, str, str]:
        return key in self.plan.jobs, -self.paths[key], self.salt and text_digest(self.salt + key), key

    def _meet_others(self) -> None:
        """Somebody else works on this, too: from now on what both could do next is something else for each."""
        self.salt = uuid.uuid4().hex
        self.ready = [self._rank(key) for *_, key in self.ready]
        heapq.heapify(self.ready)

    def _look(self) -> None:
        """Takes note of what others have stored, now and then, all at once: cheaper than asking for every piece."""
        began = time.monotonic()
        if not self.others or began < self.next_look:
            return
        here = {key for keys in self.running.values() for key in keys}
        for key, why in self.stored(self.plan.work.keys() - self.ended.keys() - here).items():
            if key not in self.ended:
                self.receive(Message(key, "failed" if why else "done", why=why))
        now = time.monotonic()
        self.next_look = now + max(LOOK_SECONDS, 20 * (now - began))

    def _end(self, key: str, *, well: bool) -> None:
        self.ended[key] = well
        self.reached += self.seconds[key]
        if well:
            for dependent in self.dependents[key]:
                self.waits[dependent] -= 1
                self._offer(dependent)

    def _drop(self, keys: list[str]) -> None:
        """Ends this work, and all that needs it, as impossible."""
        pending = list(keys)
        while pending:
            key = pending.pop()
            if key not in self.ended:
                self._end(key, well=False)
                pending.extend(self.dependents[key])


def label(work: Job | Measured) -> str:
    """A short name for people: network, level, seed, run id."""
    if isinstance(work, Measured):
        return work.title
    name = work.recipe.task.network.path.rpartition(":")[2]
    noise = work.recipe.task.data.label_noise
    noisy = f", noise {100 * noise:g} %" if noise else ""
    return f"{name}{noisy}, level {level_of(work.recipe)}, seed {work.recipe.seeds.order} ({work.id[:8]})"
