"""Running a module on tensors that are not its own.

Belongs here: where a module keeps its tensors, and what it draws by itself. Does not belong here: what a model is
(`model.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

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
    generator = torch.default_generator
    if device.type == "cuda":
        generator = torch.cuda.default_generators[device.index or 0]
    before = generator.get_state()
    generator.manual_seed(seed)
    try:
        yield
    finally:
        generator.set_state(before)
