"""Whether the code behind a network is still that of the stored runs.

Belongs here: what was computed when the store first met a network, and comparing. Does not belong here: what is
computed (`Model.fingerprint`).
"""

import torch

from prunescope.base.errors import CodeChanged
from prunescope.base.value import text_digest
from prunescope.runs.recipe import Recipe
from prunescope.runs.store import Store
from prunescope.tasks.task import Problem


def check_code(store: Store, recipe: Recipe, problem: Problem) -> None:
    """Keeps a network's seed-0 outputs at its first use. Raises CodeChanged when they are others now."""
    network = recipe.task.network
    path = store.root / "networks" / f"{text_digest(network.id + recipe.task.data.source.id)}.json"
    now = problem.model.fingerprint(problem.test.batch(torch.arange(2))[0])
    before = store.read_json(path)
    if before is None:
        store.write_json(path, now)
    elif before["shapes"] != now["shapes"] or not _close(before["logits"], now["logits"]):
        raise CodeChanged(
            f"the code behind {network.path} changed: its seed-0 outputs are no longer those of the stored runs; "
            f"raise its revision (now {network.revision}) to keep both, or use another store"
        )


def _close(left: list[float], right: list[float]) -> bool:
    return len(left) == len(right) and all(
        abs(a - b) <= 1e-3 * (1 + abs(a)) for a, b in zip(left, right, strict=True)
    )
