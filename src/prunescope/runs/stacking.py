"""How many runs of a kind are worth training in one program on this machine: measured, and kept in the store.

Belongs here: seconds and bytes of a run alone and in a program, the memory budget. Does not belong here: which runs
are alike (`packing.py`).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.base.value import text_digest
from prunescope.runs import memory
from prunescope.runs.engines import engine_of
from prunescope.runs.machine import processor
from prunescope.runs.packing import ALONE, Packing, common, like
from prunescope.runs.placement import one_thread
from prunescope.runs.plan import Job, Plan
from prunescope.runs.recipe import Fresh, Recipe
from prunescope.runs.workbench import Workbench, with_kernels
from prunescope.training.engines.engine import Engine
from prunescope.training.engines.stack import Stack, bytes_per_member, how
from prunescope.training.engines.stacked.forward import WAYS, Way
from prunescope.training.run import Member

FEW = 8
"""Members that are measured together, and the fewest runs of a kind that are worth measuring."""
MANY, SHORT_STEP = 32, 0.002
"""Members that are measured together where a step alone takes less than so many seconds."""
MOST = {"cpu": 64, "cuda": 512}
"""More members of one program gain nothing: what they share is then a few percent of a step."""
CLEARLY = 1.25
"""By so much another way must be faster than the first: which is taken should not depend on the moment."""
LONG_ENOUGH = 0.05
"""Seconds of steps that are timed at least."""
WORTH_SECONDS = 60.0
"""Less work of a kind is not worth measuring, which takes some seconds."""
SLOW_STEP = 0.02
"""On a CPU core a step that takes longer, seconds, is all products: nothing is left that members could share."""
GAIN = 0.5
"""A program must take at most this share of the time of its members alone, measured while no other worker runs: its
tensors stream through memory that the workers share, so a smaller gain becomes a loss (LOG.md: LeNet on two cores)."""
SAMPLES, FEW_SAMPLES, MANY_KINDS = 4, 1, 4
"""So many interventions of each kind of run are measured, fewer of many kinds; others cost what the nearest does."""


@dataclass(frozen=True)
class Worth:
    """Seconds a step of a run alone and of its place in a program; bytes that a member adds to the program.

    way: the faster way in which the network is applied to many members. member: 0 if the network admits none.
    """

    alone: float
    together: float
    member: int
    way: Way = "layers"


def packing(
    left: Plan, seconds: dict[str, float], bench: Workbench, *, workers: int, stack: int | None = None
) -> Packing:
    """How runs are packed: as measured, or `stack` at a time whatever it gains, or as many of these as fit into memory.

    seconds: the price of each piece of work alone. Raises UsageError for fewer than one run.
    """
    if stack is not None and stack < 1:
        raise UsageError(f"stack={stack} is not possible; use 1 or more runs in a program")
    by_kind, found, known = _by_kind(left), ALONE, Known(bench)
    for kind, every in by_kind.items():
        jobs = every if stack is not None or bench.device != "cpu" else [job for job in every if _fresh(job)]
        total = sum(seconds[job.id] for job in jobs)
        if stack == 1 or len(jobs) < 2 or (stack is None and (len(jobs) < FEW or total < WORTH_SECONDS)):
            continue
        step = total / max(1, sum(job.recipe.steps for job in jobs))
        if stack is None and bench.device == "cpu" and step > SLOW_STEP:
            continue
        worth = _worth(known, kind, jobs, SAMPLES if len(by_kind) <= MANY_KINDS else FEW_SAMPLES)
        member = max(w.member for w in worth.values()) + data_of_their_own(bench, [j.recipe for j in jobs])
        fits = _fits(member, bench.device, workers)
        shares = {text: w.together / max(w.alone, 1e-12) for text, w in worth.items()}
        gaining = {text: share for text, share in shares.items() if stack is not None or share <= GAIN}
        admits = all(w.member > 0 for w in worth.values())
        if stack is not None:
            found = found.noting(_note(jobs[0].recipe.task.network.path, stack, fits, admits, bench.device))
        if admits and gaining:
            most = stack or MOST["cpu" if bench.device == "cpu" else "cuda"]
            way = next(iter(worth.values())).way
            apart = {like(job.recipe) for job in every} - gaining.keys()
            found = found.adding(kind, min(most, fits), way, gaining, apart=apart)
    return found


def _fresh(job: Job) -> bool:
    """Whether it begins with fresh weights. How sparse a run is that begins with another's is not known beforehand, and
    alone, on a CPU, it may be many times faster than the dense one that could be measured.
    """
    return isinstance(job.recipe.start, Fresh)


def may_stack(left: Plan, stack: int | None) -> bool:
    """Whether there are enough runs of a kind for a program, or one was asked for."""
    return stack != 1 and any(len(jobs) >= (FEW if stack is None else 2) for jobs in _by_kind(left).values())


def _by_kind(left: Plan) -> dict[str, list[Job]]:
    found: dict[str, list[Job]] = {}
    for job in left.jobs.values():
        if (kind := common(job.recipe)) is not None:
            found.setdefault(kind, []).append(job)
    return found


def _note(path: str, stack: int, fits: int, admits: bool, device: str) -> str:
    """What is to be said of a stack that was asked for; empty if it can be had."""
    if not admits:
        return (
            f"{path} trains one run at a time, not {stack}: in one program it would not compute what it does alone "
            "(it draws numbers by itself, or its code mixes runs)"
        )
    if stack > fits:
        return (
            f"{stack} runs of {path} do not fit into the memory for one program ({100 * memory.SHARE:g} % of what is "
            f"free on {device}, shared by the workers); {fits} train at a time"
        )
    return ""


def in_packs(left: Plan, seconds: dict[str, float], packed: Packing) -> dict[str, float]:
    """The price of each piece of work where runs are packed so. seconds: what each costs by itself."""
    return {
        key: price * packed.share(left.jobs[key]) if key in left.jobs else price
        for key, price in seconds.items()
    }


def _worth(known: "Known", kind: str, jobs: Sequence[Job], samples: int) -> dict[str, Worth]:
    """By the interventions of the jobs, of which a few are measured."""
    by_text = {like(job.recipe): job.recipe for job in jobs}
    texts = sorted(by_text)
    count = min(samples, len(texts))
    places = sorted({round(k * (len(texts) - 1) / max(1, count - 1)) for k in range(count)})
    measured: dict[int, Worth] = {}
    for place in places:
        way = measured[places[0]].way if measured else None  # runs of a kind are applied in one way
        measured[place] = known.of(kind, texts[place], by_text[texts[place]], way)
    return {
        text: measured[min(places, key=lambda place, k=k: abs(place - k))]  # type: ignore[misc]
        for k, text in enumerate(texts)
    }


class Known:
    """What was measured before, on this machine, kept in the store."""

    def __init__(self, bench: Workbench) -> None:
        """Reads it."""
        self.bench = bench
        key = text_digest(f"{processor()} {torch.__version__} {bench.device} {bench.setting.id}")
        self.path = bench.store.root / "prices" / f"stacks-{key}.json"
        found = bench.store.read_json(self.path) or {}
        self.worth = {key: Worth(**value) for key, value in found.items()}

    def of(self, kind: str, text: str, recipe: Recipe, way: Way | None) -> Worth:
        """The worth of a kind of run, measured if it is not known; in the given way, or else in the faster one."""
        key = text_digest(kind + text + (way or ""))
        if key not in self.worth:
            try:
                self.worth[key] = measure(self.bench, recipe, way)
            except PrunescopeError:
                raise
            except Exception:  # the user's network: the run itself will meet this and say so
                return Worth(1.0, 1.0, 1)
            self.bench.store.write_json(self.path, {name: w.__dict__ for name, w in self.worth.items()})
        return self.worth[key]


def measure(bench: Workbench, recipe: Recipe, way: Way | None = None) -> Worth:
    """A few steps of runs of a kind, alone and together, after the events at their start.

    way: how the network is applied to all; by default the faster of those that it admits. Where memory does not suffice
    for so many, a place gains nothing and needs what can be counted.
    """
    with one_thread():
        first = _members(bench, recipe, 2)
        alone = _step(engine_of(bench.setting), first[:1], bench.device)
        ways: list[Way] = [way] if way else [one for one in ways_on(bench.device) if _admits(first[0], one)]
        if not ways:
            return Worth(alone, alone, 0)
        try:
            return _together(bench, recipe, first, alone, ways)
        except Exception as problem:
            if not memory.out_of_memory(problem):
                raise
            return Worth(alone, alone, bytes_per_member([member.lane for member in first], ways[0]), ways[0])


def _together(
    bench: Workbench, recipe: Recipe, first: list[Member], alone: float, ways: Sequence[Way]
) -> Worth:
    """What a place is worth in the fastest of the ways. first: two members; alone: seconds a step by itself."""
    # What members share is the smaller the more they are: short steps are measured as they will be taken.
    count = MANY if alone < SHORT_STEP else FEW
    with memory.watched(bench.device) as outside:
        members = [*first, *_members(bench, recipe, count - 2)]

    def together(way: Way, rounds: int) -> float:
        stack = Stack(size=count, way=way, otherwise=engine_of(bench.setting))
        return _step(stack, members, bench.device, rounds=rounds) / count

    best = ways[0]
    if len(ways) > 1:
        best = min(ways, key=lambda one: together(one, 2) * (1.0 if one == ways[0] else CLEARLY))
    counted = bytes_per_member([member.lane for member in first], best)
    with memory.watched(bench.device) as peak:
        seconds = together(best, 3)
    return Worth(alone, seconds, max(counted, outside() // (count - 2) + peak() // count), best)


def data_of_their_own(bench: Workbench, recipes: Sequence[Recipe]) -> int:
    """Bytes of the examples that each of these runs brings along; 0 where they share one copy."""
    sources = {recipe.task.data.source.id: recipe.task.data.source for recipe in recipes}
    if len(sources) < 2:
        return 0
    source = sources[min(sources)]
    arrays = bench.arrays.get(source.id, source.load)
    one = torch.zeros(1, dtype=torch.int64)
    return sum(len(x) * x.take(one).nbytes for x in (arrays.train_x, arrays.test_x))


def ways_on(device: str) -> list[Way]:
    """The ways that are worth trying on a device: only a GPU runs several programs of one process at a time."""
    return [way for way in WAYS if way != "streams" or device != "cpu"]


def _admits(member: Member, way: Way) -> bool:
    return how(member.lane, way).name == way


def _members(bench: Workbench, recipe: Recipe, count: int) -> list[Member]:
    """A run so many times where its first step begins; one that starts from another run, from fresh weights."""
    if not isinstance(recipe.start, Fresh):
        recipe = recipe.replace(start=Fresh(), interventions=(), begin="0it")
    program = with_kernels(bench.program(recipe), bench.setting.kernels)
    members = [Member(program, bench.start(recipe, program)) for _ in range(count)]
    for member in members:
        member.arrive()
    return members


def _step(engine: Engine, members: Sequence[Member], device: str, *, rounds: int = 3) -> float:
    """Seconds of one more step of all members, at best: a run takes thousands, so what comes before the first is left
    out, which for a program of many members can take as long as a hundred steps.
    """
    lanes, free = [member.lane for member in members], min(member.steps_until_due for member in members)
    # On a GPU the fewest are enough for a recording, so that making it counts as what comes before.
    few, many, most = (min(count, free) for count in ((2, 8, 256) if device == "cpu" else (8, 32, 1024)))

    def seconds(count: int) -> float:
        began = time.perf_counter()
        engine.advance(lanes, count)
        if device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    seconds(few)  # compiles
    less, more = seconds(few), seconds(many)
    # Else it would drown in what comes before the first step, or in what other programs do.
    while many < most and more < max(1.5 * less, LONG_ENOUGH):
        many = min(2 * many, most)
        more = seconds(many)
    for _ in range(rounds - 1):
        less, more = min(less, seconds(few)), min(more, seconds(many))
    # With one or two steps until an event there are not two counts to compare.
    return (more - less) / (many - few) if many > few and more > less else more / many


def _fits(member: int, device: str, workers: int) -> int:
    """How many members fit into a worker's share of the memory."""
    return max(1, memory.budget(device, workers) // max(1, member))
