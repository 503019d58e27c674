"""A device that is not there: tensors that say they lie on it and refuse to meet those that do not.

Belongs here: what lets a machine without a GPU find code that mixes devices. Numbers are computed on the CPU, so that
they are those of the CPU bit by bit where the code takes the same way. Not pretended: autocast, and generators, which
all draw on the CPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

DEVICE = "meta"
"""What the device is called: of those that every torch knows, the one on which nothing is computed otherwise."""

_MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
_Generator, _tensor = torch.Generator, torch.tensor


class There(torch.Tensor):
    """A tensor on the device; `here` holds its numbers."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here):
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            layout=here.layout,
            device=torch.device(DEVICE),
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})

    def __repr__(self):
        return f"There({self.here})"

    def tolist(self):
        return self.here.tolist()

    def numpy(self, **options):
        raise TypeError("a tensor that is not on the CPU has no numpy view")

    def data_ptr(self):
        return self.here.data_ptr()


class _Pretending(TorchDispatchMode):
    """Makes tensors on the device where one is asked for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _run(func, args, kwargs):
    tensors = [leaf for leaf in tree_iter((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [leaf for leaf in tensors if isinstance(leaf, There)]
    # A number may come from anywhere, as on a GPU.
    if there and func not in _MOVES and any(leaf.ndim for leaf in tensors if not isinstance(leaf, There)):
        raise RuntimeError(f"{func}: tensors on the CPU and on another device")
    wanted = kwargs.get("device")
    if wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    found = func(*tree_map(_here, args), **tree_map(_here, kwargs))
    onto = isinstance(args[0], There) if func is torch.ops.aten.copy_.default else bool(there)
    if not (onto if wanted is None else torch.device(wanted).type == DEVICE):
        return found
    given = {id(leaf.here): leaf for leaf in there}  # what was changed in place is the same tensor afterwards

    def moved(leaf):
        if not isinstance(leaf, torch.Tensor):
            return leaf
        return given[id(leaf)] if id(leaf) in given else There(leaf)

    return tree_map(moved, found)


def _here(leaf):
    return leaf.here if isinstance(leaf, There) else leaf


class _OnCpu:
    """`torch.Generator`, whatever the device."""

    def __new__(cls, device="cpu"):
        return _Generator("cpu")


def _made(data, *, dtype=None, device="cpu"):
    """`torch.tensor`, which leaves the numbers out by itself on such a device."""
    return _tensor(data, dtype=dtype).to(device)


@contextmanager
def pretending() -> Iterator[str]:
    """The name of the device, which is there inside."""
    with pytest.MonkeyPatch.context() as patch, _Pretending():
        patch.setattr(torch, "Generator", _OnCpu)
        patch.setattr(torch, "tensor", _made)
        yield DEVICE
