"""A plan in numbers, for people.

Belongs here: how many nodes of which kind there are, are stored or failed, and which of the work cannot be done or
priced exactly. Does not belong here: how a table looks.
"""

from collections import Counter
from dataclasses import dataclass, replace

from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.runs.graph.nodes import Chosen, Reading, Trace
from prunescope.runs.graph.recipe import Recipe, Subset
from prunescope.runs.store.plan import Plan


@dataclass(frozen=True)
class Group:
    """Nodes of one kind: how many the graph has, how many are stored, how many are stored as failed."""

    kind: str
    nodes: int
    stored: int
    failed: int


def groups(plan: Plan) -> list[Group]:
    """The runs, traces and readings of a plan by kind, in the order of the graph."""
    nodes = [
        node for kind in (Recipe, Trace, Reading) for node in plan.nodes.values() if isinstance(node, kind)
    ]
    blocked = plan.downstream(plan.failed)
    kinds = {node.id: _kind(node) for node in nodes}
    total = Counter(kinds.values())
    failed = Counter(kinds[node.id] for node in nodes if node.id in plan.failed)
    stored = Counter(kinds[node.id] for node in nodes if _is_stored(node, plan, blocked))
    return [Group(kind, total[kind], stored[kind], failed[kind]) for kind in total]


def feasible(plan: Plan) -> Plan:
    """The plan without the work that needs a run which is stored as failed: nobody will try it."""
    blocked = plan.downstream(plan.failed)
    return replace(
        plan,
        jobs={key: job for key, job in plan.jobs.items() if key not in blocked},
        readings={key: node for key, node in plan.readings.items() if key not in blocked},
        waits={key: before for key, before in plan.waits.items() if key not in blocked},
    )


def open_ended(plan: Plan) -> int:
    """How many pieces of work depend on results, or may stop early: their price is an upper bound."""
    symbolic = {
        key
        for key, node in plan.nodes.items()
        if isinstance(node, Chosen) or (isinstance(node, Recipe) and isinstance(node.examples, Subset))
    }
    stopping = {key for key, job in plan.jobs.items() if job.recipe.stop.watches}
    return len((plan.downstream(symbolic) | stopping) & plan.work.keys())


def _is_stored(node: Value, plan: Plan, blocked: set[str]) -> bool:
    if isinstance(node, Trace):
        job = plan.jobs.get(node.run.id)
        return node.id not in blocked and (job is None or node.probe not in job.probes)
    return node.id not in plan.work and node.id not in plan.failed


def _kind(node: Value) -> str:
    """The kind of a node, for people."""
    if isinstance(node, Reading):
        return f"reading: {_title(node.measure)}"
    if isinstance(node, Trace):
        return f"trace: {_title(node.probe)}"
    assert isinstance(node, Recipe)
    network, noise = node.task.network, node.task.data.label_noise
    name = network.path.rpartition(":")[2] + (" scaled" if network.args.get("scale", 1.0) != 1.0 else "")
    noisy = f", noise {100 * noise:g} %" if noise else ""
    start = "continued" if isinstance(node.start, StateRef) else "from scratch"
    interventions = ", ".join(type(value).__name__ for value in node.interventions)
    return f"run: {name}{noisy}, {start}{', ' if interventions else ''}{interventions}"


def _title(value: Value) -> str:
    split = getattr(value, "split", "")
    return type(value).__name__ + (f" on {split}" if split else "")
