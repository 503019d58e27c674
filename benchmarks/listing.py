"""Question: how long until all runs of a large store are listed?

`python -m benchmarks.listing 1000000` asks it of as many runs as are named; a million take 9 GB of disk.
"""

import json
import math
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.laboratory import Laboratory
from benchmarks.result import Result
from prunescope.base.digest import text_digest
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store import index, sealed
from prunescope.runs.store.store import Store


def listing(lab: Laboratory) -> list[Result]:
    """What `prunescope runs ls` takes for a store on a disk: at first, and from packs.

    The runs are copies of the manifest of a real one under other ids; seconds of the processor.
    """
    return measured(lab.recipe.replace(length="1it"), lab.scale.recipes)


def measured(recipe: Recipe, count: int) -> list[Result]:
    """The listing of a store that holds so many copies of a recipe's run."""
    with tempfile.TemporaryDirectory(prefix="prunescope-listing-") as folder:
        store = Store(f"{folder}/store")
        ensure(recipe, store=store, workers=1)
        _copy(store, recipe.id, count - 1)
        first, again = (_seconds(store, count) for _ in range(2))
        packs = sum(entry.size for entry in store.storage.entries("listings"))
    return [
        Result(f"{count:,} runs, every manifest read", np.array([first]), "s"),
        Result(f"{count:,} runs, from packs", np.array([again]), "s", high=1 if count <= 10_000 else math.inf),
        Result("packs", np.array([packs / 1e6]), "MB"),
        Result("memory at most", np.array([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3]), "MB"),
    ]


def _copy(store: Store, run: str, count: int) -> None:
    """Stores the manifest under other ids, without waiting for the disk."""
    manifest = json.loads(store.storage.get(store.manifest_key(run)) or b"")
    del manifest["digest"]
    for number in range(count):
        other = text_digest(f"{number}")
        path = Path(store.root / store.manifest_key(other))
        path.parent.mkdir(parents=True)
        path.write_bytes(sealed.manifest_bytes({**manifest, "id": other}))


def _seconds(store: Store, count: int) -> float:
    began = time.process_time()
    rows = index.listing(store)
    seconds = time.process_time() - began
    assert len(rows) == count and not any(row.status == "damaged" for row in rows)
    return seconds


if __name__ == "__main__":
    from benchmarks.laboratory import QUICK, laboratory

    with laboratory(QUICK) as lab:
        for result in measured(lab.recipe.replace(length="1it"), int(sys.argv[1])):
            print(result)
