"""A plan in words and numbers."""

from collections import Counter

from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.runs.execution.preparation import Prepared
from prunescope.runs.graph.nodes import Measured, Trace
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


def groups(plan: Plan) -> dict[str, Counter[str]]:
    """The runs, traces and readings of a plan by kind: how many are needed, stored, and stored as failed."""
    counts: dict[str, Counter[str]] = {}
    blocked = plan.downstream(plan.failed)
    for kind in (Recipe, Trace, Measured):
        for node in plan.nodes.values():
            if isinstance(node, kind):
                failed, stored = node.id in plan.failed, _is_stored(node, plan, blocked)
                counts.setdefault(_kind(node), Counter()).update(needed=1, failed=failed, stored=stored)
    return counts


def _is_stored(node: Value, plan: Plan, blocked: set[str]) -> bool:
    if isinstance(node, Trace):
        job = plan.jobs.get(node.run.id)
        return node.id not in blocked and (job is None or node.probe not in job.probes)
    return node.id not in plan.work and node.id not in plan.failed


def _kind(node: Value) -> str:
    """The kind of a node, for people."""
    if isinstance(node, Measured):
        return f"reading: {_title(node.of)}"
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
