"""Where a number comes from: the stored runs behind a node, and what they cost. Plain records for reports."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from prunescope.base.value import Value
from prunescope.runs.graph.given import Run
from prunescope.runs.graph.nodes import describe, runs_of
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.store import Store

Record = dict[str, Any]


def lineage(nodes: Iterable[Value], store: Store) -> dict[str, Record]:
    """For each node, by its id: what it is, and the recipe, parents and execution of the runs it is made from."""
    run_records: dict[str, Record] = {}
    records: dict[str, Record] = {}
    for node in nodes:
        if node.id not in records:
            runs = runs_of(node)
            for run in runs:
                if run.id not in run_records:
                    run_records[run.id] = _run_record(run, store)
            description = {} if isinstance(node, Run) else {"node": describe(node)}
            records[node.id] = description | {"runs": [run_records[run.id] for run in runs]}
    return records


def _run_record(run: Run, store: Store) -> Record:
    manifest = store.manifest(run.id)
    if manifest is None:
        return {"id": run.id, "status": "not run", "recipe": describe(run)}
    names = ("id", "status", "why", "recipe", "parents", "sparsity", "parameters", "exec")
    return {name: manifest[name] for name in names if name in manifest}


def cost(runs: Iterable[Run], store: Store) -> Record:
    """What the stored ones of these runs took: machines, versions, seconds of work and from first to last."""
    made = (run for run in runs if isinstance(run, Recipe))
    manifests = [manifest for run in made if (manifest := store.manifest(run.id)) is not None]
    executions = [manifest["exec"] for manifest in manifests if manifest["status"] == "done"]
    if not executions:
        return {"runs": len(manifests), "failed": len(manifests)}
    ends = [datetime.fromisoformat(execution["finished"]).timestamp() for execution in executions]
    # Runs of before `elapsed` was recorded trained by themselves: their work was all that passed.
    starts = [
        end - execution.get("elapsed", execution["seconds"]) for end, execution in zip(ends, executions, strict=True)
    ]
    return {
        "runs": len(manifests),
        "failed": len(manifests) - len(executions),
        "machine": _distinct(executions, "machine"),
        "device": _distinct(executions, "device"),
        "seconds of work": round(sum(execution["seconds"] for execution in executions), 1),
        "seconds from the first start to the last end": round(max(ends) - min(starts), 1),
        "training steps": sum(execution["steps"] for execution in executions),
        "peak memory of a process (MB)": max(execution["peak_memory_mb"] for execution in executions),
        "versions": {name: _distinct(executions, name) for name in ("prunescope", "torch", "python")},
    }


def _distinct(records: list[Record], name: str) -> str:
    return ", ".join(sorted({str(record[name]) for record in records}))
