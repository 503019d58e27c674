"""A plan: what is asked for, what the store has of it, and the work that remains.

Belongs here: comparing a graph with a store, and what follows from that alone. Does not belong here: doing the work,
its price (`machine/pricing.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from prunescope.base.errors import UsageError
from prunescope.base.reference import FINAL, Moment, StateRef
from prunescope.base.value import Value
from prunescope.runs.graph.given import Given, Run
from prunescope.runs.graph.nodes import Chosen, Measured, Trace, closure, runs_of
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.runs.store.store import Store
from prunescope.training.probes import Probe


@dataclass(frozen=True)
class Job:
    """A run to make, or the parts of a stored run that are missing.

    recipe: the run.
    moments: the states to keep, besides the last.
    probes: the probes to attach.
    """

    recipe: Recipe
    moments: tuple[Moment, ...] = ()
    probes: tuple[Probe, ...] = ()

    @property
    def id(self) -> str:
        """The run's id."""
        return self.recipe.id

    def lacking(self, stored: dict[str, Any]) -> "Job | None":
        """The part of this job that a stored run (an entry of `Store.known_runs`) lacks; None if it lacks nothing."""
        moments = tuple(moment for moment in self.moments if moment.id not in stored["states"])
        probes = tuple(probe for probe in self.probes if probe.id not in stored["traces"])
        return Job(self.recipe, moments, probes) if moments or probes else None


@dataclass(frozen=True)
class Plan:
    """The closure of the nodes asked for, and the work that remains.

    nodes: every node by id, inputs first.
    jobs: runs that the store lacks, or lacks a part of, by id, in the order of `nodes`.
    readings: readings and comparisons that the store lacks, by id, in the same order.
    failed: why each run that is stored as failed did so, by id.
    waits: for every piece of work the ids of those that have to be done before it.
    """

    nodes: dict[str, Value]
    jobs: dict[str, Job]
    readings: dict[str, Measured]
    failed: dict[str, str]
    waits: dict[str, set[str]]

    @property
    def runs(self) -> list[Run]:
        """All runs of the graph, given states among them."""
        return [node for node in self.nodes.values() if isinstance(node, Run)]

    @cached_property
    def work(self) -> dict[str, Job | Measured]:
        """Every piece of work by id: the jobs, then the readings."""
        return {**self.jobs, **self.readings}

    @property
    def at_work(self) -> list[Run]:
        """The runs that the work is about; some more than once."""
        read = (run for reading in self.readings.values() for run in runs_of(reading))
        return [*(job.recipe for job in self.jobs.values()), *read]

    def downstream(self, ids: Iterable[str]) -> set[str]:
        """These nodes and all that depend on them."""
        dependent = set(ids)
        for key, node in self.nodes.items():
            if any(value.id in dependent for value in node.references):
                dependent.add(key)
        return dependent

    def feasible(self) -> "Plan":
        """The plan without the work that needs a run which is stored as failed: nobody will try it."""
        blocked = self.downstream(self.failed)
        return replace(
            self,
            jobs={key: job for key, job in self.jobs.items() if key not in blocked},
            readings={key: reading for key, reading in self.readings.items() if key not in blocked},
            waits={key: before for key, before in self.waits.items() if key not in blocked},
        )

    def stored(self, keys: Iterable[str], store: Store) -> dict[str, str]:
        """Of these pieces of work, those that the store has by now; why a run failed, "" for whatever went well."""
        keys = list(keys)
        known = store.known_runs(key for key in keys if key in self.jobs)
        over = {key: run["why"] or "it failed" for key, run in known.items() if run["status"] == "failed"}
        over |= {key: "" for key, run in known.items() if key not in over and self.jobs[key].lacking(run) is None}
        return over | dict.fromkeys(store.known_readings(key for key in keys if key in self.readings), "")

    def open_ended(self) -> int:
        """How many pieces of work depend on results, or may stop early: their price is an upper bound."""
        symbolic = {
            key
            for key, node in self.nodes.items()
            if isinstance(node, Chosen) or (isinstance(node, Recipe) and isinstance(node.examples, Subset))
        }
        stopping = {key for key, job in self.jobs.items() if job.recipe.stop.watches}
        return len((self.downstream(symbolic) | stopping) & self.work.keys())

    def longest_paths(self, seconds: dict[str, float]) -> dict[str, float]:
        """Seconds from the start of every piece of work to the end of the longest path of work that waits for it."""
        paths = dict(seconds)
        for key in reversed([key for key in self.nodes if key in seconds]):
            for before in self.waits[key]:
                paths[before] = max(paths[before], seconds[before] + paths[key])
        return paths


