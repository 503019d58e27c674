"""How many runs of a kind are worth training in one program on this machine: measured, and kept in the store.

Belongs here: seconds and bytes of a run alone and in a program, and how many fit into memory. Does not belong here:
which runs are alike (`packing.py`), how much memory there is (`memory.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from prunescope.base.errors import UsageError
from prunescope.base.value import text_digest
from prunescope.runs.graph.recipe import Fresh, Recipe
from prunescope.runs.machine import memory
from prunescope.runs.machine.devices import one_thread, processor, seconds_worked
from prunescope.runs.machine.engines import engine_of
from prunescope.runs.machine.loader import Loader, with_kernels
from prunescope.runs.machine.measurements import Measurements
from prunescope.runs.machine.packing import Kind, Packing, common, like
from prunescope.runs.store.plan import Job, Plan
from prunescope.training.engines.engine import Engine
from prunescope.training.engines.stack import Stack, bytes_per_member, how
from prunescope.training.engines.stacked.forward import METHODS, Method
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
    """What a place in a program is worth to a run.

    alone: seconds a step of the run by itself.
    together: seconds a step of its place in a program.
    member: bytes that it adds to the program; 0 if its network can be applied to many members in no way.
    way: the faster way in which the network is applied to many members.
    """

    alone: float
    together: float
    member: int
    way: Method = "layers"


def packing(
    plan: Plan, seconds: dict[str, float], loader: Loader, *, workers: int, stack: int | None = None
) -> Packing:
    """How runs are packed: as measured, or `stack` at a time whatever it gains, or as many of these as fit into memory.

    seconds: the price of each piece of work alone. Raises UsageError for fewer than one run.
    """
    if stack is not None and stack < 1:
        raise UsageError(f"stack={stack} is not possible; use 1 or more runs in a program")
    key = text_digest(f"{processor()} {torch.__version__} {loader.device} {loader.setting.id}")
    measured = Measurements(loader.store, f"stacks-{key}", Worth)
    by_kind: dict[str, list[Job]] = {}
    for job in plan.jobs.values():
        if (kind := common(job.recipe)) is not None:
            by_kind.setdefault(kind, []).append(job)
    kinds: dict[str, Kind] = {}
    notes: list[str] = []
    for kind, jobs_of_kind in by_kind.items():
        jobs = _candidates(jobs_of_kind, seconds, loader.device, stack)
        if not jobs:
            continue
        samples = SAMPLES if len(by_kind) <= MANY_KINDS else FEW_SAMPLES
        worths = _worths(loader, measured, kind, jobs, samples)
        member = max(worth.member for worth in worths.values())
        fits = _fits(member + bytes_of_data(loader, [job.recipe for job in jobs]), loader.device, workers)
        shares = {text: worth.together / max(worth.alone, 1e-12) for text, worth in worths.items()}
        gaining = {text: share for text, share in shares.items() if stack is not None or share <= GAIN}
        stackable = all(worth.member > 0 for worth in worths.values())
        if stack is not None:
            path = jobs[0].recipe.task.network.path
            notes.append(_note(path, stack, fits, stackable, loader.device))
        if stackable and gaining:
            most = stack or MOST["cpu" if loader.device == "cpu" else "cuda"]
            kinds[kind] = Kind(min(most, fits), next(iter(worths.values())).way, gaining)
    return Packing(kinds, tuple(dict.fromkeys(filter(None, notes))))


def _candidates(jobs: list[Job], seconds: dict[str, float], device: str, stack: int | None) -> list[Job]:
    """The jobs of a kind that may train together; none where that cannot pay and was not asked for."""
    if stack is not None:
        return jobs if stack > 1 and len(jobs) > 1 else []
    if device == "cpu":
        # How sparse a run is that begins with another's weights is not known beforehand, and alone, on a CPU, it may be
        # many times faster than the dense one that could be measured.
        jobs = [job for job in jobs if isinstance(job.recipe.start, Fresh)]
    total, steps = sum(seconds[job.id] for job in jobs), sum(job.recipe.steps for job in jobs)
    if len(jobs) < FEW or total < WORTH_SECONDS or (device == "cpu" and total / max(1, steps) > SLOW_STEP):
        return []
    return jobs


def _note(path: str, stack: int, fits: int, stackable: bool, device: str) -> str:
    """What people have to know of a stack that was asked for; empty if they get it."""
    if not stackable:
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


def _worths(
    loader: Loader, measured: Measurements[Worth], kind: str, jobs: Sequence[Job], samples: int
) -> dict[str, Worth]:
    """By what the jobs of a kind are `like`: a few of these are measured, others are worth what the nearest is."""
    by_text = {like(job.recipe): job.recipe for job in jobs}
    texts = sorted(by_text)
    count = min(samples, len(texts))
    places = sorted({round(k * (len(texts) - 1) / max(1, count - 1)) for k in range(count)})
    worths: dict[int, Worth] = {}
    way: Method | None = None  # runs of a kind are applied in one way
    for place in places:
        key = text_digest(kind + texts[place] + (way or ""))
        work = partial(measure, loader, by_text[texts[place]], way)
        worths[place] = measured.get(key, work, failed=Worth(1.0, 1.0, 1))
        way = worths[places[0]].way
    return {text: worths[min(places, key=lambda place: abs(place - k))] for k, text in enumerate(texts)}


def measure(loader: Loader, recipe: Recipe, way: Method | None = None) -> Worth:
    """Times a few steps of runs of a kind, alone and together, after the events at their start.

    way: how the network is applied to all; by default the faster of those that it admits. Where memory does not suffice
    for so many, a place gains nothing and needs what can be counted.
    """
    with one_thread():
        pair = _members(loader, recipe, 2)
        alone = _step(engine_of(loader.setting), pair[:1], loader.device)
        ways = [way] if way else [w for w in ways_on(loader.device) if how(pair[0].replica, w).name == w]
        if not ways:
            return Worth(alone, alone, 0)
        try:
            return _measure_pack(loader, recipe, pair, alone, ways)
        except Exception as problem:
            if not memory.out_of_memory(problem):
                raise
            return Worth(alone, alone, bytes_per_member([member.replica for member in pair], ways[0]), ways[0])


def _measure_pack(loader: Loader, recipe: Recipe, pair: list[Member], alone: float, ways: Sequence[Method]) -> Worth:
    """What a place is worth in the fastest of the ways. pair: two members; alone: seconds a step by itself."""
    # What members share is the smaller the more they are: short steps are measured as they will be taken.
    count = MANY if alone < SHORT_STEP else FEW
    with memory.watched(loader.device) as bytes_of_members:
        members = [*pair, *_members(loader, recipe, count - 2)]

    def together(way: Method, rounds: int) -> float:
        stack = Stack(size=count, method=way, otherwise=engine_of(loader.setting))
        return _step(stack, members, loader.device, rounds=rounds) / count

    best = ways[0]
    if len(ways) > 1:
        best = min(ways, key=lambda way: together(way, 2) * (1.0 if way == ways[0] else CLEARLY))
    counted = bytes_per_member([member.replica for member in pair], best)
    with memory.watched(loader.device) as bytes_of_steps:
        seconds = together(best, 3)
    measured = bytes_of_members() // (count - 2) + bytes_of_steps() // count
    return Worth(alone, seconds, max(counted, measured), best)


def bytes_of_data(loader: Loader, recipes: Sequence[Recipe]) -> int:
    """Bytes of the examples that each of these runs brings along; 0 where they share one copy."""
    sources = {recipe.task.data.source.id: recipe.task.data.source for recipe in recipes}
    if len(sources) < 2:
        return 0
    source = sources[min(sources)]
    arrays = loader.arrays.get(source.id, source.load)
    first_row = torch.zeros(1, dtype=torch.int64)
    return sum(len(x) * x.take(first_row).nbytes for x in (arrays.train_x, arrays.test_x))


def ways_on(device: str) -> list[Method]:
    """The ways that are worth trying on a device: only a GPU runs several programs of one process at a time."""
    return [way for way in METHODS if way != "streams" or device != "cpu"]


def _members(loader: Loader, recipe: Recipe, count: int) -> list[Member]:
    """A run so many times where its first step begins; one that starts from another run, from fresh weights."""
    if not isinstance(recipe.start, Fresh):
        recipe = recipe.replace(start=Fresh(), interventions=(), begin="0it")
    # The state of another run, such as one whose masks are taken, need not be there yet.
    recipe = recipe.replace(interventions=tuple(value for value in recipe.interventions if not value.references))
    program = with_kernels(loader.program(recipe), loader.setting.kernels)
    members = [Member(program, loader.start(recipe, program)) for _ in range(count)]
    for member in members:
        member.arrive()
    return members


def _step(engine: Engine, members: Sequence[Member], device: str, *, rounds: int = 3) -> float:
    """Seconds of one more step of all members, at best.

    A run takes thousands of steps, so what comes before the first is left out, which for a program of many
    members can take as long as a hundred steps.
    """
    replicas, free = [member.replica for member in members], min(member.steps_until_due for member in members)
    # On a GPU the fewest are enough for a recording, so that making it counts as what comes before.
    few, many, most = (min(count, free) for count in ((2, 8, 256) if device == "cpu" else (8, 32, 1024)))

    def seconds(count: int) -> float:
        began = seconds_worked(device)
        engine.advance(replicas, count)
        return seconds_worked(device) - began

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
    """How many members of so many bytes fit into a worker's share of the memory."""
    return max(1, memory.budget(device, workers) // max(1, member))
