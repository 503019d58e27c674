"""Which products this machine computes fastest, measured once a store.

Belongs here: measuring, keeping what was measured. Does not belong here: what a run costs (`pricing.py`).

One layer of LeNet-300-100 at batch 128 stands for all: which product is fastest, and the density at which a sparse
one overtakes it, depend on the processor much more than on the layer. What was measured is kept in the store; measuring
again, or elsewhere, affects new runs only.
"""

import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from prunescope.base.value import text_digest
from prunescope.runs.machine.devices import one_thread
from prunescope.runs.machine.hardware import compilers, processor
from prunescope.runs.store.store import Store
from prunescope.tasks.kernels import flushing, jit
from prunescope.tasks.kernels.kernel_config import Kernels, Sparse
from prunescope.tasks.kernels.modules import SparseLinear
from prunescope.tasks.kernels.products import pattern_of
from prunescope.training.engines.mlp_layers import DenseLayer, Descent, Layer, SparseLayer
from prunescope.training.engines.stacked.linear import StackedLinear, pattern
from prunescope.training.optim import Adam

OUTPUTS, INPUTS, TRAIN_BATCH, EVALUATE_BATCH, MEMBERS = 300, 784, 128, 256, 4
SMALL = (100, 300)
"""Outputs and inputs of a smaller layer, for which calling torch costs as much as its products."""
DENSITIES = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02)
ROUNDS = 10
GAIN = 1.1
"""How much faster another product has to be before it takes the place of torch's own."""


def kernels(store: Store) -> Kernels:
    """The fastest products of this machine, measured if the store does not say."""
    known = known_kernels(store)
    if known is None:
        known = measured()
        store.write_json(_path(store), known.model_dump())
    return known


def for_stacks(store: Store, known: Kernels) -> Kernels:
    """The same with the switch point of stacks on this machine, measured if the store does not say.

    Apart from the others, because its loops take seconds to compile where that was never done.
    """
    if known.sparse == "none":
        return known
    path = _path(store, "together")
    stored = store.read_json(path)
    if stored is None:
        stored = {"below": measured_for_stacks()}
        store.write_json(path, stored)
    return known.replace(together_below=stored["below"])


def known_kernels(store: Store) -> Kernels | None:
    """The fastest products of this machine, if they were measured before."""
    known = store.read_json(_path(store))
    return None if known is None else Kernels.model_validate(known)


def _path(store: Store, what: str = "kernels") -> Path:
    # With the names of what is measured, so that what a newer prunescope can choose is measured anew.
    key = text_digest(f"{processor()} {torch.__version__} {compilers()} {sorted(Kernels.model_fields)}")
    return store.root / "prices" / f"{what}-{key}.json"


@cache
def measured() -> Kernels:
    """The fastest products of this machine, on one thread; measured once a process, in about a second.

    Where own loops were never compiled before, that takes some seconds more.
    """
    with one_thread():
        sparse: Sparse = "numba" if jit.available() else "torch"
        if jit.available():
            train_below, small_below = _switch(*_steps(OUTPUTS, INPUTS)), _switch(*_steps(*SMALL))
        else:
            train_below, small_below = _switch(*_layers(sparse, _training, TRAIN_BATCH)), 0.0
        return Kernels(
            sparse=sparse,
            train_below=train_below,
            small_below=small_below,
            evaluate_below=_switch(*_layers(sparse, _evaluating, EVALUATE_BATCH)),
            by_hand=jit.available(),
            merged=jit.available(),
            channels_last=_images_last(),
            fused=_fused(),
            flushed=flushing.available(),
        )


@cache
def measured_for_stacks() -> float:
    """The density below which the sparse product of a stack is faster; 0 without its compiler (extra "fast")."""
    if not jit.available():
        return 0.0
    with one_thread():
        return _switch(*_stacked_layers())


Work = Callable[[], object]
Measured = Callable[[nn.Module, int], Work]


def _masks(outputs: int = OUTPUTS, inputs: int = INPUTS) -> list[Tensor]:
    """Masks of one layer, one a density."""
    draws = torch.rand(outputs, inputs, generator=torch.Generator().manual_seed(0))
    return [draws < density for density in DENSITIES]


