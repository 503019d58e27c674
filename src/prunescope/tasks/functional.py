"""Running a module on tensors that are not its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import cast

import torch
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.base.tree import Tree

Place = tuple[dict[str, Tensor], str, str]
"""Where a module keeps a tensor: the dictionary of the submodule, the key there, and the name in a tree."""


def places_of(module: nn.Module) -> list[Place]:
    """Every place of a parameter or buffer; a tensor that several submodules share has several places."""
    names = {id(leaf): name for name, leaf in (*module.named_parameters(), *module.named_buffers())}
    stores = [store for owner in module.modules() for store in (owner._parameters, owner._buffers)]
    return [
        (cast(dict[str, Tensor], store), key, names[id(leaf)])
        for store in stores
        for key, leaf in store.items()
        if leaf is not None
    ]


def fill(places: list[Place], tensors: Tree) -> None:
    """Puts tensors in their places, as `torch.func.functional_call` does, but without a search at each call."""
    for store, key, name in places:
        store[key] = tensors[name]


def without_zeros(params: Tree, seed: int = 0) -> Tree:
    """The parameters with small random numbers in the place of zeros.

    A head or a branch that begins at 0 hides from every look at outputs what comes before it.
    """
    moved = dict(params)
    for name, leaf in params.items():
        if bool((zero := leaf == 0).any()):
            draw = torch.randn(leaf.shape, generator=stream(seed, "in the place of zeros", name))
            moved[name] = torch.where(zero, 0.1 * draw.to(leaf), leaf)
    return moved


def close(one: Tensor, other: Tensor, tolerance: float, *, least: float = 1e-7) -> bool:
    """Whether entries differ by no more than `tolerance`, relative to the largest finite one of `other`, or `least`.

    NaN equals NaN; tensors of other shapes are not close.
    """
    finite = other[other.isfinite()]
    scale = float(finite.abs().max()) if finite.numel() else 0.0
    bound = tolerance * scale + least
    return one.shape == other.shape and torch.allclose(one, other, rtol=0, atol=bound, equal_nan=True)


@lru_cache(64)
def constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor on a device that must not be changed; making it at every step would let a GPU run empty."""
    return torch.tensor(values, dtype=dtype, device=device)


@contextmanager
def drawing(device: torch.device, seed: int) -> Iterator[None]:
    """Seeds the default generators that a network on the device may draw from, and restores their states afterwards."""
    before = [(generator, generator.get_state()) for generator in _generators(device)]
    reseed(device, seed)
    try:
        yield
    finally:
        for generator, state in before:
            generator.set_state(state)


def reseed(device: torch.device, seed: int) -> None:
    """Seeds the default generators; only inside `drawing`, which restores their states."""
    for generator in _generators(device):
        generator.manual_seed(seed)


def random_state(device: torch.device) -> Tensor:
    """The state of the default generators, uint8 [B], by which one sees whether something was drawn."""
    return torch.cat([generator.get_state() for generator in _generators(device)])


def _generators(device: torch.device) -> list[torch.Generator]:
    """That of the CPU, too: what decides whether a layer is left out is often drawn there."""
    gpu = [torch.cuda.default_generators[device.index or 0]] if device.type == "cuda" else []
    return [torch.default_generator, *gpu]


@contextmanager
def capturing(module: nn.Module, names: frozenset[str]) -> Iterator[Tree]:
    """Yields a tree that receives the detached outputs of the submodules called `names` in every pass of the block.

    Raises UsageError for a name that is no submodule; the message lists those that are.
    """
    captured: Tree = {}
    modules = dict(module.named_modules()) if names else {}
    if unknown := names - modules.keys():
        raise UsageError(f"no module {sorted(unknown)} in {type(module).__name__}; there are {sorted(modules)[1:]}")
    handles = [
        modules[name].register_forward_hook(
            # A copy: an activation after it may work in place.
            lambda _m, _i, out, name=name: captured.update({name: out.detach().clone()})
        )
        for name in names
    ]
    try:
        yield captured
    finally:
        for handle in handles:
            handle.remove()
