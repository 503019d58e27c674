"""Running a module on tensors that are not its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from prunescope.base.errors import UsageError
from prunescope.base.tree import Tree

Slot = tuple[dict[str, Tensor], str, str]
"""Where a module keeps a tensor: its owner's dictionary, the key there, the name in a tree."""


def slots_of(module: nn.Module) -> list[Slot]:
    """Every place of a parameter or buffer; a tensor that several modules share has several."""
    names = {id(leaf): name for name, leaf in (*module.named_parameters(), *module.named_buffers())}
    stores = [store for owner in module.modules() for store in (owner._parameters, owner._buffers)]
    return [
        (cast(dict[str, Tensor], store), key, names[id(leaf)])
        for store in stores
        for key, leaf in store.items()
        if leaf is not None
    ]


def fill(slots: list[Slot], tensors: Tree) -> None:
    """Puts tensors in their places: what `torch.func.functional_call` does, without looking them up each time."""
    for place, key, name in slots:
        place[key] = tensors[name]


@contextmanager
def drawing(device: torch.device, seed: int) -> Iterator[None]:
    """The device's default generator under `seed`; its state is put back afterwards."""
    generator = _generator(device)
    before = generator.get_state()
    generator.manual_seed(seed)
    try:
        yield
    finally:
        generator.set_state(before)


def reseed(device: torch.device, seed: int) -> None:
    """Puts the device's default generator under `seed`; only inside `drawing`, which puts its state back."""
    _generator(device).manual_seed(seed)


def _generator(device: torch.device) -> torch.Generator:
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator


@contextmanager
def capturing(module: nn.Module, names: frozenset[str]) -> Iterator[Tree]:
    """The outputs of the submodules called `names` in the passes inside, detached, by name.

    Raises UsageError for a name that is no module, listing those that are.
    """
    captured: Tree = {}
    modules = dict(module.named_modules()) if names else {}
    if unknown := names - modules.keys():
        raise UsageError(
            f"no module {sorted(unknown)} in {type(module).__name__}; there are {sorted(modules)[1:]}"
        )
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
