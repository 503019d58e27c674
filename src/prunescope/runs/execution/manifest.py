"""The parts of a manifest: what a stored run, or a given state, says of itself."""

import contextlib
import platform
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import psutil
import torch

from prunescope import __version__
from prunescope.base import tree
from prunescope.base.errors import UsageError
from prunescope.base.reference import FINAL, StateRef
from prunescope.base.state import Weights
from prunescope.base.value import Value, array_digest
from prunescope.runs.execution.checkpointer import Checkpointer
from prunescope.runs.graph.given import Given, Run
from prunescope.runs.graph.nodes import Chosen, describe
from prunescope.runs.graph.recipe import Subset
from prunescope.runs.machine.devices import compilers, machine
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import SCHEMA, Store
from prunescope.sparsity.select import per_layer
from prunescope.training.loop import Program
from prunescope.training.progress import Progress


def base_manifest(recipe: Run, status: str, results: StoredResults) -> dict[str, Any]:
    """What every stored run says of itself: schema, recipe, parents, what its choices came to, how it ended."""
    references = [ref for ref in recipe.references if isinstance(ref, StateRef)]
    return {
        "schema": SCHEMA,
        "id": recipe.id,
        "status": status,
        "recipe": describe(recipe),
        "parents": sorted({results.run(ref.run).id for ref in references}),
        "resolved": _resolved(recipe, references, results),
    }


def _resolved(recipe: Run, references: Iterable[StateRef], results: StoredResults) -> dict[str, Any]:
    """What the recipe names by a rule: the run chosen, by the choice's id; count and digest of the subset's rows."""
    chosen = {ref.run.id: results.run(ref.run).id for ref in references if isinstance(ref.run, Chosen)}
    resolved: dict[str, Any] = {"chosen": chosen} if chosen else {}
    if isinstance(recipe.examples, Subset):
        rows = results.rows(recipe.examples)
        resolved["examples"] = {"count": len(rows), "digest": array_digest(rows)}
    return resolved


def outcome(program: Program, progress: Progress) -> dict[str, Any]:
    """What a finished run came to: steps, examples, parameters, sparsity in all and per layer."""
    return {
        "step": progress.state.step,
        "steps": progress.local,
        "most_steps": program.steps,
        "epoch_steps": program.clock.epoch_steps,
        "train_examples": len(program.problem.train),
        **sizes(progress.state.weights),
    }


def sizes(weights: Weights) -> dict[str, Any]:
    """Parameters, sparsity in all and per layer."""
    return {"parameters": tree.size(weights.params), "sparsity": weights.sparsity, "layers": per_layer(weights.masks)}


def execution(device: str, checkpointer: Checkpointer, progress: Progress) -> dict[str, Any]:
    """How a run was executed: recorded beside its id, never part of it.

    Results depend bitwise on "members" and on every entry above it.

    members: how many runs its program held, in order, as often as that changed.
    seconds: of work; of a pack, the run's share.
    elapsed: seconds on the clock since the run was taken up.
    """
    return {
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "machine": machine(),
        "threads": 1,
        **checkpointer.setting.model_dump(),
        "members": list(progress.members),
        "compilers": compilers(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "prunescope": __version__,
        "seconds": round(checkpointer.seconds(), 3),
        "elapsed": round(checkpointer.elapsed(), 3),
        "steps": progress.local,
        "peak_memory_mb": _peak_memory_mb(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _peak_memory_mb() -> float:
    with contextlib.suppress(ImportError):  # Windows has no such module, and another count
        import resource

        unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes on macOS, kilobytes elsewhere
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
    memory = psutil.Process().memory_info()
    return float(round(getattr(memory, "peak_wset", memory.rss) / 2**20, 1))


def keep_given(nodes: Iterable[Value], store: Store) -> None:
    """Stores the given states among some nodes that are not stored yet.

    Raises UsageError for one that is neither stored nor at hand, since it was given in another process.
    """
    states = {node.id: node for node in nodes if isinstance(node, Given)}
    stored = store.known_runs(states)
    for key, node in states.items():
        if key in stored and FINAL.id in stored[key]["states"]:
            continue
        if node.weights is None:
            raise UsageError(f"the given state {key[:8]} is not in {store.url}; give it again, by its file or module")
        if key in stored:
            store.add_parts(key, {FINAL.id: node.weights}, {})
            continue
        nothing = dict.fromkeys(("step", "steps", "most_steps", "epoch_steps"), 0)
        manifest = base_manifest(node, "done", StoredResults(store)) | nothing | sizes(node.weights)
        store.add_run(key, manifest, {FINAL.id: node.weights}, {})
