"""Question: what does it cost to keep a state?"""

import io
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.laboratory import Laboratory
from benchmarks.result import Result
from benchmarks.timing import interleaved
from prunescope.base.reference import FINAL
from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.base.tree import masked
from prunescope.base.value import text_digest
from prunescope.runs.store.store import Store

SPARSITIES = (0.0, 0.5, 0.9, 0.99)
GIVEN = {"status": "done", "recipe": {"kind": "Given"}, "parents": []}
"""What the manifest of a state says that nobody trained, beside its id."""


def storing(lab: Laboratory) -> list[Result]:
    """A run with one state of LeNet-300-100, at several sparsities: stored, so that it survives a power cut, and read.

    Bytes are compared with `torch.save` of the same parameters and masks.
    """
    store = lab.bench.store
    contestants: dict[str, Callable[[], object]] = {}
    sizes: dict[float, tuple[int, int]] = {}
    for sparsity in SPARSITIES:
        weights = thinned(lab.weights, sparsity)
        contestants[f"write {sparsity}"] = _writer(store, weights, f"{sparsity}")
        contestants[f"read {sparsity}"] = _reader(store, f"{sparsity}")
        sizes[sparsity] = (_size(store, weights), naive(weights))
    seconds = interleaved(contestants, rounds=lab.scale.rounds)
    rows = []
    for sparsity, (size, plain) in sizes.items():
        rows += [
            Result(f"sparsity {sparsity:g}: writing", 1e3 * seconds[f"write {sparsity}"], "ms"),
            Result(f"sparsity {sparsity:g}: reading", 1e3 * seconds[f"read {sparsity}"], "ms"),
            Result(f"sparsity {sparsity:g}: size", np.array([size / 1e3]), "kB"),
            Result(f"sparsity {sparsity:g}: size : torch.save", np.array([100 * size / plain]), "%"),
        ]
    return rows


def thinned(weights: Weights, sparsity: float) -> Weights:
    """The weights with a random share of the maskable ones removed."""
    generator = stream(0, "benchmark", "mask")
    masks = {name: torch.rand(mask.shape, generator=generator) >= sparsity for name, mask in weights.masks.items()}
    return weights.replace(params=masked(weights.params, masks), masks=masks)


def naive(weights: Weights) -> int:
    """Bytes of parameters and masks as torch.save writes them."""
    sink = io.BytesIO()
    torch.save({"params": weights.params, "masks": weights.masks}, sink)
    return len(sink.getvalue())


def _writer(store: Store, weights: Weights, name: str) -> Callable[[], object]:
    number = 0

    def write() -> None:
        nonlocal number
        run = text_digest(f"{name} {number}")
        store.add_run(run, GIVEN | {"id": run}, {FINAL.id: weights}, {})
        number += 1

    return write


def _reader(store: Store, name: str) -> Callable[[], object]:
    return lambda: store.weights(text_digest(f"{name} 0"), FINAL.id)


def _size(store: Store, weights: Weights) -> int:
    run = text_digest(f"size {weights.sparsity}")
    store.add_run(run, GIVEN | {"id": run}, {FINAL.id: weights}, {})
    path = store.root / store.state_key(run, FINAL.id)
    return path.stat().st_size
