"""What the store says of the runs behind a study: where each node comes from, what it took, what is left.

Belongs here: plain records for reports and plans, from the graph and the manifests. Does not belong here: how they
are shown.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from prunescope.base.reference import StateRef
from prunescope.base.value import Value
from prunescope.runs.graph import Chosen, Reading, Trace, describe
from prunescope.runs.plan import Plan
from prunescope.runs.recipe import Recipe, Subset
from prunescope.runs.store import Store

Record = dict[str, Any]


def lineage(nodes: Iterable[Value], store: Store) -> dict[str, Record]:
    """For each node, by its id: what it is, and the recipe, parents and execution of the runs it is made from."""
    manifests: dict[str, Record] = {}
    records: dict[str, Record] = {}
    for node in nodes:
        if node.id not in records:
            runs = _runs_of(node)
            for run in runs:
                if run.id not in manifests:
                    manifests[run.id] = _run_record(run, store)
            own = {} if isinstance(node, Recipe) else {"node": describe(node)}
            records[node.id] = own | {"runs": [manifests[run.id] for run in runs]}
    return records


def _runs_of(node: Value) -> list[Recipe]:
    """The runs that a node looks at: its nearest ones in the graph, itself if it is one."""
    if isinstance(node, Recipe):
        return [node]
    found: dict[str, Recipe] = {}
    for value in node.references:
        found.update((run.id, run) for run in _runs_of(value))
    return list(found.values())


def _run_record(run: Recipe, store: Store) -> Record:
    manifest = store.manifest(run.id)
    if manifest is None:
        return {"id": run.id, "status": "not run", "recipe": describe(run)}
    wanted = ("id", "status", "why", "recipe", "parents", "sparsity", "parameters", "exec")
    return {name: manifest[name] for name in wanted if name in manifest}


def cost(runs: Iterable[Recipe], store: Store) -> Record:
    """What the stored ones of these runs took: machines, versions, seconds of work and from first to last."""
    manifests = [manifest for run in runs if (manifest := store.manifest(run.id)) is not None]
    done = [manifest["exec"] for manifest in manifests if manifest["status"] == "done"]
    if not done:
        return {"runs": len(manifests), "failed": len(manifests)}
    ends = [datetime.fromisoformat(one["finished"]).timestamp() for one in done]
    # Runs of before `elapsed` was recorded trained by themselves: their work was all that passed.
    starts = [end - one.get("elapsed", one["seconds"]) for end, one in zip(ends, done, strict=True)]
    return {
        "runs": len(manifests),
        "failed": len(manifests) - len(done),
        "machine": _all(done, "machine"),
        "device": _all(done, "device"),
        "seconds of work": round(sum(one["seconds"] for one in done), 1),
        "seconds from the first start to the last end": round(max(ends) - min(starts), 1),
        "training steps": sum(one["steps"] for one in done),
        "peak memory of a process (MB)": max(one["peak_memory_mb"] for one in done),
        "versions": {name: _all(done, name) for name in ("prunescope", "torch", "python")},
    }


def _all(records: list[Record], name: str) -> str:
    return ", ".join(sorted({str(record[name]) for record in records}))


# -- what a plan consists of


@dataclass(frozen=True)
class Group:
    """Nodes of one kind: how many there are, are stored, are stored as failed."""

    kind: str
    nodes: int
    stored: int
    failed: int


def groups(left: Plan) -> list[Group]:
    """The runs, traces and readings of a plan by kind, in the order of the graph."""
    nodes = [
        node for kind in (Recipe, Trace, Reading) for node in left.nodes.values() if isinstance(node, kind)
    ]
    blocked = _downstream(left, set(left.failed))
    kinds = {node.id: _kind(node) for node in nodes}
    total = Counter(kinds.values())
    failed = Counter(kinds[node.id] for node in nodes if node.id in left.failed)
    stored = Counter(kinds[node.id] for node in nodes if _stored(node, left, blocked))
    return [Group(kind, total[kind], stored[kind], failed[kind]) for kind in total]


def feasible(left: Plan) -> Plan:
    """The plan without what needs a run that is stored as failed, which will not be tried."""
    blocked = _downstream(left, set(left.failed))
    return replace(
        left,
        jobs={key: job for key, job in left.jobs.items() if key not in blocked},
        readings={key: node for key, node in left.readings.items() if key not in blocked},
        waits={key: before for key, before in left.waits.items() if key not in blocked},
    )


def open_ended(left: Plan) -> int:
    """How many runs and readings left to do depend on results, or may stop early: their price is an upper bound."""
    chosen = {key for key, node in left.nodes.items() if isinstance(node, Chosen) or _picks(node)}
    stopping = {key for key, job in left.jobs.items() if job.recipe.stop.watches}
    return len((_downstream(left, chosen) | stopping) & left.left.keys())


def _picks(node: Value) -> bool:
    return isinstance(node, Recipe) and isinstance(node.examples, Subset)


def _downstream(left: Plan, ids: set[str]) -> set[str]:
    """These nodes and all that need them."""
    found = set(ids)
    for key, node in left.nodes.items():
        if any(value.id in found for value in node.references):
            found.add(key)
    return found


def _stored(node: Value, left: Plan, blocked: set[str]) -> bool:
    if isinstance(node, Trace):
        job = left.jobs.get(node.run.id)
        return node.id not in blocked and (job is None or node.probe not in job.probes)
    return node.id not in left.left and node.id not in left.failed


def _kind(node: Value) -> str:
    """The kind of a node, for people."""
    if isinstance(node, Reading):
        return f"reading: {_named(node.measure)}"
    if isinstance(node, Trace):
        return f"trace: {_named(node.probe)}"
    assert isinstance(node, Recipe)
    network, noise = node.task.network, node.task.data.label_noise
    name = network.path.rpartition(":")[2] + (" scaled" if network.args.get("scale", 1.0) != 1.0 else "")
    noisy = f", noise {100 * noise:g} %" if noise else ""
    start = "continued" if isinstance(node.start, StateRef) else "from scratch"
    acts = ", ".join(type(value).__name__ for value in node.interventions)
    return f"run: {name}{noisy}, {start}{', ' if acts else ''}{acts}"


def _named(value: Value) -> str:
    split = getattr(value, "split", "")
    return type(value).__name__ + (f" on {split}" if split else "")
