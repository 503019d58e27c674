"""What a stored run says of itself.

Belongs here: the parts of a manifest. Does not belong here: when and where it is written (`workbench.py`, `store.py`).
"""

import platform
import resource
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import torch

from prunescope import __version__
from prunescope.base import tree
from prunescope.base.reference import StateRef
from prunescope.base.value import array_digest
from prunescope.runs.graph import Chosen, describe
from prunescope.runs.machine import compilers, machine
from prunescope.runs.recipe import Recipe, Subset
from prunescope.runs.results import Results
from prunescope.runs.saver import Saver
from prunescope.runs.store import SCHEMA
from prunescope.sparsity.select import per_layer
from prunescope.training.loop import Program
from prunescope.training.progress import Progress


def base_manifest(recipe: Recipe, status: str, results: Results) -> dict[str, Any]:
    """What every stored run says of itself: schema, recipe, parents, what its choices came to, how it ended."""
    references = [ref for ref in recipe.references if isinstance(ref, StateRef)]
    return {
        "schema": SCHEMA,
        "id": recipe.id,
        "status": status,
        "recipe": describe(recipe),
        "parents": sorted({results.recipe(ref.run).id for ref in references}),
        "resolved": _resolved(recipe, references, results),
    }


def _resolved(recipe: Recipe, references: Iterable[StateRef], results: Results) -> dict[str, Any]:
    """What the recipe names by a rule: the run chosen, by the choice's id; count and digest of the subset's rows."""
    chosen = {ref.run.id: results.recipe(ref.run).id for ref in references if isinstance(ref.run, Chosen)}
    found: dict[str, Any] = {"chosen": chosen} if chosen else {}
    if isinstance(recipe.examples, Subset):
        rows = results.rows(recipe.examples)
        found["examples"] = {"count": len(rows), "digest": array_digest(rows)}
    return found


def outcome(program: Program, progress: Progress) -> dict[str, Any]:
    """What a finished run came to: steps, examples, parameters, sparsity in all and per layer."""
    weights = progress.state.weights
    return {
        "step": progress.state.step,
        "steps": progress.local,
        "most_steps": program.steps,
        "epoch_steps": program.clock.epoch_steps,
        "train_examples": len(program.problem.train),
        "parameters": tree.size(weights.params),
        "sparsity": weights.sparsity,
        "layers": per_layer(weights.masks),
    }


def execution(device: str, saver: Saver, progress: Progress) -> dict[str, Any]:
    """How a run was executed: recorded beside its id, never part of it.

    seconds: of work, in a stack the run's share of it; elapsed: on the clock since the run was taken up. members: how
    many runs its program held, in order, as often as that changed: bits depend on it, and on everything above it.
    """
    return {
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "machine": machine(),
        "threads": 1,
        **saver.setting.model_dump(),
        "members": list(progress.members),
        "compilers": compilers(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "prunescope": __version__,
        "seconds": round(saver.seconds(), 3),
        "elapsed": round(saver.elapsed(), 3),
        "steps": progress.local,
        "peak_memory_mb": _peak_memory_mb(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _peak_memory_mb() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
