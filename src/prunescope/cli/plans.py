"""A plan in words and numbers."""

from collections import Counter
from dataclasses import dataclass

from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.runs.execution.preparation import Prepared
from prunescope.runs.graph.nodes import Reading, Trace
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.plan import Job, Plan


def pack_sentences(prepared: Prepared) -> list[str]:
    """How many runs of what train in how many programs, and the share of their price that it saves."""
    packing = prepared.packing
    by_name: dict[str, list[Job]] = {}
    for job in prepared.plan.jobs.values():
        if packing.size(job.recipe) > 1:
            by_name.setdefault(job.recipe.task.network.path.rpartition(":")[2], []).append(job)
    sentences = []
    for name, jobs in by_name.items():
        alone = sum(prepared.alone[job.id] for job in jobs)
        packed = sum(prepared.seconds[job.id] for job in jobs)
        most = max(packing.size(job.recipe) for job in jobs)
        change = 100 * (1 - packed / max(alone, 1e-12))
        sentences.append(
            f"{len(jobs)} runs of {name} train up to {most} in one program, "
            f"{abs(change):.0f} % {'cheaper' if change >= 0 else 'dearer'} than each by itself."
        )
    return sentences


@dataclass(frozen=True)
class Group:
    """Nodes of one kind: how many the graph has, how many are stored, how many are stored as failed."""

    kind: str
    nodes: int
    stored: int
    failed: int


def groups(plan: Plan) -> list[Group]:
    """The runs, traces and readings of a plan by kind, in the order of the graph."""
    nodes = [node for kind in (Recipe, Trace, Reading) for node in plan.nodes.values() if isinstance(node, kind)]
    blocked = plan.downstream(plan.failed)
    kinds = {node.id: _kind(node) for node in nodes}
    total = Counter(kinds.values())
    failed = Counter(kinds[node.id] for node in nodes if node.id in plan.failed)
    stored = Counter(kinds[node.id] for node in nodes if _is_stored(node, plan, blocked))
    return [Group(kind, total[kind], stored[kind], failed[kind]) for kind in total]


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
    interventions = ", ".join(dict.fromkeys(type(value).__name__ for value in node.interventions))
    return f"run: {name}{noisy}, {start}{', ' if interventions else ''}{interventions}"


def _title(value: Value) -> str:
    split = getattr(value, "split", "")
    return type(value).__name__ + (f" on {split}" if split else "")