def _steps(outputs: int, inputs: int) -> tuple[Work, list[Work]]:
    """A step of one layer of a perceptron: with a mask by the dense product, and by the sparse one at every density."""
    # A rate of 0 would be noticed by the dense product, which then does nothing.
    draws, step = torch.Generator().manual_seed(1), Descent(lr=1e-9, shrinkage=1.0)
    x, weight = (torch.randn(shape, generator=draws) for shape in ((inputs, TRAIN_BATCH), (outputs, inputs)))
    first, masks = inputs == INPUTS, _masks(outputs, inputs)  # whose inputs need no gradient
    keep = masks[0].float()
    layers: list[Layer] = [DenseLayer(weight * keep, None, TRAIN_BATCH, last=False, keep=(keep, None))]
    for mask in masks:
        pattern = pattern_of(mask, "numba")
        values = pattern.pack(weight)
        layers.append(SparseLayer(pattern, values, None, TRAIN_BATCH, last=False, keep=(None, None)))
    slope = torch.empty_like(x)

    def work(layer: Layer) -> Work:
        layer.g.copy_(torch.randn(layer.g.shape, generator=draws))

        def step_of_layer() -> None:
            layer.forward(x)
            if not first:
                layer.back(x, slope)
            layer.descend(x, step)

        return step_of_layer

    dense, *sparse = (work(layer) for layer in layers)
    return dense, sparse


def _layers(sparse: Sparse, work: Measured, batch: int) -> tuple[Work, list[Work]]:
    """The same work by the dense product, and by the sparse one at every density."""
    layers = [SparseLinear(nn.Linear(INPUTS, OUTPUTS), pattern_of(mask, sparse)) for mask in _masks()]
    return work(nn.Linear(INPUTS, OUTPUTS), batch), [work(layer, batch) for layer in layers]


def _stacked_layers() -> tuple[Work, list[Work]]:
    """The same for a stack of members."""
    layers = [StackedLinear(nn.Linear(INPUTS, OUTPUTS)) for _ in range(1 + len(DENSITIES))]
    for layer, mask in zip(layers, [None, *_masks()], strict=True):
        layer._parameters["weight"] = torch.randn(MEMBERS, OUTPUTS, INPUTS)  # type: ignore[assignment]
        layer._parameters["bias"] = torch.zeros(MEMBERS, OUTPUTS)  # type: ignore[assignment]
        if mask is not None:
            layer.pattern = pattern([mask] * MEMBERS)
            layer._parameters["weight"] = layer.pattern.values(layer.weight)  # type: ignore[assignment]
    first, *others = (_training(layer, TRAIN_BATCH, members=MEMBERS) for layer in layers)
    return first, others


def _switch(dense: Work, sparse: Sequence[Work]) -> float:
    """The density below which the sparse product is faster, between those that were measured; 0 if never."""
    times = _seconds([dense, *sparse])
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


def _fused() -> bool:
    """Whether torch's fused update is faster than one that takes many passes over memory."""
    draws = torch.Generator().manual_seed(0)
    params, grads = ({"": torch.rand(OUTPUTS, INPUTS, generator=draws)} for _ in range(2))
    rule = Adam()
    opt = rule.init(params)
    plain, fused = _seconds(
        [partial(update, grads, opt, params, keep={}, lr=1e-3) for update in (rule.update_, rule.fused_)]
    )
    return plain > GAIN * fused


def _pass(network: nn.Module, x: Tensor) -> Work:
    leaves = [x, *network.parameters()]
    return lambda: torch.autograd.grad(network(x).sum(), leaves)


def _training(layer: nn.Module, batch: int, *, members: int | None = None) -> Work:
    """Forward and weight gradient, as in the first layer. members: of the stack that the layer is for."""
    x, leaves = (
        _inputs(batch, members),
        [leaf.detach().requires_grad_() for leaf in layer._parameters.values() if leaf is not None],
    )
    for name, leaf in zip(list(layer._parameters), leaves, strict=True):
        layer._parameters[name] = leaf  # type: ignore[assignment]
    slope = torch.ones_like(layer(x).detach())
    return lambda: torch.autograd.grad(layer(x), leaves, slope)


def _evaluating(layer: nn.Module, batch: int) -> Work:
    x = _inputs(batch)

    def forward() -> None:
        with torch.no_grad():
            layer(x)

    return forward


def _inputs(batch: int, members: int | None = None) -> Tensor:
    """Examples as they are stored, so that turning them into columns counts."""
    shape = (batch, INPUTS) if members is None else (members, batch, INPUTS)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def _seconds(works: Sequence[Work]) -> list[float]:
    """The shortest of several rounds of each, taken in turns: other programs only ever add time.

    Each right after itself, as in a run, where what it works on is in the caches.
    """
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for number, work in enumerate(works):
            work()
            began = time.perf_counter()
            work()
            best[number] = min(best[number], time.perf_counter() - began)
    return best
