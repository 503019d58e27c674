"""Which products this machine computes fastest, measured once a store.

Belongs here: measuring, keeping what was measured. Does not belong here: what a run costs (`pricing.py`).

One layer of LeNet-300-100 at batch 128 stands for all: which product is fastest, and the density at which a sparse
one overtakes it, depend on the processor much more than on the layer. What was measured is kept in the store; measuring
again, or elsewhere, affects new runs only.
"""

import platform
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from prunescope.base.value import text_digest
from prunescope.runs.store import Store
from prunescope.tasks.kernels import jit
from prunescope.tasks.kernels.choice import Dense, Kernels, Sparse
from prunescope.tasks.kernels.modules import ColumnLinear, OneDnnLinear, SparseLinear, has_onednn
from prunescope.tasks.kernels.products import pattern_of

OUTPUTS, INPUTS, TRAIN_BATCH, EVALUATE_BATCH = 300, 784, 128, 256
DENSITIES = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02)
ROUNDS = 7
GAIN = 1.1
"""How much faster another product has to be before it takes the place of torch's own."""


def kernels(store: Store) -> Kernels:
    """The fastest products of this machine, measured if the store does not say."""
    known = known_kernels(store)
    if known is None:
        known = measured()
        store.write_json(_path(store), known.model_dump())
    return known


def known_kernels(store: Store) -> Kernels | None:
    """The fastest products of this machine, if they were measured before."""
    known = store.read_json(_path(store))
    return None if known is None else Kernels.model_validate(known)


def _path(store: Store) -> Path:
    key = text_digest(f"{platform.node()} {platform.processor()} {torch.__version__} {jit.available()}")
    return store.root / "prices" / f"kernels-{key}.json"


@cache
def measured() -> Kernels:
    """The fastest products of this machine, on one thread; measured once a process, in less than a second."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        dense = _fastest_dense()
        sparse: Sparse = "llvm" if jit.available() else "torch"
        return Kernels(
            dense=dense,
            sparse=sparse,
            train_below=_switch(dense, sparse, _training, TRAIN_BATCH),
            evaluate_below=_switch(dense, sparse, _evaluating, EVALUATE_BATCH),
            by_hand=jit.available(),
            channels_last=_images_last(),
            without_units=True,
        )
    finally:
        torch.set_num_threads(before)


def _fastest_dense() -> Dense:
    among: list[Dense] = ["rows", "columns", *(["onednn"] if has_onednn() else [])]  # type: ignore[list-item]
    times = _seconds([_training(_layer(kind), TRAIN_BATCH) for kind in among])
    best = min(range(len(among)), key=times.__getitem__)
    return among[best] if times[0] > GAIN * times[best] else "rows"


Measured = Callable[[nn.Module, int], Callable[[], object]]


def _switch(dense: Dense, sparse: Sparse, work: Measured, batch: int) -> float:
    """The density below which the sparse product is faster, between those that were measured; 0 if never."""
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(OUTPUTS, INPUTS, generator=generator)
    layers = [SparseLinear(nn.Linear(INPUTS, OUTPUTS), pattern_of(draws < d, sparse)) for d in DENSITIES]
    times = _seconds([work(layer, batch) for layer in (_layer(dense), *layers)])
    costs = [time / times[0] for time in times[1:]]
    for number, (density, cost) in enumerate(zip(DENSITIES, costs, strict=True)):
        if cost < 1:
            if number == 0:
                return density
            share = (1 - cost) / (costs[number - 1] - cost)
            return round(density + share * (DENSITIES[number - 1] - density), 3)
    return 0.0


def _images_last() -> bool:
    """Whether a convolution with what follows it is faster where images lie pixel by pixel."""
    works = []
    for order in (torch.contiguous_format, torch.channels_last):
        network = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        network = network.to(memory_format=order)  # type: ignore[call-overload]
        x = torch.randn(32, 16, 32, 32, generator=torch.Generator().manual_seed(1))
        works.append(_pass(network, x.contiguous(memory_format=order).requires_grad_()))
    plain, last = _seconds(works)
    return plain > GAIN * last


def _pass(network: nn.Module, x: Tensor) -> Callable[[], object]:
    leaves = [x, *network.parameters()]
    return lambda: torch.autograd.grad(network(x).sum(), leaves)


def _layer(kind: Dense) -> nn.Module:
    plain = nn.Linear(INPUTS, OUTPUTS)
    if kind == "rows":
        return plain
    return ColumnLinear(plain) if kind == "columns" else OneDnnLinear(plain)


def _training(layer: nn.Module, batch: int) -> Callable[[], object]:
    """Forward and weight gradient, as in the first layer."""
    x, leaves = _inputs(batch), [leaf.detach().requires_grad_() for leaf in layer.parameters()]
    for (name, _), leaf in zip(list(layer.named_parameters()), leaves, strict=True):
        layer._parameters[name] = leaf  # type: ignore[assignment]
    slope = _like(layer(x))
    return lambda: torch.autograd.grad(layer(x), leaves, slope)


def _evaluating(layer: nn.Module, batch: int) -> Callable[[], object]:
    x = _inputs(batch)

    def forward() -> None:
        with torch.no_grad():
            layer(x)

    return forward


def _inputs(batch: int) -> Tensor:
    """Examples as they are stored, so that turning them into columns counts."""
    return torch.randn(batch, INPUTS, generator=torch.Generator().manual_seed(1))


def _like(y: Tensor) -> Tensor:
    return torch.ones_like(y.detach())


def _seconds(works: Sequence[Callable[[], object]]) -> list[float]:
    """The shortest of several rounds of each, taken in turns: other programs only ever add time."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for number, work in enumerate(works):
            began = time.perf_counter()
            work()
            best[number] = min(best[number], time.perf_counter() - began)
    return best