def plan(nodes: Iterable[Value], store: Store) -> Plan:
    """What the store lacks of the given nodes and of everything they need. Reads no data and trains nothing."""
    graph = closure(nodes)
    for node in graph.values():
        if isinstance(node, Recipe) and isinstance(node.examples, Subset):
            _counts_all_rows(node.examples)
    moments, probes = _moments_and_probes(graph)
    jobs: dict[str, Job] = {}
    readings: dict[str, Measured] = {}
    failed: dict[str, str] = {}
    stored = store.known_runs(node.id for node in graph.values() if isinstance(node, Recipe))
    taken = store.known_readings(node.id for node in graph.values() if isinstance(node, Measured))
    for node in graph.values():
        if isinstance(node, Recipe):
            job = Job(node, tuple(moments.get(node.id, {}).values()), tuple(probes.get(node.id, {}).values()))
            if node.id not in stored:
                jobs[node.id] = job
            elif stored[node.id]["status"] == "failed":
                failed[node.id] = stored[node.id]["why"]
            # A user may have deleted a damaged last state: it is replayed like any other.
            elif rest := Job(node, (FINAL, *job.moments), job.probes).lacking(stored[node.id]):
                jobs[node.id] = rest
        elif isinstance(node, Measured) and node.id not in taken:
            readings[node.id] = node
    return Plan(graph, jobs, readings, failed, _waits(graph, jobs.keys() | readings.keys()))


def _counts_all_rows(subset: Subset) -> None:
    """Refuses a rule that looks at a part of the training split: the rows it picks are taken for those of the whole."""
    pending: list[Value] = [subset.source]
    for node in pending:  # which grows
        if not isinstance(node, Measured):
            pending += [] if isinstance(node, Run) else node.references  # what made a run is not looked at
        elif getattr(node.of, "split", "") == "train":
            for run in (run for state in node.states for run in runs_of(state)):
                if isinstance(run, Recipe) and isinstance(run.examples, Subset):
                    raise UsageError(
                        f"the subset rule {subset.rule} looks at {node.title}, which was trained on a Subset itself: "
                        "its rows count from the first of those; measure a run on all training examples"
                    )


def _moments_and_probes(
    graph: dict[str, Value],
) -> tuple[dict[str, dict[str, Moment]], dict[str, dict[str, Probe]]]:
    """The moments besides the last, and the probes, that the graph needs of each run, by the run's id and their own."""
    moments: dict[str, dict[str, Moment]] = {}
    probes: dict[str, dict[str, Probe]] = {}
    for node in graph.values():
        if isinstance(node, StateRef) and node.moment.when != "final":
            if isinstance(node.run, Given):
                raise UsageError(f"a given state has no moment {node.moment.when!r}; leave the moment out")
            for run in node.run.among if isinstance(node.run, Chosen) else (node.run,):
                moments.setdefault(run.id, {})[node.moment.id] = node.moment
        elif isinstance(node, Trace):
            probes.setdefault(node.run.id, {})[node.probe.id] = node.probe
    return moments, probes


def _waits(graph: dict[str, Value], work: Iterable[str]) -> dict[str, set[str]]:
    """For every piece of work, the nearest ones that it depends on; what is stored depends on nothing."""
    keys = set(work)
    nearest: dict[str, set[str]] = {}
    for key, node in graph.items():
        is_stored = isinstance(node, Recipe | Measured) and key not in keys
        waits: set[str] = set()
        for value in () if is_stored else node.references:
            waits |= {value.id} if value.id in keys else nearest[value.id]
        nearest[key] = waits
    return {key: nearest[key] for key in keys}
