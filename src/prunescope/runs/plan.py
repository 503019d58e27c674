"""What is asked for, what is stored, what is left to do and what it will cost.

Belongs here: comparing the graph with the store. Does not belong here: doing it (`execute.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from prunescope.base.reference import FINAL, Moment, StateRef
from prunescope.base.value import Value
from prunescope.runs.graph import Chosen, Reading, Trace, closure
from prunescope.runs.pricing import Prices
from prunescope.runs.recipe import Recipe
from prunescope.runs.store import Store
from prunescope.training.probes import Probe


@dataclass(frozen=True)
class Job:
    """A run to make, or the parts of it that are missing: moments to keep, probes to attach."""

    recipe: Recipe
    moments: tuple[Moment, ...] = ()
    probes: tuple[Probe, ...] = ()

    @property
    def id(self) -> str:
        """The run's id."""
        return self.recipe.id


@dataclass(frozen=True)
class Plan:
    """The closure of the nodes asked for, and what of it is left to do.

    nodes: by id, inputs first. jobs, readings: what the store lacks, by id, in the same order.
    failed: runs that are stored as failed, with the reason. waits: for each node left to do, the ids among jobs
    and readings that must be done before it.
    """

    nodes: dict[str, Value]
    jobs: dict[str, Job]
    readings: dict[str, Reading]
    failed: dict[str, str]
    waits: dict[str, set[str]] = field(default_factory=dict)

    @property
    def runs(self) -> list[Recipe]:
        """All runs of the graph."""
        return [node for node in self.nodes.values() if isinstance(node, Recipe)]

    @cached_property
    def left(self) -> dict[str, Job | Reading]:
        """Everything left to do, by id."""
        return {**self.jobs, **self.readings}


def plan(nodes: Iterable[Value], store: Store) -> Plan:
    """What the store lacks of the given nodes and of everything they need. Reads no data and trains nothing."""
    graph = closure(nodes)
    moments, probes = _wanted(graph)
    jobs: dict[str, Job] = {}
    readings: dict[str, Reading] = {}
    failed: dict[str, str] = {}
    stored = store.known_runs(node.id for node in graph.values() if isinstance(node, Recipe))
    for node in graph.values():
        if isinstance(node, Recipe):
            if node.id in stored and stored[node.id]["status"] == "failed":
                failed[node.id] = stored[node.id]["why"]
                continue
            job = Job(node, tuple(moments.get(node.id, ())), tuple(probes.get(node.id, ())))
            if node.id not in stored:
                jobs[node.id] = job
            elif (rest := _lacking(job, stored[node.id])) is not None:
                jobs[node.id] = rest
        elif isinstance(node, Reading) and not store.has_reading(node.id):
            readings[node.id] = node
    left = jobs.keys() | readings.keys()
    return Plan(graph, jobs, readings, failed, _waits(graph, left))


def _lacking(job: Job, stored: dict[str, Any]) -> Job | None:
    """The part of a job that a stored run lacks; None if it lacks nothing."""
    moments = tuple(moment for moment in (FINAL, *job.moments) if moment.id not in stored["states"])
    probes = tuple(probe for probe in job.probes if probe.id not in stored["traces"])
    return Job(job.recipe, moments, probes) if moments or probes else None


def _wanted(graph: dict[str, Value]) -> tuple[dict[str, list[Moment]], dict[str, list[Probe]]]:
    """The moments besides the last, and the probes, that are wanted of each run; each once."""
    moments: dict[str, dict[str, Moment]] = {}
    probes: dict[str, dict[str, Probe]] = {}
    for node in graph.values():
        if isinstance(node, StateRef) and node.moment.when != "final":
            among = node.run.among if isinstance(node.run, Chosen) else (node.run,)
            for run in among:
                moments.setdefault(run.id, {})[node.moment.id] = node.moment
        elif isinstance(node, Trace):
            probes.setdefault(node.run.id, {})[node.probe.id] = node.probe
    return {run: [*m.values()] for run, m in moments.items()}, {
        run: [*p.values()] for run, p in probes.items()
    }


def _waits(graph: dict[str, Value], left: Iterable[str]) -> dict[str, set[str]]:
    """For every node left to do, the nearest ones that it depends on; what is stored depends on nothing."""
    todo = set(left)
    nearest: dict[str, set[str]] = {}
    for key, node in graph.items():
        stored = isinstance(node, Recipe | Reading) and key not in todo
        waits: set[str] = set()
        for value in () if stored else node.references:
            waits |= {value.id} if value.id in todo else nearest[value.id]
        nearest[key] = waits
    return {key: nearest[key] for key in todo}


@dataclass(frozen=True)
class Cost:
    """What a plan will cost: seconds of work in all, on the longest path, and on the clock; bytes of disk."""

    work: float
    longest: float
    clock: float
    disk: int


def prices(left: Plan, price: Prices) -> dict[str, float]:
    """Seconds of one core for everything left to do by itself, by id. A choice is priced by its dearest member."""
    seconds = {key: price.run(job.recipe, job.probes) for key, job in left.jobs.items()}
    seconds |= {key: price.reading(node, _dearest(node)) for key, node in left.readings.items()}
    return seconds


def remaining(left: Plan, seconds: dict[str, float]) -> dict[str, float]:
    """Seconds from the start of each node to the end of the longest path through what waits for it."""
    path = dict(seconds)
    order = [key for key in left.nodes if key in seconds]
    for key in reversed(order):
        for before in left.waits[key]:
            path[before] = max(path[before], seconds[before] + path[key])
    return path


def cost(left: Plan, price: Prices, seconds: dict[str, float], *, workers: int) -> Cost:
    """The cost of a plan on `workers` processes. seconds: of each piece of work."""
    work, longest = sum(seconds.values()), max(remaining(left, seconds).values(), default=0.0)
    recipes = [job.recipe for job in left.jobs.values()]
    disk = price.disk(recipes, [(node, _dearest(node)) for node in left.readings.values()])
    return Cost(work, longest, max(longest, work / workers), disk)


def recipes_of(work: Job | Reading) -> tuple[Recipe, ...]:
    """The recipes that a piece of work may be about: one, or those among which one is chosen."""
    if isinstance(work, Job):
        return (work.recipe,)
    run = work.state.run
    if isinstance(run, Chosen):
        return run.among
    assert isinstance(run, Recipe)
    return (run,)


def _dearest(reading: Reading) -> Recipe:
    return max(recipes_of(reading), key=lambda recipe: recipe.steps)
